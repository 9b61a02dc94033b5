@testable import SnapshotKit
import TestSupport
import Testing

/// Runs are sorted by their old chunk, whatever the numbers are, and none is lost.
@Suite struct MutableSpanRadixSortTests {
  @Test(arguments: UInt64(1)...60)
  func `it is a sort`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let bits = UInt64([1, 5, 8, 9, 16, 17, 40, 56, 64][random.below(9)])
    let count = [0, 1, 2, 31, 32, 33, 100, 3000][random.below(8)]
    var runs = (0..<UInt64(count)).map { index in
      ExceptionRun(old: random.next() >> (64 - bits), new: index, count: 1)
    }
    let expected = runs.map(\.old).sorted()
    let pairs = Set(runs)
    runs.sortByOldChunk()
    #expect(runs.map(\.old) == expected)
    #expect(Set(runs) == pairs && runs.count == count)
  }

  @Test(
    arguments: [
      [], Array(repeating: 7, count: 100), Array(0..<500), Array((0..<500).reversed()),
      [.max, 0, .max - 1, 1, 1 << 63],
    ] as [[UInt64]])
  func `equal, ascending, descending and extreme chunks are sorted`(olds: [UInt64]) {
    var runs = olds.map { ExceptionRun(old: $0, new: 2, count: 1) }
    runs.sortByOldChunk()
    #expect(runs.map(\.old) == olds.sorted())
  }
}
