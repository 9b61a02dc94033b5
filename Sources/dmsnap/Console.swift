import ArgumentParser
import BlockIO
import FoundationEssentials
import Glibc
import SystemPackage

/// Standard output for data, standard error for talk.
enum Console {
  /// Makes the process safe to write from.
  ///
  /// A closed pipe, or a limit on the length of files, becomes an error of the write, not the death of
  /// the process. And what we open
  /// must never get the number of a closed standard stream, or messages would go into it: those
  /// are taken by something that cannot be written.
  static func prepare() {
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    for stream in STDIN_FILENO...STDERR_FILENO where fcntl(stream, F_GETFD) == -1 {
      _ = try? FileDescriptor.open(FilePath("/dev/null"), .readOnly)  // without it, no worse
    }
  }

  /// Writes text to standard output.
  static func print(_ text: String) throws(Failure) {
    try failing { () throws(BlockIOError) in try OutputStream.standardOutput.write(text + "\n") }
  }

  /// Writes one JSON object to standard output, all of it or nothing.
  static func print(json value: some Encodable) throws(Failure) { try print(encoded(value)) }

  /// Writes one JSON object, to which a list is added whose members are text already.
  static func print(
    json value: some Encodable, listing key: String, _ members: OutputText
  ) throws(Failure) {
    try failing { () throws(BlockIOError) in
      let output = OutputStream.standardOutput
      try output.write(encoded(value).dropLast(2) + ",\n  \"\(key)\" : [\n")
      try members.copy(to: output)
      try output.write("\n  ]\n}\n")
    }
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

  /// Says something to the person at the terminal.
  static func say(_ text: String) {
    // There is nobody left to tell if standard error is closed.
    try? OutputStream.standardError.write(text + "\n")
  }

  /// Says why the command fails.
  static func report(_ failure: Failure) {
    if let message = failure.message { say("dmsnap: \(message)") }
  }
}
