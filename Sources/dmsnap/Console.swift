import ArgumentParser
import BlockIO
import Foundation

/// Standard output for data, standard error for talk.
enum Console {
  /// A closed pipe becomes an error of the write, not the death of the process.
  static func ignoreClosedPipes() {
    signal(SIGPIPE, SIG_IGN)
  }

  /// Writes text to standard output.
  static func print(_ text: String) throws(Failure) {
    let bytes = Array((text + "\n").utf8)
    let buffer = IOBuffer(byteCount: bytes.count)
    buffer.withMutableBytes(0..<bytes.count) { target in
      for index in target.indices { target[index] = bytes[index] }
    }
    try failing { () throws(BlockIOError) in
      try OutputStream.standardOutput.write(buffer, 0..<bytes.count)
    }
  }

  /// Writes one JSON object to standard output, all of it or nothing.
  static func print(json value: some Encodable) throws(Failure) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let data: Data
    do { data = try encoder.encode(value) } catch {
      preconditionFailure("a report cannot be encoded: \(error)")
    }
    try print(String(decoding: data, as: UTF8.self))
  }

  /// Says something to the person at the terminal.
  static func say(_ text: String) {
    // There is nobody left to tell if standard error is closed.
    FileHandle.standardError.write(Data("\(text)\n".utf8))
  }

  /// Says why the command fails.
  static func report(_ failure: Failure) {
    if let message = failure.message { say("dmsnap: \(message)") }
  }
}
