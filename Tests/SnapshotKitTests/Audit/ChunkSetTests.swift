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
}
