@testable import SnapshotKit
import Testing

/// Findings of a kind are counted as one, with the ranges of all of them.
@Suite struct FindingTests {
  private func tally(_ bytes: Range<UInt64>?) -> Tally {
    Tally(
      Finding(
        code: .areaHole, place: Finding.Place(bytes: bytes), found: "this", required: "that"))
  }

  @Test func `the first of a kind is a count of one and a range`() {
    #expect(tally(16..<32).finding.count == 1)
    #expect(tally(16..<32).finding.ranges == [16..<32])
    #expect(tally(nil).finding.ranges == [])
  }

  @Test func `touching ranges are one`() {
    var tally = tally(16..<32)
    tally.add(32..<48)
    tally.add(64..<80)
    #expect(tally.finding.count == 3)
    #expect(tally.finding.ranges == [16..<48, 64..<80])
    #expect(tally.finding.place.bytes == 16..<32)
  }

  @Test func `ranges have an end, the count has none`() {
    var tally = tally(0..<16)
    for index in UInt64(1)..<256 { tally.add(index * 32..<index * 32 + 16) }
    #expect(!tally.finding.hasMoreRanges)
    #expect(tally.finding.ranges.count == Tally.rangeCountMax)
    tally.add(255 * 32 + 16..<255 * 32 + 32)  // goes on where the last one ends
    #expect(!tally.finding.hasMoreRanges)
    tally.add(1 << 20..<1 << 21)
    #expect(tally.finding.hasMoreRanges)
    #expect(tally.finding.ranges.count == Tally.rangeCountMax)
    #expect(tally.finding.count == 258)
  }

  @Test func `damage is worse than a warning, and a warning than a note`() {
    #expect(Severity.allCases.sorted() == [.note, .warning, .damage])
    #expect(Severity.allCases.max() == .damage)
  }
}
