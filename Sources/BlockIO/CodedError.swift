/// An error that a program can act on: its effect on a run, its kind, and its place.
///
/// The description is one line for people: where, what, and why.
public protocol CodedError: Error, Sendable, CustomStringConvertible {
  /// The exit status of a command that ends because of it.
  var status: ExitStatus { get }
  /// Its kind: stable, for programs. docs/json.md lists the kinds.
  var code: String { get }
  /// The file, or bytes of one, that it concerns, if any.
  var place: ErrorPlace? { get }
}

extension CodedError {
  /// Unknown.
  public var place: ErrorPlace? { nil }
}

/// The exit status of a command; docs/exit-statuses.md is the contract.
public enum ExitStatus: Int32, Sendable {
  /// The result is complete, and nothing is in doubt.
  case allWell = 0
  /// Something is in doubt.
  case warnings = 1
  /// Something is damaged, or the result is incomplete.
  case damage = 2
  /// There is no store, volume or generation of that name.
  case noStore = 3
  /// Refused; nothing was written.
  case refused = 4
  /// Something failed.
  case couldNotFinish = 5

  /// The code of an error that has none of its own.
  package var code: String {
    switch self {
    case .allWell: "ok"
    case .warnings: "in-doubt"
    case .damage: "damage"
    case .noStore: "not-found"
    case .refused: "refused"
    case .couldNotFinish: "could-not-finish"
    }
  }
}

/// A file, and some of its bytes.
public struct ErrorPlace: Equatable, Sendable {
  /// The path, as the user gave it.
  public let path: String
  /// The first byte concerned, if known.
  public let byteOffset: UInt64?
  /// The number of bytes from there, if known.
  public let byteCount: UInt64?

  /// Bytes of a file; of all of it, without them.
  package init(_ path: String, byteOffset: UInt64? = nil, byteCount: UInt64? = nil) {
    (self.path, self.byteOffset, self.byteCount) = (path, byteOffset, byteCount)
  }
}

/// Evaluates an expression; an error that it throws goes through `wrap`.
package func wrapping<Value, Cause: Error, Wrapped: Error>(
  _ wrap: (Cause) -> Wrapped, _ value: @autoclosure () throws(Cause) -> Value
) throws(Wrapped) -> Value {
  do throws(Cause) { return try value() } catch { throw wrap(error) }
}
