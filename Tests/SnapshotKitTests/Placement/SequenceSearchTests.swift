import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// What the order of the copies, and numbers in them, say of orphans: likely at most.
@Suite struct SequenceSearchTests {
  private static let chunkCount = 600

  /// What a snapshot is, chunk by chunk; the origin has other content everywhere.
  private enum Content { case noise, pages }

  private static func bytes(_ old: Int, _ content: Content) -> [UInt8] {
    var noise = SplitMix64(seed: UInt64(old) &* 77 &+ 5)
    var bytes = (0..<64).flatMap { _ in noise.next().littleEndianBytes }
    // The pages of a database have their numbers, big-endian, in their fifth to eighth bytes.
    if content == .pages { bytes.replaceSubrange(4..<8, with: UInt32(old).bigEndianBytes) }
    return bytes
  }

  /// An overflowed store: exceptions for the first of `olds`, and data without a name for the rest.
  private func placement(
    _ olds: [Int], named: Int, _ content: Content, zeroed: Set<Int> = [],
    origin: [Int: [UInt8]] = [:]
  ) throws -> (plan: PlacementPlan, truth: [UInt64: UInt64]) {
    let all = StoreBuilder(chunkSectors: 1).copying(olds)
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: Int(all.exceptions.last?.new ?? 0) + 1)
      .copying(olds.prefix(named))
    var image = builder.image(.valid(0))
    var truth: [UInt64: UInt64] = [:]
    for (position, exception) in all.exceptions.enumerated() {
      let old = Int(exception.old)
      image.put(
        zeroed.contains(position) ? Array(repeating: 0, count: 512) : Self.bytes(old, content),
        at: Int(exception.new) * 512)
      if position >= named { truth[exception.new] = exception.old }
    }
    var originImage = Array(repeating: UInt8(0xee), count: Self.chunkCount * 512)
    for (old, bytes) in origin { originImage.put(bytes, at: old * 512) }
    let source = FaultySource(originImage)
    let plan = try SalvagePlan(Store(FaultySource(image)), originByteCount: source.byteCount)
    return (try plan.placements(of: try plan.generation(0), origin: source), truth)
  }

  /// How many places there are, of which every one must be right and likely.
  private func right(_ found: (plan: PlacementPlan, truth: [UInt64: UInt64])) -> Int {
    var count = 0
    for placement in found.plan.placements {
      #expect(placement.strength == .likely)
      for within in 0..<placement.count {
        #expect(found.truth[placement.new + within] == placement.old + within)
        count += 1
      }
    }
    return count
  }

  @Test func `one writer goes on where the table ends`() throws {
    let found = try placement(Array(100..<200), named: 40, .noise)
    #expect(right(found) == 60)
    #expect(found.plan.likelyCount == 60 && found.plan.provenCount == 0)
    #expect(found.plan.placements.allSatisfy { $0.evidence == [.sequence] })
  }

  @Test func `it skips what was copied before`() throws {
    let olds = [150, 151, 170] + Array(100..<150) + Array(152..<170) + Array(171..<190)
    #expect(right(try placement(olds, named: 40, .noise)) == olds.count - 40)
  }

  @Test func `two writers in turn are told apart by numbers, and otherwise not at all`() throws {
    var random = SplitMix64(seed: 3)
    var (first, second, olds) = (100, 400, [Int]())
    while olds.count < 150 {
      for _ in 0..<Int.random(in: 1..<9, using: &random) {
        olds.append(first)
        first += 1
      }
      for _ in 0..<Int.random(in: 1..<9, using: &random) {
        olds.append(second)
        second += 1
      }
    }
    #expect(right(try placement(olds, named: 64, .pages)) == olds.count - 64)
    #expect(try placement(olds, named: 64, .noise).plan.placements == [])
  }

  @Test func `without an exception there is nothing to start from`() throws {
    #expect(try placement(Array(100..<200), named: 0, .noise).plan.placements == [])
  }

  @Test func `random writes say nothing of the next`() throws {
    var random = SplitMix64(seed: 8)
    let olds = Array((0..<300).shuffled(using: &random).prefix(80))
    #expect(try placement(olds, named: 40, .noise).plan.placements == [])
  }

  @Test func `zeroes where a copy had not ended keep their turn, but get no place`() throws {
    let found = try placement(Array(100..<200), named: 40, .noise, zeroed: [70, 71, 99])
    #expect(right(found) == 57)
  }

  @Test func `it ends with the origin`() throws {
    let last = Self.chunkCount - 1
    let olds = Array(last - 49...last)
    let found = try placement(olds + [3, 4, 5], named: 40, .noise)
    #expect(right(found) == 10)
  }

  @Test func `what the origin still holds needs no copy`() throws {
    let found = try placement(
      Array(100..<200), named: 40, .noise, origin: [150: Self.bytes(150, .noise)])
    #expect(right(found) == 59)
  }

  @Test func `numbers that contradict the order are believed`() throws {
    // The writer goes on elsewhere, without an exception to show where.
    let olds = Array(100..<150) + Array(300..<350)
    let found = try placement(olds, named: 40, .pages)
    #expect(right(found) == 10)
  }
}

extension UInt32 {
  fileprivate var bigEndianBytes: [UInt8] { littleEndianBytes.reversed() }
}
