import Testing

@testable import BlockIO

struct RangesTests {
  @Test func `ranges that touch become one`() {
    var ranges: [Range<UInt64>] = []
    ranges.append(mergingInto: 0..<0)
    #expect(ranges.isEmpty)
    for range in [UInt64(0)..<512, 512..<1024, 1536..<2048, 2048..<2048] {
      ranges.append(mergingInto: range)
    }
    #expect(ranges == [0..<1024, 1536..<2048])
  }

  @Test func `a union is in order, and has no overlaps`() {
    let ranges: [Range<UInt64>] = [30..<40, 0..<10, 5..<12, 12..<14, 20..<20, 31..<32]
    #expect(ranges.union == [0..<14, 30..<40])
    #expect([UInt64.max - 1..<UInt64.max, 0..<1].union == [0..<1, UInt64.max - 1..<UInt64.max])
    #expect([Range<UInt64>]().union.isEmpty)
  }

  @Test(arguments: 0...9)
  func `a partition is found wherever it is`(place: Int) {
    #expect(Array(0..<9).partitioningIndex { $0 >= place } == place)
    #expect(Array(0..<9)[3...].partitioningIndex { $0 >= place } == max(place, 3))
  }

  @Test func `the first range that ends after a number`() {
    let ranges: [Range<UInt64>] = [10..<20, 20..<30, 40..<50]
    #expect(
      [0, 19, 20, 29, 30, 49, 50].map { ranges.indexOfFirst(endingAfter: $0) }
        == [0, 0, 1, 1, 2, 2, 3])
  }
}
