import BlockIO
import SnapshotFormat
import SnapshotKit
import TestSupport
import Testing

/// A walk visits each area once and in order, up to the one that ends the table, on any input.
@Suite struct StoreScannerTests {
  private struct Visit: Equatable {
    var area: UInt64
    var firstSlot: Int
    var liveCount: Int
    var count: Int
  }

  private func scan(_ source: FaultySource, _ size: ChunkSize) -> (TableExtent, [Visit]) {
    var visits: [Visit] = []
    let geometry = StoreGeometry(chunkSize: size, byteCount: source.byteCount)
    let extent = StoreScanner(source, geometry).scan { piece, exceptions in
      visits.append(
        Visit(
          area: piece.area.index, firstSlot: piece.firstSlot, liveCount: piece.liveCount,
          count: exceptions.count))
    }
    return (extent, visits)
  }

  @Test(
    arguments: [
      (0, [0]), (1, [1]), (31, [31]), (32, [32, 0]), (33, [32, 1]), (70, [32, 32, 6]),
    ] as [(Int, [Int])])
  func `a full area is followed by the next, any other is the last`(
    count: Int, live: [Int]
  ) throws {
    let builder = StoreBuilder(chunkSectors: 1).copying(0..<count)
    let source = FaultySource(builder.image())
    let (extent, visits) = scan(source, try ChunkSize(sectorCount: 1))
    #expect(visits.map(\.liveCount) == live)
    #expect(visits.map(\.area) == (0..<live.count).map(UInt64.init))
    #expect(visits.allSatisfy { $0.firstSlot == 0 && $0.count == 32 })
    #expect(extent.exceptionCount == UInt64(count))
    #expect(extent.areaCount == UInt64(live.count))
    #expect(
      extent.end == .terminator(AreaIndex(UInt64(live.count - 1)), slot: live.last ?? 0))
    let areas = live.indices.map { UInt64(builder.chunk(ofArea: $0)) * 512 }
    #expect(source.reads == areas.map { $0..<$0 + 512 })
  }

  /// An area of 2 MiB comes in two pieces of 65536 slots.
  @Test(arguments: [0, 1, 65535, 65536, 65537, 131071, 131072])
  func `a large area comes in pieces, all of them`(count: Int) throws {
    let size = try ChunkSize(sectorCount: 4096)
    let area: [UInt8] = (0..<count).flatMap { slot in
      UInt64(slot).littleEndianBytes + UInt64(slot + 2).littleEndianBytes
    }
    let source = FaultySource(
      byteCount: size.byteCount * 2, pieces: [(size.byteCount, area)])
    let (extent, visits) = scan(source, size)
    #expect(
      visits == [
        Visit(area: 0, firstSlot: 0, liveCount: min(count, 65536), count: 65536),
        Visit(area: 0, firstSlot: 65536, liveCount: max(0, count - 65536), count: 65536),
      ])
    #expect(extent.exceptionCount == UInt64(count))
    #expect(
      extent.end
        == (count == 131072 ? .beyondEnd(AreaIndex(1)) : .terminator(AreaIndex(0), slot: count)))
    #expect(source.hasReadEachByteAtMostOnce)
  }

  @Test func `what stands behind the terminator's slot is shown, but is not alive`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying(0..<5)
    let source = FaultySource(builder.image(.exception(slot: 2, old: 77, new: 0)))
    let (extent, visits) = scan(source, try ChunkSize(sectorCount: 1))
    #expect(visits.map(\.liveCount) == [2])
    #expect(extent.end == .terminator(AreaIndex(0), slot: 2))
  }

  @Test(arguments: [34, 33])
  func `when all areas are full the table goes on beyond the end`(chunkCount: Int) throws {
    let image = StoreBuilder(chunkSectors: 1).copying(0..<32).sized(34).image()
    let source = FaultySource(Array(image.prefix(chunkCount * 512)))
    let (extent, _) = scan(source, try ChunkSize(sectorCount: 1))
    #expect(extent.end == .beyondEnd(AreaIndex(1)))
    #expect(extent.exceptionCount == 32)
    #expect(!extent.isTerminated)
  }

  @Test func `an area that lies partly in the store is beyond its end`() throws {
    let image = StoreBuilder(chunkSectors: 2).copying(0..<64).sized(66, extra: 512).image()
    let (extent, _) = scan(FaultySource(image), try ChunkSize(sectorCount: 2))
    #expect(extent.end == .beyondEnd(AreaIndex(1)))
  }

  @Test func `an area that cannot be read ends the walk there`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying(0..<40)
    let area = UInt64(builder.chunk(ofArea: 1)) * 512
    let source = FaultySource(builder.image(), unreadable: [area + 17..<area + 18])
    let (extent, visits) = scan(source, try ChunkSize(sectorCount: 1))
    guard case .unreadable(let index, let error) = extent.end else {
      Issue.record("ended with \(extent.end)")
      return
    }
    #expect(index == AreaIndex(1))
    #expect(error.byteRange == area..<area + 512)
    #expect(visits.map(\.area) == [0])
    #expect(extent.exceptionCount == 32)
  }

  struct Stop: Error {}

  @Test func `a visitor's error ends the walk`() throws {
    let source = FaultySource(StoreBuilder(chunkSectors: 1).copying(0..<70).image())
    let geometry = StoreGeometry(
      chunkSize: try ChunkSize(sectorCount: 1), byteCount: source.byteCount)
    #expect(throws: Stop.self) {
      _ = try StoreScanner(source, geometry).scan { (piece, _) throws(Stop) in
        if piece.area.index == 1 { throw Stop() }
      }
    }
    #expect(source.reads.count == 2)
  }

  /// No terminator is likely in random bytes, so that these walks go through the whole store.
  @Test(arguments: UInt64(1)...30)
  func `random bytes are walked once and never trap`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let source = FaultySource(random.bytes(random.below(40_000)))
    for size in ChunkSize.all.prefix(8) {
      source.forgetReads()
      let (extent, visits) = scan(source, size)
      #expect(source.hasReadEachByteAtMostOnce)
      #expect(extent.areaCount == UInt64(visits.count))
      #expect(extent.exceptionCount == visits.reduce(0) { $0 + UInt64($1.liveCount) })
    }
  }

  @Test(arguments: UInt64(1)...60)
  func `mutated stores are walked once and never trap`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let builder = StoreBuilder(chunkSectors: 1).copying(0..<random.below(100))
    let source = FaultySource(builder.image(.flippedBits(40, seed: seed)))
    let (extent, visits) = scan(source, try ChunkSize(sectorCount: 1))
    #expect(source.hasReadEachByteAtMostOnce)
    #expect(extent.areaCount == UInt64(visits.count))
  }

  @Test(arguments: ChunkSize.all)
  func `an empty store of every chunk size ends at its first slot`(size: ChunkSize) {
    let source = FaultySource(byteCount: size.byteCount * 3, pieces: [])
    let (extent, _) = scan(source, size)
    #expect(extent.end == .terminator(AreaIndex(0), slot: 0))
    #expect(extent.nextFree == Chunk(2))
    #expect(source.hasReadEachByteAtMostOnce)
  }
}
