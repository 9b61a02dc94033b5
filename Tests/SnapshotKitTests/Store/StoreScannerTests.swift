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

  private func scan(_ source: FaultySource, _ size: ChunkSize) -> (TableSummary, [Visit]) {
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

  // MARK: - Tables that are large enough to be read ahead

  /// A store of 512-byte chunks, 32 exceptions an area: so many full areas, and one with so many.
  private struct Large {
    var areaCount: Int
    var lastLive = 0
    /// How many areas, full of exceptions, stand behind the table.
    var behindCount = 0

    static func range(ofArea area: Int) -> Range<UInt64> {
      let start = UInt64(1 + area * 33) * 512
      return start..<start + 512
    }

    func source(cutBehindArea last: Int? = nil) -> FaultySource {
      let end = Self.range(ofArea: last ?? areaCount + behindCount).upperBound
      var pieces: [(byteOffset: UInt64, bytes: [UInt8])] = []
      for area in 0...areaCount + behindCount {
        var bytes: [UInt8] = []
        for slot in 0..<(area == areaCount ? lastLive : 32) {
          bytes += UInt64(area * 32 + slot).littleEndianBytes
          bytes += UInt64(2 + area * 33 + slot).littleEndianBytes
        }
        pieces.append((Self.range(ofArea: area).lowerBound, bytes))
      }
      return FaultySource(byteCount: end, pieces: pieces)
    }
  }

  /// Before, at and behind each place where reading ahead begins, or a batch ends.
  private static let places = [1, 2, 3, 62, 63, 64, 65, 66, 127, 128, 129, 191, 192, 193, 256, 300]

  private let sector = ChunkSize.all[0]

  @Test(arguments: places, [0, 1, 31])
  func `a large table is read up to the terminator's area and no further`(
    areaCount: Int, lastLive: Int
  ) {
    let source = Large(areaCount: areaCount, lastLive: lastLive, behindCount: 200).source()
    // What lies behind the table, and cannot be read, is no matter of the table's.
    source.unreadable = [Large.range(ofArea: areaCount + 1), Large.range(ofArea: areaCount + 2)]
    let (extent, visits) = scan(source, sector)
    #expect(visits.map(\.area) == (0...UInt64(areaCount)).map { $0 })
    #expect(visits.map(\.liveCount) == Array(repeating: 32, count: areaCount) + [lastLive])
    #expect(visits.allSatisfy { $0.firstSlot == 0 && $0.count == 32 })
    #expect(extent.end == .terminator(AreaIndex(UInt64(areaCount)), slot: lastLive))
    #expect(extent.areaCount == UInt64(areaCount) + 1)
    #expect(extent.exceptionCount == UInt64(areaCount * 32 + lastLive))
    #expect(source.reads == (0...areaCount).map(Large.range(ofArea:)))
  }

  @Test(arguments: places)
  func `an area of a large table that cannot be read ends it there`(bad: Int) {
    let source = Large(areaCount: 300).source()
    let byte = Large.range(ofArea: bad).lowerBound + 511
    source.unreadable = [byte..<byte + 1]
    let (extent, visits) = scan(source, sector)
    guard case .unreadable(let area, let error) = extent.end else {
      Issue.record("ended with \(extent.end)")
      return
    }
    #expect(area == AreaIndex(UInt64(bad)))
    #expect(error.byteRange == Large.range(ofArea: bad))
    #expect(visits.map(\.area) == (0..<UInt64(bad)).map { $0 })
    #expect(visits.allSatisfy { $0.liveCount == 32 })
    #expect(extent.areaCount == UInt64(bad) && extent.exceptionCount == UInt64(bad * 32))
    #expect(source.reads == (0...bad).map(Large.range(ofArea:)))
  }

  @Test(arguments: places)
  func `a large table goes on beyond the end of a store that was cut`(areaCount: Int) {
    let source = Large(areaCount: 400).source(cutBehindArea: areaCount - 1)
    let (extent, visits) = scan(source, sector)
    #expect(extent.end == .beyondEnd(AreaIndex(UInt64(areaCount))))
    #expect(visits.count == areaCount && extent.areaCount == UInt64(areaCount))
    #expect(source.hasReadEachByteAtMostOnce)
    #expect(source.announced.allSatisfy { $0.upperBound <= source.byteCount })
  }

  @Test(arguments: places)
  func `a visitor's error ends the walk over a large table soon`(stop: Int) {
    let source = Large(areaCount: 2000).source()
    let geometry = StoreGeometry(chunkSize: sector, byteCount: source.byteCount)
    var visitCount = 0
    #expect(throws: Stop.self) {
      _ = try StoreScanner(source, geometry).scan { (piece, _) throws(Stop) in
        if piece.area.index == UInt64(stop) { throw Stop() }
        visitCount += 1
      }
    }
    #expect(visitCount == stop)
    #expect(source.reads.count <= stop + 5 * 64)
  }

  @Test(arguments: [0] + places)
  func `the medium is told of areas once, in order, not far ahead of what was read`(
    areaCount: Int
  ) {
    let source = Large(areaCount: areaCount, behindCount: 1000).source()
    _ = scan(source, sector)
    let firstAnnounced = 2
    #expect(
      source.announced
        == source.announced.indices.map { Large.range(ofArea: firstAnnounced + $0) })
    let lastAnnounced = firstAnnounced + source.announced.count - 1
    #expect(lastAnnounced <= min(2 * source.reads.count, source.reads.count + 2 * 64))
    if areaCount > 130 { #expect(source.announced.count >= areaCount) }
  }

  @Test func `only the beginning of a very large area is announced`() throws {
    let size = try ChunkSize(sectorCount: 4096)
    var full: [UInt8] = []
    for slot in UInt64(0)..<131072 {
      full += slot.littleEndianBytes
      full += (slot + 2).littleEndianBytes
    }
    let stride = size.areaStride * size.byteCount
    let source = FaultySource(
      byteCount: stride * 3, pieces: [(size.byteCount, full), (size.byteCount + stride, full)])
    let (extent, visits) = scan(source, size)
    #expect(extent.end == .terminator(AreaIndex(2), slot: 0))
    #expect(visits.map(\.liveCount) == [65536, 65536, 65536, 65536, 0, 0])
    #expect(visits.map(\.firstSlot) == [0, 65536, 0, 65536, 0, 65536])
    let third = size.byteCount + 2 * stride
    #expect(source.announced == [third..<third + 1 << 20])
    #expect(source.hasReadEachByteAtMostOnce)
  }
}
