import BlockIO
import FoundationEssentials
import Glibc
import SnapshotKit

/// A line for a person, in which the words that matter have a colour on a terminal.
struct ColouredLine {
  private var pieces: [Piece]

  private struct Piece {
    var text: String
    var colour: Colour?
  }

  init(_ text: String, _ colour: Colour? = nil) {
    pieces = [Piece(text: text, colour: colour)]
  }

  static func + (left: ColouredLine, right: ColouredLine) -> ColouredLine {
    var line = left
    line.pieces += right.pieces
    return line
  }

  static func + (left: String, right: ColouredLine) -> ColouredLine { ColouredLine(left) + right }

  static func + (left: ColouredLine, right: String) -> ColouredLine { left + ColouredLine(right) }

  /// The line for output, with control characters made visible, so that the only ones are those of
  /// its colours.
  func text(isColoured: Bool) -> String {
    pieces.map { piece in
      guard isColoured, let colour = piece.colour else { return piece.text.visible }
      return "\u{1b}[\(colour.rawValue)m\(piece.text.visible)\u{1b}[m"
    }.joined()
  }
}

extension ColouredLine: ExpressibleByStringInterpolation {
  /// A line without colours.
  init(stringLiteral text: String) { self.init(text) }
}

/// A colour, by its meaning.
///
/// The raw value selects it on a terminal (ECMA-48).
enum Colour: String {
  case good = "32"
  case doubtful = "33"
  case bad = "31"
  /// Bad, and not to be overlooked.
  case alarming = "1;31"

  /// Whether a stream shows colours: a terminal that can, for a user who wants them (no-color.org).
  static func isShown(on stream: CInt) -> Bool {
    let environment = ProcessInfo.processInfo.environment
    return isatty(stream) == 1 && environment["NO_COLOR", default: ""].isEmpty
      && !["", "dumb"].contains(environment["TERM", default: ""])
  }
}

extension Audit.Verdict {
  var colour: Colour {
    switch self {
    case .healthy: .good
    case .usable, .notAStore: .doubtful
    case .damaged, .unusable: .alarming
    }
  }
}

extension Severity {
  var colour: Colour? {
    switch self {
    case .note: nil
    case .warning: .doubtful
    case .damage: .bad
    }
  }
}

extension ExitStatus {
  /// The colour for reporting this exit status.
  var colour: Colour { self == .warnings ? .doubtful : .bad }
}
