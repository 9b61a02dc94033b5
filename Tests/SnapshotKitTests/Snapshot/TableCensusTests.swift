import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// Every exception is checked, and those that are possible and unique are counted.
@Suite struct TableCensusTests {
  private func census(
    _ builder: StoreBuilder, originChunkCount: UInt64? = nil
  ) throws -> (TableCensus, TableSummary) {
    let store = Store(builder.image())
    let geometry = try #require(store.geometry)
    var census = TableCensus(geometry, originChunkCount: originChunkCount)
    let extent = StoreScanner(store.source, geometry).scan { census.visit($0, $1) }
    return (census, extent)
  }

  /// How many of each kind there are; small tables are implausible soon, which is tested apart.
  private func counts(_ census: TableCensus) -> [FindingCode: UInt64] {
    Dictionary(uniqueKeysWithValues: census.findings().map { ($0.code, $0.count) })
      .filter { $0.key != .areaImplausible }
  }

  @Test func `thousands of a kind are one finding, with a count and ranges`() throws {
    var builder = StoreBuilder(chunkSectors: 8, chunkCount: 300)
    builder.exceptions = (0..<256).map { StoreBuilder.Exception(UInt64($0), 1_000_000) }
    builder = builder.copying([7])
    let (census, _) = try census(builder)
    let finding = try #require(census.findings().first { $0.code == .newBeyondEnd })
    #expect(finding.count == 256)
    #expect(finding.ranges == [4096..<8192])
    #expect(finding.place.slot == 0)
    #expect(census.usableCount == 0)  // 7 is a duplicate
    #expect(counts(census)[.oldDuplicate] == 1)
  }

  @Test func `duplicates are found in whatever order they come`() throws {
    let (census, _) = try census(
      StoreBuilder(chunkSectors: 1, chunkCount: 60)
        .adding((1, 2), (2, 3), (1, 4), (1, 5), (9, 3), (10, 2)))
    #expect(counts(census) == [.oldDuplicate: 2, .newDuplicate: 2, .outOfOrder: 2])
    #expect(census.usableCount == 2)
    #expect(census.lastOld == 2)
  }

  @Test func `an origin's end is where its last chunk is`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying([5, 7, 6])
    #expect(counts(try census(builder, originChunkCount: 8).0) == [:])
    let (census, _) = try census(builder, originChunkCount: 6)
    #expect(counts(census) == [.oldBeyondOrigin: 2])
    #expect(census.neededOriginChunkCount == 8)
    #expect(census.usableCount == 1)
    #expect(census.lastOld == 5)
  }

  @Test func `a wild old chunk does not ask for a larger origin`() throws {
    let (census, _) = try census(
      StoreBuilder(chunkSectors: 1, chunkCount: 60).adding((1 << 50, 2)), originChunkCount: 6)
    #expect(counts(census) == [.oldBeyondOrigin: 1])
    #expect(census.neededOriginChunkCount == 0)
  }

  @Test func `a wild new chunk does not ask for a larger store, a near one does`() throws {
    let wild = try census(StoreBuilder(chunkSectors: 1, chunkCount: 60).adding((1, 1 << 50))).0
    #expect(wild.neededChunkCount == 0)
    let near = try census(StoreBuilder(chunkSectors: 1, chunkCount: 60).adding((1, 75), (2, 70))).0
    #expect(near.neededChunkCount == 76)
    #expect(counts(near)[.newBeyondEnd] == 2)
  }

  @Test(arguments: UInt64(1)...60)
  func `leaked chunks are the data chunks that no exception names`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var builder = StoreBuilder(chunkSectors: 1, chunkCount: 120)
    var used: Set<UInt64> = []
    for old in 0..<random.below(60) {
      let new = UInt64(random.below(100))
      if new < 2 || new % 33 == 1 || !used.insert(new).inserted { continue }
      builder = builder.adding((UInt64(old), new))
    }
    let (census, extent) = try census(builder)
    let (count, ranges) = census.leakedChunks(below: extent.nextFree)
    let expected = (UInt64(2)..<max(2, extent.nextFree.index)).filter {
      $0 % 33 != 1 && !used.contains($0)
    }
    #expect(ranges.flatMap { $0 } == expected)
    #expect(count == UInt64(expected.count))
  }

  @Test func `an area of which half is possible is plausible`() throws {
    let half = StoreBuilder(chunkSectors: 1, chunkCount: 60).adding((1, 2), (2, 1 << 40))
    #expect(!(try census(half).0.findings().contains { $0.code == .areaImplausible }))
    let less = half.adding((3, 1 << 41))
    #expect(try census(less).0.findings().contains { $0.code == .areaImplausible })
  }

  @Test
  func `an origin that is too short does not speak against an area`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying([5, 7, 6])
    let (census, _) = try census(builder, originChunkCount: 6)
    #expect(!census.findings().contains { $0.code == .areaImplausible })
  }

  @Test(arguments: UInt64(0)...4)
  func `what stands behind the end of the table is a hole if it is not zero`(count: UInt64) throws {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 60).copying(0..<3)
    var image = builder.image()
    for index in 0..<count {
      // Old chunk without new, new without old, and both.
      let pair = [(5, 0), (0, 9), (5, 9)][Int(index % 3)] as (UInt64, UInt64)
      Damage.exception(slot: 5 + 2 * Int(index), old: pair.0, new: pair.1)
        .apply(to: &image, of: builder)
    }
    let store = Store(image)
    var census = TableCensus(try #require(store.geometry), originChunkCount: nil)
    _ = StoreScanner(store.source, try #require(store.geometry)).scan { census.visit($0, $1) }
    #expect(counts(census)[.areaHole] == (count == 0 ? nil : count))
  }

  /// What a census has to find, exception by exception.
  private struct Expected {
    var counts: [FindingCode: UInt64] = [:]
    var usableCount: UInt64 = 0
    var lastOld: UInt64 = 0

    init(_ builder: StoreBuilder, originChunkCount: UInt64) {
      let (wholeCount, stride) = (
        UInt64(builder.wholeChunkCount), UInt64(builder.exceptionsPerArea + 1)
      )
      var (olds, news, before) = (Set<UInt64>(), Set<UInt64>(), UInt64(0))
      for exception in builder.exceptions {
        let (old, new) = (exception.old, exception.new)
        let number = new & (1 << 56 - 1)
        let isPlaced = new > 1 && new < wholeCount && new % stride != 1
        let isNewOld = olds.insert(old).inserted
        let isNewNew = isPlaced && news.insert(new).inserted
        if isNewOld, isNewNew, old < originChunkCount {
          usableCount += 1
          lastOld = max(lastOld, old)
        }
        var codes: [FindingCode] = []
        if new != number { codes.append(.topByte) }
        if number == 0 {
          codes.append(.newInHeader)
        } else if number >= wholeCount {
          codes.append(.newBeyondEnd)
        } else if number % stride == 1 {
          codes.append(.newInMetadata)
        } else if isPlaced, !isNewNew {
          codes.append(.newDuplicate)
        }
        if old >= originChunkCount { codes.append(.oldBeyondOrigin) }
        if !isNewOld { codes.append(.oldDuplicate) }
        if new < before, isPlaced { codes.append(.outOfOrder) }
        before = new
        for code in codes { counts[code, default: 0] += 1 }
      }
    }
  }

  @Test(arguments: UInt64(1)...80)
  func `what is wrong is found wherever it stands among sound exceptions`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let chunkSectors = [1, 2, 8].randomElement(using: &random) ?? 8
    let count = random.below(900)
    let olds = (0..<count).shuffled(using: &random)
    var builder = StoreBuilder(chunkSectors: chunkSectors).copying(olds)
    for _ in 0..<random.below(seed % 2 == 0 ? 4 : 200) where count > 0 {
      let (slot, other) = (random.below(count), random.below(count))
      switch random.below(8) {
      case 0: builder.exceptions[slot].old = builder.exceptions[other].old
      case 1: builder.exceptions[slot].new = builder.exceptions[other].new
      case 2: builder.exceptions.swapAt(slot, other)
      case 3: builder.exceptions[slot].new = UInt64(builder.chunk(ofArea: random.below(4)))
      case 4: builder.exceptions[slot].new |= UInt64(1 + random.below(255)) << 56
      case 5: builder.exceptions[slot].old = random.next() >> UInt64(random.below(64))
      case 6: builder.exceptions[slot].new = max(1, random.next() >> UInt64(random.below(64)))
      default: builder.exceptions[slot].new += 1
      }
    }
    let originChunkCount = UInt64(max(1, count - random.below(3)))
    let (census, _) = try census(builder, originChunkCount: originChunkCount)
    let expected = Expected(builder, originChunkCount: originChunkCount)
    let found = counts(census).filter { $0.key != .areaHeaderImage }
    #expect(found == expected.counts)
    #expect(census.usableCount == expected.usableCount)
    #expect(census.lastOld == expected.lastOld)
  }
}
