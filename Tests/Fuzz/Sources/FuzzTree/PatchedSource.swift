import BlockIO
import FileSystemFormat

/// An image of a file system, and which of its sectors hold anything.
final class BaseImage: Sendable {
  static let blockByteCount = 4096

  let bytes: [UInt8]
  /// The blocks that are not all zeroes.
  let blocks: [Int]

  init(_ path: String) throws {
    let file = try FileSource(path: .init(path))
    let buffer = IOBuffer(byteCount: Int(file.byteCount))
    try file.read(at: 0, into: buffer, 0..<buffer.byteCount)
    bytes = buffer.bytes(0..<buffer.byteCount)
    blocks = stride(from: 0, to: bytes.count - Self.blockByteCount + 1, by: Self.blockByteCount)
      .filter { [bytes] in bytes[$0..<$0 + Self.blockByteCount].contains { $0 != 0 } }
  }
}
