import ArgumentParser
import BlockIO
import FoundationEssentials
import Glibc
import Synchronization
import SystemPackage

/// Standard output for data, standard error for talk.
enum Console {
  /// Makes the process safe to write from.
  ///
  /// A closed pipe, or a limit on the length of files, becomes an error of the write, not the death
  /// of the process. And what we open must never get the number of a closed standard stream, or
  /// messages would go into it: those are taken by something that cannot be written.
  static func prepare() {
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    for stream in STDIN_FILENO...STDERR_FILENO where fcntl(stream, F_GETFD) == -1 {
      _ = try? FileDescriptor.open(FilePath("/dev/null"), .readOnly)  // without it, no worse
    }
  }

  /// Writes a line for a person to standard output.
  static func print(_ line: String) throws(Failure) { try print(lines: [line]) }

  /// Writes lines for a person to standard output.
  static func print(lines: [String]) throws(Failure) {
    try print(lines: lines.map { ColouredLine($0) })
  }

  /// Writes lines for a person to standard output, in colour if it is a terminal.
  static func print(lines: [ColouredLine]) throws(Failure) {
    if lines.isEmpty { return }
    let isColoured = Colour.isShown(on: STDOUT_FILENO)
    let text = lines.map { $0.text(isColoured: isColoured) }.joined(separator: "\n")
    try failing { () throws(BlockIOError) in try OutputStream.standardOutput.write(text + "\n") }
  }

  /// Writes one JSON object to standard output, all of it or nothing.
  ///
  /// - Parameters:
  ///   - failure: Why the command fails all the same, if it does.
  ///   - taken: Which of the run's keys the report has itself.
  static func print(
    json report: some Encodable, _ failure: Failure? = nil, taken: Set<String> = []
  ) throws(Failure) {
    let text = encoded(JSONResult(report: report, failure: failure, taken: taken))
    noteObject()
    try failing { () throws(BlockIOError) in try OutputStream.standardOutput.write(text + "\n") }
  }

  /// Writes one JSON object, to which a list is added whose members are text already.
  static func print(
    json report: some Encodable, listing key: String, _ members: OutputText
  ) throws(Failure) {
    let text = encoded(JSONResult(report: report, failure: nil))
    noteObject()
    try failing { () throws(BlockIOError) in
      let output = OutputStream.standardOutput
      try output.write(text.dropLast(2) + ",\n  \"\(key)\" : [\n")
      try members.copy(to: output)
      try output.write("\n  ]\n}\n")
    }
  }

  /// Whether an object has gone to standard output, of which there is one.
  private static let hasPrinted = Mutex(false)

  /// Notes that one goes there.
  static func noteObject() { hasPrinted.withLock { $0 = true } }

  /// The keys of the run, as a part of an object that is written piece by piece.
  static func runKeys(taken: Set<String>) -> String {
    let keys = encoded(JSONResult(report: [String: String](), failure: nil, taken: taken))
    return String(keys.dropFirst(2).dropLast(2))
  }

  /// JSON for people to read as well; it ends with a line of its own for the last brace.
  private static func encoded(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let data: Data
    do { data = try encoder.encode(value) } catch {
      preconditionFailure("a report cannot be encoded: \(error)")
    }
    return String(decoding: data, as: UTF8.self)
  }

  /// Says a line to the person at the terminal, behind a line of progress that is shown there.
  static func say(_ line: String) { say(ColouredLine(line)) }

  /// The same of a line that has colours.
  static func say(_ line: ColouredLine) {
    ProgressLine.endShown()
    let text = line.text(isColoured: Colour.isShown(on: STDERR_FILENO))
    // There is nobody left to tell if standard error is closed.
    try? OutputStream.standardError.write(text + "\n")
  }

  /// Says why the command fails: to a person always, and to a program that has no object yet.
  ///
  /// - Parameter schema: That of the command's results, where they are JSON.
  static func report(_ failure: Failure, schema: String? = nil) {
    ProgressLine.endShown()
    if let schema, !hasPrinted.withLock({ $0 }), failure.code != "output.closed" {
      // Standard error still says it where nobody reads standard output any more.
      _ = try? print(json: EmptyReport(schema: schema), failure)
    }
    if let message = failure.message {
      say(ColouredLine("dmsnap:", failure.status.colour) + " \(message)")
    }
  }
}

extension String {
  /// The string as a terminal shows it as one line: what would move its cursor, change its colours
  /// or turn its text around is escaped, be it from a label on a disk or from a file's name.
  var visible: String {
    guard unicodeScalars.contains(where: \.isControl) else { return self }
    return unicodeScalars.reduce(into: "") { text, scalar in
      if !scalar.isControl {
        text.unicodeScalars.append(scalar)
      } else {
        let digits = String(scalar.value, radix: 16)
        text +=
          scalar.value < 0x80
          ? "\\x\(digits.count < 2 ? "0" : "")\(digits)" : "\\u{\(digits)}"
      }
    }
  }
}

extension Unicode.Scalar {
  /// Whether terminals do something else with it than show it.
  fileprivate var isControl: Bool {
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate: true
    default: false
    }
  }
}
