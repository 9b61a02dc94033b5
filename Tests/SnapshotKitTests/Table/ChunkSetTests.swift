import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// A chunk set is a set, whatever numbers are put in, and wherever it keeps them.
@Suite struct ChunkSetTests {
  /// Around the limits between bits and hashes, and around its words.
  private static let bounds: [UInt64] = [
    0, 63, 64, 65, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (1 << 21) - 1, 1 << 21, 1 << 40, 1 << 63,
    .max - 1, .max,
  ]

  @Test(arguments: bounds)
  func `a number is in it once it was put in`(number: UInt64) {
    var set = ChunkSet()
    #expect(!set.contains(number))
    let isNew = set.insert(number)
    #expect(isNew && set.contains(number))
    let isNewAgain = set.insert(number)
    #expect(!isNewAgain && set.count == 1)
    for other in Self.bounds where other != number { #expect(!set.contains(other)) }
  }

  @Test(arguments: UInt64(1)...12)
  func `it behaves like a set`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var (set, expected) = (ChunkSet(), Set<UInt64>())
    for _ in 0..<12_000 {
      let bits = [4, 10, 18, 20, 21, 22, 40, 64].randomElement(using: &random) ?? 4
      let number = random.next() >> UInt64(64 - bits)
      let isNew = set.insert(number)
      #expect(isNew == expected.insert(number).inserted)
    }
    #expect(set.count == UInt64(expected.count))
    #expect(expected.allSatisfy(set.contains))
    for _ in 0..<2000 {
      let number = random.next() >> UInt64(random.below(64))
      #expect(set.contains(number) == expected.contains(number))
    }
  }

  @Test func `numbers move to bits as it grows, and are still there`() {
    var set = ChunkSet()
    let far = UInt64(3 << 20)
    _ = set.insert(far)
    _ = set.insert(far + 7)
    for number in UInt64(0)..<30_000 { _ = set.insert(number * 100) }  // the limit passes 3 << 20
    #expect(set.contains(far) && set.contains(far + 7) && !set.contains(far + 1))
    let isNew = set.insert(far)
    #expect(!isNew)
    #expect(set.count == 30_002)
  }

  @Test(arguments: UInt64(1)...40)
  func `its gaps are the numbers that are not in it`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var (set, expected) = (ChunkSet(), Set<UInt64>())
    // Some numbers are bits, and some are hashed: those around the limit of an empty set.
    let base = random.oneIn(2) ? 0 : UInt64(1 << 20) - 150
    if random.oneIn(2) { _ = set.insert(0) }
    for _ in 0..<random.below(250) {
      let number = base + UInt64(random.below(300))
      _ = set.insert(number)
      expected.insert(number)
    }
    let start = base + UInt64(1 + random.below(100))
    let range = start..<start + UInt64(random.below(250))
    let gaps = set.gaps(in: range, limit: .max)
    #expect(gaps.flatMap { $0 } == range.filter { !expected.contains($0) })
    for (gap, next) in zip(gaps, gaps.dropFirst()) { #expect(gap.upperBound < next.lowerBound) }
    #expect(set.gaps(in: range, limit: 2) == Array(gaps.prefix(2)))
  }

  @Test(arguments: UInt64(1)...30)
  func `many at once are the same as one by one`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var (set, single) = (ChunkSet(), ChunkSet())
    let width = [6, 12, 20, 21, 24, 64].randomElement(using: &random) ?? 6
    for _ in 0..<300 {
      let count = 1 + random.below(64)
      let start = random.below(5)
      let exceptions = IOBuffer(byteCount: (start + count) * DiskException.byteCount)
      let base = random.next() >> UInt64(64 - width)
      exceptions.withMutableRecords(of: DiskException.self, count: start + count) { records in
        for slot in records.indices {
          // Consecutive, the same again, anywhere near or far: whatever a table may hold.
          let old =
            switch random.below(8) {
            case 0: base
            case 1: random.next()
            case 2, 3: random.next() >> UInt64(64 - width)
            default: base &+ UInt64(slot)
            }
          records[slot] = DiskException(oldChunk: old, newChunk: 9)
        }
      }
      let (news, expected) = exceptions.withRecords(
        of: DiskException.self, count: start + count
      ) { records in
        var expected: UInt64 = 0
        for slot in start..<start + count where single.insert(records[slot].oldChunk) {
          expected |= 1 << (slot - start)
        }
        return (set.insert(oldChunksOf: records, start..<start + count), expected)
      }
      #expect(news == expected)
      #expect(set.count == single.count)
    }
  }

  @Test(arguments: UInt64(1)...30)
  func `consecutive numbers are the same as one by one`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var (set, single) = (ChunkSet(), ChunkSet())
    // Around the limit of an empty set, and around the ends of words.
    let base = random.oneIn(2) ? 0 : UInt64(1 << 20) - 200
    if random.oneIn(2) { #expect(set.insert(0) == single.insert(0)) }
    for _ in 0..<60 {
      let (count, first) = (1 + random.below(64), base + UInt64(random.below(600)))
      var expected: UInt64 = 0
      for offset in 0..<UInt64(count) where single.insert(first + offset) {
        expected |= 1 << offset
      }
      #expect(set.insert(count, from: first) == expected)
      #expect(set.count == single.count)
    }
    for number in base..<base + 700 { #expect(set.contains(number) == single.contains(number)) }
  }
}
