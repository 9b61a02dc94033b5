import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// Areas speak for their chunk size where they hold exceptions, and file data never does.
@Suite struct GeometryEvidenceTests {
  private func evidence(_ bytes: [UInt8]) -> GeometryEvidence? {
    GeometryEvidence(FaultySource(bytes))
  }

  @Test(arguments: [1, 2, 4, 8, 16, 32, 64, 128])
  func `an area 0 tells its chunk size without a header`(chunkSectors: Int) throws {
    let builder = StoreBuilder(chunkSectors: chunkSectors).copying(5..<15)
    let evidence = try #require(self.evidence(builder.image(.headerZeroed)))
    #expect(evidence.geometry.chunkSize.sectorCount == UInt32(chunkSectors))
    #expect(evidence.exceptionCount == 10)
  }

  @Test(arguments: ChunkSize.all)
  func `every chunk size is looked for`(size: ChunkSize) throws {
    let area = UInt64(9).littleEndianBytes + UInt64(2).littleEndianBytes
    let source = FaultySource(byteCount: size.byteCount * 4, pieces: [(size.byteCount, area)])
    let evidence = try #require(GeometryEvidence(source))
    #expect(evidence.geometry.chunkSize == size)
    #expect(GeometryEvidence(source, excluding: evidence.geometry) == nil)
  }

  @Test func `one exception in chunk 2 is enough, others must be four`() {
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 40)
    #expect(evidence(builder.adding((7, 2)).image(.headerZeroed))?.exceptionCount == 1)
    #expect(evidence(builder.adding((7, 5), (8, 2), (9, 6)).image(.headerZeroed)) == nil)
    #expect(
      evidence(builder.adding((7, 5), (8, 2), (9, 6), (2, 7)).image(.headerZeroed))?
        .exceptionCount == 4)
  }

  @Test(
    arguments: [(7, 1), (7, 40), (7, 1 << 56 | 3), (1 << 48, 3), (7, 258)] as [(UInt64, UInt64)])
  func `an impossible exception speaks against the whole area`(old: UInt64, new: UInt64) throws {
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 40).copying(0..<8)
    let image = builder.image(.exception(slot: 4, old: old, new: new), .headerZeroed)
    #expect(evidence(image) == nil)
    let geometry = StoreGeometry(
      chunkSize: try ChunkSize(sectorCount: 8), byteCount: UInt64(image.count))
    #expect(GeometryEvidence.possibleCount(FaultySource(image), geometry) == 7)
  }

  @Test func `nothing, zeroes, text and noise speak for nothing`() {
    var random = SplitMix64(seed: 9)
    #expect(evidence([]) == nil)
    #expect(evidence([UInt8](repeating: 0, count: 70_000)) == nil)
    #expect(evidence(Stamp.origin(byteCount: 70_000)) == nil)
    #expect(evidence(random.bytes(70_000)) == nil)
  }

  @Test func `what cannot be read is no evidence`() {
    let image = StoreBuilder(chunkSectors: 8).copying(5..<15).image()
    #expect(GeometryEvidence(FaultySource(image, unreadable: [0..<UInt64(image.count)])) == nil)
  }
}
