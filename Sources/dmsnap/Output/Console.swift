import ArgumentParser
import BlockIO
import FoundationEssentials
import Glibc
import Synchronization
import SystemPackage

/// Data goes to stdout, messages to stderr.
enum Console {
  /// Prepares the process for writing.
  ///
  /// A closed pipe, or a limit on the size of files, becomes an error of the write, not the death
  /// of the process. And no file may get the number of a closed standard stream, or messages would
  /// be written to it: those numbers are taken by something that cannot be written.
  static func prepare() {
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    for stream in STDIN_FILENO...STDERR_FILENO where fcntl(stream, F_GETFD) == -1 {
      _ = try? FileDescriptor.open(FilePath("/dev/null"), .readOnly)  // without it, no worse
    }
  }

  /// Writes a line of text to stdout.
  static func print(_ line: String) throws(BlockIOError) { try print(lines: [line]) }

  /// Writes lines of text to stdout.
  static func print(lines: [String]) throws(BlockIOError) {
    try print(lines: lines.map { ColouredLine($0) })
  }

  /// Writes lines for a person to standard output, in colour if it is a terminal.
  static func print(lines: [ColouredLine]) throws(BlockIOError) {
    if lines.isEmpty { return }
    let isColoured = Colour.isShown(on: STDOUT_FILENO)
    let text = lines.map { $0.text(isColoured: isColoured) }.joined(separator: "\n")
    try OutputStream.standardOutput.write(text + "\n")
  }

  /// Writes one JSON object to stdout, complete or not at all.
  ///
  /// - Parameters:
  ///   - failure: The reason if the command fails nevertheless.
  ///   - taken: The run's keys that the report already has.
  static func print(
    json report: some Encodable, _ failure: (any CodedError)? = nil, taken: Set<String> = []
  ) throws(BlockIOError) {
    let text = encoded(JSONResult(report: report, failure: failure, taken: taken))
    noteObject()
    try OutputStream.standardOutput.write(text + "\n")
  }

  /// Writes one JSON object with a list whose members are already text.
  static func print(
    json report: some Encodable, listing key: String, _ members: OutputText
  ) throws(BlockIOError) {
    let text = encoded(JSONResult(report: report, failure: nil))
    noteObject()
    let output = OutputStream.standardOutput
    try output.write(text.dropLast(2) + ",\n  \"\(key)\" : [\n")
    try members.copy(to: output)
    try output.write("\n  ]\n}\n")
  }

  /// Whether the one object has been written to stdout.
  private static let hasPrinted = Mutex(false)

  /// Notes that an object is written.
  static func noteObject() { hasPrinted.withLock { $0 = true } }

  /// The keys of the run, for an object that is written piece by piece.
  static func runKeys(taken: Set<String>) -> String {
    let keys = encoded(JSONResult(report: [String: String](), failure: nil, taken: taken))
    return String(keys.dropFirst(2).dropLast(2))
  }

  /// Readable JSON, with its last brace on a line of its own.
  private static func encoded(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let data: Data
    do { data = try encoder.encode(value) } catch {
      preconditionFailure("a report cannot be encoded: \(error)")
    }
    return String(decoding: data, as: UTF8.self)
  }

  /// Writes a message to stderr, after ending any line of progress.
  static func say(_ line: String) { say(ColouredLine(line)) }

  /// Writes a message with colours to stderr.
  static func say(_ line: ColouredLine) {
    ProgressLine.endShown()
    let text = line.text(isColoured: Colour.isShown(on: STDERR_FILENO))
    // If stderr is closed, there is nowhere to report it.
    try? OutputStream.standardError.write(text + "\n")
  }

  /// Reports why the command fails: as a message, and as a JSON object if none was written yet.
  ///
  /// - Parameter schema: The schema of the command's results, if they are JSON.
  static func report(_ failure: any CodedError, schema: String? = nil) {
    ProgressLine.endShown()
    // The reader of a closed pipe has seen enough.
    if failure.code == "output.closed" { return }
    if let schema, !hasPrinted.withLock({ $0 }) {
      // If stdout is closed, stderr still reports it.
      _ = try? print(json: EmptyReport(schema: schema), failure)
    }
    if !failure.description.isEmpty {
      say(ColouredLine("dmsnap:", failure.status.colour) + " \(failure.description)")
    }
  }
}

extension String {
  /// The string as one line that is safe for a terminal: characters that would move the cursor,
  /// change colours or reverse the text are escaped, whether it comes from a disk's label or from a
  /// file's name.
  var visible: String {
    guard unicodeScalars.contains(where: \.isControl) else { return self }
    return unicodeScalars.reduce(into: "") { text, scalar in
      if !scalar.isControl {
        text.unicodeScalars.append(scalar)
      } else {
        let digits = scalar.value.hexadecimal(digitCount: 2)
        text += scalar.value < 0x80 ? "\\x\(digits)" : "\\u{\(digits)}"
      }
    }
  }
}

extension Unicode.Scalar {
  /// Whether a terminal does something other than show it.
  fileprivate var isControl: Bool {
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate: true
    default: false
    }
  }
}
