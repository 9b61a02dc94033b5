internal import Glibc
package import SystemPackage

/// A destination for bytes, written once and in order.
package protocol ByteSink: AnyObject {
  /// Appends all of `range` of a buffer.
  func write(_ buffer: IOBuffer, _ range: Range<Int>) throws(BlockIOError)
}

/// A stream of bytes, written once in order.
package final class OutputStream: ByteSink, Sendable {
  private let descriptor: FileDescriptor
  private let name: String

  /// Standard output.
  package static let standardOutput = OutputStream(.standardOutput, name: "standard output")

  /// Standard error.
  package static let standardError = OutputStream(.standardError, name: "standard error")

  /// A stream that an open descriptor leads to; it is not closed.
  package init(_ descriptor: FileDescriptor, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  /// Writes a text.
  package func write(_ text: String) throws(BlockIOError) {
    let bytes = text.utf8
    let buffer = IOBuffer(byteCount: bytes.count)
    buffer.withMutableBytes(0..<bytes.count) { target in
      for (index, byte) in bytes.enumerated() { target[index] = byte }
    }
    try write(buffer, 0..<bytes.count)
  }

  /// Writes all of `range` of `buffer`.
  ///
  /// - Throws: With ``BlockIOError/isClosedPipe`` if the reader is gone.
  package func write(_ buffer: IOBuffer, _ range: Range<Int>) throws(BlockIOError) {
    let done = try wrapping(
      { BlockIOError(name, .write, .system($0)) },
      try movingAll(range.count) { done in
        let bytes = unsafe buffer.memory(range.lowerBound + done..<range.upperBound)
        return unsafe Glibc.write(descriptor.rawValue, bytes.baseAddress, bytes.count)
      })
    guard done == range.count else { throw BlockIOError(name, .write, .system(.ioError)) }
  }
}

extension BlockIOError {
  /// Whether the reader of a pipe is gone, which is no failure of ours.
  package var isClosedPipe: Bool { reason == .system(.brokenPipe) }
}
