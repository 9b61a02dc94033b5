import SnapshotFormat
import Testing

/// Chunks and areas are numbers, and ordered as such over all 64 bits.
@Suite struct ChunkTests {
  static let numbers: [UInt64] = [0, 1, 2, 255, 1 << 32, 1 << 63, .max - 1, .max]

  @Test func `chunks are ordered by their numbers`() {
    #expect(Self.numbers.reversed().map(Chunk.init).sorted().map(\.index) == Self.numbers)
    #expect(!(Chunk(3) < Chunk(3)))
  }

  @Test func `areas are ordered by their numbers`() {
    #expect(Self.numbers.reversed().map(AreaIndex.init).sorted().map(\.index) == Self.numbers)
    #expect(!(AreaIndex(3) < AreaIndex(3)))
  }
}
