/// Findings of one kind, counted: thousands of them are one finding with ranges.
struct Tally {
  /// The number of ranges kept.
  static let rangeCountMax = 256

  private(set) var finding: Finding

  /// The first of its kind.
  init(_ finding: Finding) {
    self.finding = finding
    self.finding.ranges = finding.place.bytes.map { [$0] } ?? []
  }

  /// Sets the number, if not each one has a range.
  mutating func setCount(_ count: UInt64) { finding.count = count }

  /// Counts more at those bytes.
  mutating func add(_ bytes: Range<UInt64>, count: UInt64 = 1) {
    finding.count += count
    if let last = finding.ranges.last, last.upperBound == bytes.lowerBound {
      finding.ranges[finding.ranges.count - 1] = last.lowerBound..<bytes.upperBound
    } else if finding.ranges.count < Self.rangeCountMax {
      finding.ranges.append(bytes)
    } else {
      finding.hasMoreRanges = true
    }
  }
}
