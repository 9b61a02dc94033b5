extension RandomAccessCollection where Index == Int {
  /// The first index at which a condition holds, by binary search; the end if it never does.
  ///
  /// Where it holds, it must hold for all elements that follow.
  @inlinable
  package func partitioningIndex(where holds: (Element) -> Bool) -> Int {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = low + (high - low) / 2
      if holds(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

extension [Range<UInt64>] {
  /// The sum of the ranges' lengths.
  package var totalCount: UInt64 { reduce(0) { $0 + ($1.upperBound - $1.lowerBound) } }

  /// The index of the first range that reaches past a number; the ranges are ascending and do not
  /// overlap.
  package func indexOfFirst(endingAfter number: UInt64) -> Int {
    partitioningIndex { $0.upperBound > number }
  }

  /// The bytes that the ranges cover, ascending, in as few ranges as possible; the ranges may
  /// overlap, and need not be in order.
  package var union: [Range<UInt64>] { Array(RangeSet(self).ranges) }

  /// Appends a range that begins at or after the end of the last, merged with it if they touch.
  package mutating func append(mergingInto range: Range<UInt64>) {
    if let last, last.upperBound == range.lowerBound {
      self[count - 1] = last.lowerBound..<range.upperBound
    } else if !range.isEmpty {
      append(range)
    }
  }
}
