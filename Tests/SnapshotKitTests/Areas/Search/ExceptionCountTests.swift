import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// Exceptions are counted as long as their new chunks rise and their old chunks differ.
@Suite struct ExceptionCountTests {
  private typealias Pairs = [(old: UInt64, new: UInt64)]

  private func exceptions(_ pairs: Pairs) -> [DiskException] {
    pairs.map { DiskException(oldChunk: $0.old, newChunk: $0.new) }
  }

  private func count(_ pairs: Pairs) -> (ExceptionCount, goesOn: Bool) {
    var count = ExceptionCount()
    let goesOn = count.add(exceptions(pairs).span)
    return (count, goesOn)
  }

  private func rising(_ count: Int, from new: UInt64 = 2) -> Pairs {
    (0..<UInt64(count)).map { (old: 10_000 - $0 * 3, new: new + $0) }
  }

  @Test func `a list ends at the first new chunk that is zero`() {
    let (count, goesOn) = count(rising(5) + [(77, 0)] + rising(3, from: 7))
    #expect(count.count == 5 && count.firstNewChunk == 2)
    #expect(count.isTerminated && !count.hasDuplicates && !goesOn)
  }

  @Test(
    arguments: [(6, 5), (7, 6), (262, 6), (263, 5), (2, 5), (1, 5), (1 << 54, 5), (.max, 5)]
      as [(UInt64, UInt64)])
  func `after new chunk 6 one of 7 to 262 may follow`(next: UInt64, expected: UInt64) {
    let (count, goesOn) = count(rising(5) + [(7, next)])
    #expect(count.count == expected && goesOn == (expected == 6))
    #expect(!count.isTerminated && !count.hasDuplicates)
  }

  @Test(
    arguments: [
      (1 << 54, 2, 0), ((1 << 54) - 1, 2, 1), (.max, 2, 0), (2, .max, 0), (2, 1 << 54, 0),
      (2, (1 << 54) - 1, 1), (.max, .max, 0), (0, 1, 1),
    ] as [(UInt64, UInt64, UInt64)])
  func `a chunk that no medium has is no exception`(old: UInt64, new: UInt64, expected: UInt64) {
    let (count, goesOn) = count([(old, new)])
    #expect(count.count == expected && goesOn == (expected == 1))
    #expect(count.firstNewChunk == (expected == 1 ? new : 0) && !count.isTerminated)
  }

  @Test func `of 256 old chunks a second one of the same number is told`() {
    for (slot, isTold) in [(1, true), (255, true), (256, false), (400, false)] {
      var pairs = rising(500, from: 100).map { (old: $0.old + 99_999, new: $0.new) }
      pairs[slot].old = pairs[0].old
      let (count, goesOn) = count(pairs)
      #expect(count.hasDuplicates == isTold && goesOn == !isTold, "slot \(slot)")
      #expect(count.count == (isTold ? UInt64(slot) : 500))
    }
  }

  @Test func `a list goes on from one piece to the next`() {
    var count = ExceptionCount()
    func goesOn(_ pairs: Pairs) -> Bool { count.add(exceptions(pairs).span) }
    let answers = [
      goesOn(rising(32)), goesOn(rising(32, from: 34).map { (old: $0.old + 2000, new: $0.new) }),
      goesOn([(5, 65)]), goesOn([(10_000, 66)]),
    ]
    #expect(answers == [true, true, false, false])
    #expect(count.count == 64 && count.firstNewChunk == 2 && count.hasDuplicates)
  }

  // MARK: - In an image

  private func bytes(_ pairs: Pairs) -> [UInt8] {
    pairs.flatMap { $0.old.littleEndianBytes + $0.new.littleEndianBytes }
  }

  @Test(arguments: [0, 1, 31, 32, 33, 288, 289, 2500])
  func `a list in an image ends where the list does, however it is read`(length: Int) throws {
    let pairs = rising(length).map { (old: $0.old &+ 1 << 40, new: $0.new) }
    let before = [UInt8](repeating: 1, count: 512)
    let ended = try AreaReader(FaultySource(before + bytes(pairs + [(0, 0)]))).count(at: 512)
    #expect(ended.count == UInt64(length) && ended.isTerminated)
    for extra in [0, 1, 15] {
      let image = before + bytes(pairs) + [UInt8](repeating: 0, count: extra)
      let cut = try AreaReader(FaultySource(image)).count(at: 512)
      #expect(cut.count == UInt64(length) && !cut.isTerminated, "\(extra) bytes behind it")
    }
  }

  @Test func `a list ends at a sector that cannot be read, and at the image's end`() throws {
    let source = FaultySource(bytes(rising(100)), unreadable: [600..<601])
    #expect(try AreaReader(source).count(at: 0).count == 32)
    #expect(try AreaReader(source).count(at: 1600).count == 0)
    #expect(try AreaReader(source).count(at: .max).count == 0)
    #expect(try AreaReader(FaultySource([])).count(at: 0).count == 0)
  }
}
