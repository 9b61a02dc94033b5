import BlockIO
import SnapshotKit
import TestSupport
import Testing

/// The ranges that differ are those in which view and origin differ, sector by sector.
@Suite struct SnapshotDiffTests {
  @Test(arguments: UInt64(1)...120)
  func `it equals a comparison of the two, sector by sector`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let made = OddStore.make(seed: seed)
    guard ReferenceDecoder(made.store).verdict == .loads else { return }
    // Some mapped sectors hold what the view holds.
    let (viewed, unreadable) = ReferenceDecoder(made.store).view(of: made.origin)
    var origin = made.origin
    for sector in 0..<origin.count / 512 where random.oneIn(2) {
      origin.put(Array(viewed[sector * 512..<(sector + 1) * 512]), at: sector * 512)
    }
    let source = FaultySource(origin)
    let (diff, changedRanges) = try compare(try SnapshotView(made.store, over: source), source)
    var changed: Set<Int> = []
    for sector in 0..<origin.count / 512 {
      let bytes = sector * 512..<(sector + 1) * 512
      let isLost = unreadable.contains { $0.contains(UInt64(bytes.lowerBound)) }
      if !isLost, viewed[bytes] != origin[bytes] { changed.insert(sector) }
    }
    let ours = changedRanges.flatMap { $0.lowerBound / 512..<$0.upperBound / 512 }
    #expect(Set(ours.map { Int($0) }) == changed)
    #expect(ours.count == changed.count)
    #expect(diff.changedByteCount == UInt64(changed.count * 512))
    #expect(diff.lost.ranges == unreadable)
    for (range, next) in zip(changedRanges, changedRanges.dropFirst()) {
      #expect(range.upperBound < next.lowerBound)
    }
  }

  /// The comparison, and the ranges that it visits.
  private func compare(
    _ view: SnapshotView, _ origin: any BlockSource
  ) throws -> (SnapshotDiff, [Range<UInt64>]) {
    var ranges: [Range<UInt64>] = []
    let diff = try SnapshotDiff(view, origin) { ranges.append($0) }
    #expect(diff.changedRangeCount == UInt64(ranges.count))
    return (diff, ranges)
  }

  @Test func `whole chunks that equal the origin's are counted`() throws {
    let builder = StoreBuilder(chunkSectors: 4, chunkCount: 20).copying([1, 2, 3])
    var origin = Stamp.origin(byteCount: 8 * 2048)
    let store = builder.image()
    origin.put(Array(store[2 * 2048..<3 * 2048]), at: 2048)  // chunk 1: equal
    origin.put(Array(store[3 * 2048..<3 * 2048 + 1536]), at: 4096)  // chunk 2: all but a sector
    let source = FaultySource(origin)
    let (diff, changedRanges) = try compare(try SnapshotView(store, over: source), source)
    #expect(diff.identicalChunkCount == 1)
    #expect(diff.sameByteCount == 2048 + 1536)
    #expect(changedRanges == [5632..<8192])
    #expect(diff.changedByteCount == 2560)
  }

  @Test func `a chunk larger than the window is compared whole`() throws {
    let size: UInt64 = 4 << 20
    let store = FaultySource(
      byteCount: size * 4,
      pieces: [
        (0, Array(StoreBuilder(chunkSectors: 1).image(.chunkSectors(8192)).prefix(16))),
        (size, (0..<2).flatMap { UInt64($0).littleEndianBytes + UInt64($0 + 2).littleEndianBytes }),
        (size * 4 - 512, [1]),
      ])
    let loaded = try LoadedTable(Store(store), reading: .kernel)
    let origin = FaultySource(byteCount: size * 2, pieces: [])
    let (diff, changedRanges) = try compare(
      SnapshotView(of: origin, through: loaded.table, of: store), origin)
    #expect(diff.identicalChunkCount == 1)
    #expect(changedRanges == [size * 2 - 512..<size * 2])
    #expect(diff.sameByteCount == size * 2 - 512)
  }

  @Test func `what cannot be read on either side is lost, not changed`() throws {
    let builder = StoreBuilder(chunkSectors: 4, chunkCount: 20).copying([1, 2])
    let origin = FaultySource(Stamp.origin(byteCount: 8192))
    let store = FaultySource(builder.image())
    let loaded = try LoadedTable(Store(store), reading: .kernel)
    store.unreadable = [2 * 2048..<2 * 2048 + 1]
    origin.unreadable = [2560..<2561, 6000..<6001, 8191..<8192]
    let view = SnapshotView(of: origin, through: loaded.table, of: store)
    let (diff, changedRanges) = try compare(view, origin)
    #expect(diff.lost.ranges == [2048..<3072, 5632..<6144])
    #expect(changedRanges == [3072..<5632])
    #expect(diff.identicalChunkCount == 0)
  }

  @Test func `an empty table differs nowhere and reads nothing`() throws {
    let origin = FaultySource(Stamp.origin(byteCount: 8192))
    let view = try SnapshotView(StoreBuilder(chunkSectors: 4).image(), over: origin)
    let (diff, changedRanges) = try compare(view, origin)
    #expect(changedRanges.isEmpty && diff.lost.isEmpty && diff.sameByteCount == 0)
    #expect(origin.reads.isEmpty)
  }
}
