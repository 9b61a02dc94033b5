import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// Areas speak for their chunk size where they hold exceptions, and file data never does.
@Suite struct ChunkSizeEvidenceTests {
  private func best(_ bytes: [UInt8]) -> ChunkSizeEvidence.Score? {
    ChunkSizeEvidence(FaultySource(bytes)).best
  }

  @Test(arguments: [1, 2, 4, 8, 16, 32, 64, 128])
  func `areas tell their chunk size without a header`(chunkSectors: Int) throws {
    let builder = StoreBuilder(chunkSectors: chunkSectors).copying(5..<15)
    let best = try #require(self.best(builder.image(.headerZeroed)))
    #expect(best.chunkSize.sectorCount == UInt32(chunkSectors))
    #expect(best.exceptionCount == 10)
    #expect(best.areaCount == 1)
  }

  @Test(arguments: ChunkSize.all)
  func `every chunk size is looked for`(size: ChunkSize) throws {
    let area = UInt64(9).littleEndianBytes + UInt64(2).littleEndianBytes
    let source = FaultySource(byteCount: size.byteCount * 4, pieces: [(size.byteCount, area)])
    let evidence = ChunkSizeEvidence(source)
    #expect(evidence.best?.chunkSize == size)
    #expect(evidence.rival == nil)
  }

  @Test(arguments: [1, 2, 8])
  func `areas behind a lost first one are enough`(chunkSectors: Int) throws {
    let builder = StoreBuilder(chunkSectors: chunkSectors)
    let store = builder.copying(0..<builder.exceptionsPerArea * 3).image(
      .headerZeroed, .zeroChunk(1))
    #expect(best(store)?.chunkSize.sectorCount == UInt32(chunkSectors))
  }

  @Test func `one exception in chunk 2 is enough, others must be four in a row`() {
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 40)
    #expect(best(builder.adding((7, 2)).image(.headerZeroed))?.exceptionCount == 1)
    #expect(best(builder.adding((7, 5), (8, 6), (9, 7)).image(.headerZeroed)) == nil)
    #expect(
      best(builder.adding((7, 5), (8, 6), (9, 7), (2, 8)).image(.headerZeroed))?.exceptionCount
        == 4)
  }

  @Test(
    arguments: [(7, 1), (7, 40), (7, 1 << 56 | 3), (1 << 60, 3), (7, 258)] as [(UInt64, UInt64)])
  func `an exception out of its place is not counted, its neighbours are`(old: UInt64, new: UInt64)
  {
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 40).copying(0..<9)
    let image = builder.image(.exception(slot: 4, old: old, new: new), .headerZeroed)
    #expect(best(image)?.exceptionCount == 8)
  }

  @Test func `a table in area 0 outweighs a longer one behind`() {
    let old = StoreBuilder(chunkSectors: 1).copying(0..<320).image()
    let new = StoreBuilder(chunkSectors: 2, chunkCount: 10).copying(0..<5).image(.headerZeroed)
    var both = old
    both.put(new, at: 0)
    let evidence = ChunkSizeEvidence(FaultySource(both))
    #expect(evidence.best?.chunkSize.sectorCount == 2)
    #expect(evidence.rival?.chunkSize.sectorCount == 1)
  }

  @Test func `nothing, zeroes, text and noise speak for nothing`() {
    var random = SplitMix64(seed: 9)
    #expect(best([]) == nil)
    #expect(best([UInt8](repeating: 0, count: 70_000)) == nil)
    #expect(best(Stamp.origin(byteCount: 70_000)) == nil)
    #expect(best(random.bytes(70_000)) == nil)
    #expect(best((0..<9000).flatMap { UInt64($0).littleEndianBytes }) == nil)
  }

  @Test func `what cannot be read is no evidence`() {
    let image = StoreBuilder(chunkSectors: 8).copying(5..<15).image()
    let source = FaultySource(image, unreadable: [0..<UInt64(image.count)])
    #expect(ChunkSizeEvidence(source).best == nil)
  }
}
