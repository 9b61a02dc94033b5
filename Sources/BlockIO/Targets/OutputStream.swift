internal import Glibc
internal import SystemPackage

/// A stream of bytes, written once in order.
public final class OutputStream: Sendable {
  private let descriptor: FileDescriptor
  private let name: String

  /// Standard output.
  public static let standardOutput = OutputStream(.standardOutput, name: "standard output")

  /// Standard error.
  public static let standardError = OutputStream(.standardError, name: "standard error")

  private init(_ descriptor: FileDescriptor, name: String) {
    self.descriptor = descriptor
    self.name = name
  }

  /// Writes a text.
  public func write(_ text: String) throws(BlockIOError) {
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
  public func write(_ buffer: IOBuffer, _ range: Range<Int>) throws(BlockIOError) {
    var done = range.lowerBound
    while done < range.upperBound {
      let bytes = unsafe buffer.memory(done..<range.upperBound)
      let count = unsafe Glibc.write(descriptor.rawValue, bytes.baseAddress, bytes.count)
      if count >= 0 {
        done += count
        continue
      }
      let errno = Errno(rawValue: Glibc.errno)
      if errno == .interrupted { continue }
      throw BlockIOError(name, .write, .system(errno))
    }
  }
}

extension BlockIOError {
  /// Whether the reader of a pipe is gone, which is no failure of ours.
  public var isClosedPipe: Bool { reason == .system(.brokenPipe) }
}
