import SnapshotFormat
import TestSupport
import Testing

/// The header's four fields are little-endian at bytes 0, 4, 8 and 12, judged by nobody here.
@Suite struct SnapshotHeaderTests {
  static let canonical: [UInt8] = [
    0x53, 0x6e, 0x41, 0x70, 1, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0,
  ]

  private func decode(_ bytes: [UInt8]) -> SnapshotHeader? {
    SnapshotHeader(decoding: bytes.span)
  }

  @Test func `a new header is what Linux writes`() throws {
    let header = SnapshotHeader(chunkSize: try ChunkSize(sectorCount: 8))
    var bytes = [UInt8](repeating: 0xee, count: 20)
    var span = bytes.mutableSpan
    header.encode(into: &span)
    #expect(bytes == Self.canonical + [0xee, 0xee, 0xee, 0xee])
    #expect(header.hasMagic)
  }

  @Test(arguments: 0...16)
  func `fewer than sixteen bytes are no header`(byteCount: Int) {
    let bytes = Array(Self.canonical.prefix(byteCount))
    #expect((decode(bytes) == nil) == (byteCount < 16))
  }

  @Test(arguments: 0..<16)
  func `each byte belongs to one field`(index: Int) throws {
    var bytes = [UInt8](repeating: 0, count: 16)
    bytes[index] = 0x80
    let header = try #require(decode(bytes))
    let value: UInt32 = 0x80 << UInt32(index % 4 * 8)
    let fields = [header.magic, header.valid, header.version, header.chunkSectors]
    #expect(fields == (0..<4).map { $0 == index / 4 ? value : 0 })
  }

  @Test(arguments: 0..<32)
  func `a magic with one bit flipped is no magic`(bit: Int) throws {
    var bytes = Self.canonical
    bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    #expect(try #require(decode(bytes)).hasMagic == false)
  }

  @Test(arguments: UInt64(1)...50)
  func `any sixteen bytes are decoded and encoded again`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let bytes = random.bytes(16)
    let header = try #require(decode(bytes))
    var copy = [UInt8](repeating: 0, count: 16)
    var span = copy.mutableSpan
    header.encode(into: &span)
    #expect(copy == bytes)
    #expect(decode(copy) == header)
  }
}
