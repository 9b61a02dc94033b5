import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// What stands where Linux would have put it is believed, and nothing else is.
@Suite struct SlotJudgeTests {
  /// The verdicts on the slots of an area, a letter each: zero, kept, unsupported, impossible, X for
  /// unreadable.
  private func verdicts(
    _ slots: [(UInt64, UInt64)], at position: UInt64 = 0, unreadable: [Range<Int>] = [],
    shift: Int64? = nil, isExpected: Bool = true, chunkSectors: UInt32 = 1
  ) throws -> String {
    let size = try ChunkSize(sectorCount: chunkSectors)
    var judge = SlotJudge(StoreGeometry(chunkSize: size, byteCount: 1 << 30))
    let exceptions = slots.map { DiskException(oldChunk: $0.0, newChunk: $0.1) }
    judge.judge(
      exceptions.span, at: position, unreadable: unreadable,
      after: SlotJudge.Context(shift: shift, isExpected: isExpected))
    return judge.kinds.map {
      switch $0 {
      case .zero: "z"
      case .kept: "k"
      case .outOfPlace: "u"
      case .impossible: "i"
      case .unreadable: "X"
      }
    }.joined()
  }

  /// Exceptions for wildly different old chunks in these new chunks.
  private func naming(_ news: some Sequence<UInt64>) -> [(UInt64, UInt64)] {
    news.enumerated().map { (UInt64($0.offset * 37 % 101), $0.element) }
  }

  @Test(arguments: [1, 3, 4, 5, 31, 32])
  func `exceptions in their places are kept, zeroes are zeroes`(count: Int) throws {
    let slots = naming(2..<UInt64(2 + count)) + [(UInt64, UInt64)](repeating: (0, 0), count: 32)
    let expected = String((String(repeating: "k", count: count) + zeroes(32)).prefix(32))
    #expect(try verdicts(Array(slots.prefix(32))) == expected)
    #expect(try verdicts(Array(slots.prefix(32)), isExpected: false) == expected)
    // The same in area 3, whose data chunks are 101 to 132.
    let third = slots.map { ($0.0, $0.1 == 0 ? 0 : $0.1 + 99) }
    #expect(try verdicts(Array(third.prefix(32)), at: 96, isExpected: false) == expected)
  }

  private func zeroes(_ count: Int) -> String { String(repeating: "z", count: count) }

  @Test(
    arguments: [
      (7, 0), (7, 1), (7, 34), (7, 67), (7, 1 << 56 | 6), (7, 1 << 54), (7, .max), (1 << 54, 6),
      (.max, 6), (.max, .max), (0, 1),
    ] as [(UInt64, UInt64)])
  func `numbers that no store has are impossible, and harm nobody`(
    old: UInt64, new: UInt64
  ) throws {
    var slots = naming(2..<12)
    slots[4] = (old, new)
    #expect(try verdicts(slots) == "kkkkikkkkk")
    #expect(try verdicts([(old, new)]) == "i")
  }

  @Test func `an old chunk must lie below 2^63 bytes, whatever the chunk size`() throws {
    for (chunkSectors, last) in [(1, (1 << 54) - 1), (8, (1 << 51) - 1)] as [(UInt32, UInt64)] {
      for (old, letter) in [(last, "k"), (last + 1, "i")] {
        #expect(try verdicts([(old, 2)], chunkSectors: chunkSectors) == letter)
      }
    }
  }

  @Test func `a slot whose number is another's is not believed`() throws {
    var slots = naming(2..<22)
    slots[9].1 = 5
    #expect(try verdicts(slots) == "kkkkkkkkkukkkkkkkkkk")
    slots[9].1 = 19
    #expect(try verdicts(slots) == "kkkkkkkkkukkkkkkkkkk")
  }

  @Test func `a slot of which a part cannot be read is unreadable, whatever the rest looks like`()
    throws
  {
    let slots = naming(2..<12)
    #expect(try verdicts(slots, unreadable: [2..<4, 9..<10]) == "kkXXkkkkkX")
    #expect(try verdicts(slots, unreadable: [0..<10]) == "XXXXXXXXXX")
  }

  @Test func `bytes are slots, begun ones too`() {
    #expect(SlotJudge.slots(of: 512..<1024, from: 512) == 0..<32)
    #expect(SlotJudge.slots(of: 1024..<1536, from: 512) == 32..<64)
    #expect(SlotJudge.slots(of: 527..<529, from: 512) == 0..<2)
    #expect(SlotJudge.slots(of: 1 << 40..<(1 << 40) + 1, from: 1 << 40) == 0..<1)
  }

  // MARK: - Shifts

  @Test func `chunks that leaked shift all behind them`() throws {
    #expect(try verdicts(naming([2, 3, 4, 5, 9, 10, 11, 12])) == "kkkkkkkk")
    #expect(try verdicts(naming([2, 3, 4, 5, 9, 10, 14, 15, 16, 17])) == "kkkkkkkkkk")
    #expect(try verdicts(naming([5, 6, 7, 8])) == "kkkk")
  }

  @Test func `a shift never falls: of those that contradict, the longer part is believed`() throws {
    let news: [UInt64] = Array(102..<106) + Array(6..<14)
    #expect(try verdicts(naming(news)) == "uuuukkkkkkkk")
    let long: [UInt64] = Array(102..<110) + Array(10..<14)
    #expect(try verdicts(naming(long)) == "kkkkkkkkuuuu")
  }

  @Test func `four must be in a row where nobody expects a table`() throws {
    let three = naming([7, 8, 9])
    #expect(try verdicts(three, isExpected: false) == "uuu")
    #expect(try verdicts(naming([7, 8, 9, 10]), isExpected: false) == "kkkk")
    // Behind a header that says so, or a full area, fewer are enough.
    #expect(try verdicts(three) == "kkk")
    #expect(try verdicts(three, shift: 5, isExpected: false) == "kkk")
    #expect(try verdicts(three, shift: 9, isExpected: false) == "uuu")
  }

  @Test func `numbers that count up, but all for one chunk, are no exceptions`() throws {
    let slots = (UInt64(7)..<15).map { (UInt64(5), $0) }
    #expect(try verdicts(slots, isExpected: false) == "iiiiiiii")
  }

  @Test func `a table that is expected stands beside garbage, exceptions of nobody do not`() throws
  {
    let slots: [(UInt64, UInt64)] = [(9, 2), (.max, .max), (4, 4), (5, 1)]
    #expect(try verdicts(slots) == "kiki")
    #expect(try verdicts(slots, isExpected: false) == "uiui")
  }

  @Test func `more chunks leak than Linux copies at a time, but not any number`() throws {
    let near: [UInt64] = [2, 3, 4, 5, 5 + 33]
    #expect(try verdicts(naming(near)) == "kkkkk")
    let far: [UInt64] = [2, 3, 4, 5, 9002]
    #expect(try verdicts(naming(far)) == "kkkku")
  }

  // MARK: - Other orders

  @Test(arguments: UInt64(1)...60)
  func `exceptions in another order than their chunks are believed together`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let count = UInt64(8 + random.below(25))
    let news = (2..<2 + count).shuffled(using: &random)
    let expected = String(repeating: "k", count: Int(count))
    #expect(try verdicts(naming(news)) == expected, "seed \(seed)")
    #expect(try verdicts(naming(news), isExpected: false) == expected, "seed \(seed)")
  }

  @Test func `numbers from all over are not`() throws {
    var news: [UInt64] = []
    for index in UInt64(0)..<32 {
      let new = 2 + index * 1009 % 900
      if new % 33 != 1 { news.append(new) }
    }
    #expect(try !verdicts(naming(news), isExpected: false).contains("k"))
  }

  // MARK: - Whatever

  @Test(arguments: UInt64(1)...100)
  func `random bytes are impossible, and no bytes trap`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let noise = (0..<32).map { _ in (random.next(), random.next()) }
    #expect(try verdicts(noise) == String(repeating: "i", count: 32))
    let wild: [UInt64] = [
      0, 1, 2, 33, 34, 35, 1 << 53, (1 << 54) - 1, 1 << 54, 1 << 56, 1 << 63, .max - 1, .max,
    ]
    for sectors in [UInt32(1), 8, 1 << 21] {
      let slots = (0..<32).map { _ in (wild[random.below(13)], wild[random.below(13)]) }
      for position in [UInt64(0), 32, 1 << 40, 1 << 50] {
        for shift in [nil, 0, 1 << 54] as [Int64?] {
          let letters = try verdicts(
            slots, at: position, unreadable: [3..<4], shift: shift, isExpected: random.oneIn(2),
            chunkSectors: sectors)
          #expect(letters.count == 32)
        }
      }
    }
  }

  @Test(arguments: [-1, -255, -256, -4096, -4098, -1 << 40] as [Int64])
  func `behind an exception far before its place nothing traps`(shift: Int64) throws {
    #expect(try verdicts(naming(101..<111), at: 96, shift: shift) == "kkkkkkkkkk")
  }
}
