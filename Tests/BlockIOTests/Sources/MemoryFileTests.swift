import BlockIO
import SystemPackage
import Testing

/// A sparse file in memory.
///
/// - It holds what was put there, and zeroes elsewhere, at any length.
/// - It never becomes longer than it was made.
@Suite struct MemoryFileTests {
  @Test func `a file of 8 EiB less one byte is nothing but a hole`() throws {
    let file = try MemoryFile(name: "hole", byteCount: UInt64(Int64.max))
    #expect(file.byteCount == UInt64(Int64.max))
    #expect(try file.nextData(from: 0) == nil)
  }

  @Test func `a file longer than that is refused`() {
    #expect(throws: BlockIOError("long", .create, .system(.fileTooLarge))) {
      try MemoryFile(name: "long", byteCount: 1 << 63)
    }
  }

  @Test func `what is written is read again, and zeroes around it`() throws {
    let file = try MemoryFile(name: "file", byteCount: 1 << 40)
    let buffer = IOBuffer(byteCount: 4096)
    buffer.withMutableBytes(0..<4) { bytes in for index in 0..<4 { bytes[index] = 7 } }
    try file.write(at: 1 << 39, from: buffer, 0..<4)
    try file.flush()
    try file.read(at: 1 << 39 - 2, into: buffer, 0..<8)
    let bytes = buffer.withBytes(0..<8) { bytes in bytes.indices.map { bytes[$0] } }
    #expect(bytes == [0, 0, 7, 7, 7, 7, 0, 0])
    #expect(try file.nextData(from: 0)?.contains(1 << 39) == true)
  }

  @Test func `it never becomes longer`() throws {
    let file = try MemoryFile(name: "file", byteCount: 100)
    let buffer = IOBuffer(byteCount: 10)
    #expect(throws: BlockIOError("file", .write, .beyondEnd(byteCount: 100), at: 95..<105)) {
      try file.write(at: 95, from: buffer, 0..<10)
    }
    #expect(file.byteCount == 100)
  }

  @Test func `a copy stands where it stood, and zeroes stay a hole`() throws {
    var content = [UInt8](repeating: 0, count: 1 << 20)
    content[700_000] = 1
    let file = try MemoryFile(name: "copy", byteCount: 1 << 20)
    #expect(try file.copy(0..<1 << 20, of: MemorySource(content)).isEmpty)
    let data = try #require(try file.nextData(from: 0))
    #expect(data.contains(700_000))
    #expect(data.count <= 64 << 10)
    #expect(try file.nextData(from: data.upperBound) == nil)
  }
}
