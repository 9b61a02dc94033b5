// The standard library's sort wants half as much memory again as what it sorts, and a table of
// scattered exceptions is all the memory that there is to spend.

extension [ExceptionRun] {
  /// Sorts the runs by their first old chunk, in place.
  ///
  /// A radix sort from the highest byte down that swaps each run into its bucket ("American flag
  /// sort"): a few passes, no memory but the counters of a pass.
  mutating func sortByOldChunk() {
    let highest = reduce(UInt64(0)) { $0 | $1.old }
    let shift = highest == 0 ? 0 : UInt64(63 - highest.leadingZeroBitCount) / 8 * 8
    let all = indices
    var runs = mutableSpan
    runs.sortByOldChunk(in: all, shift: shift)
  }
}

extension MutableSpan<ExceptionRun> {
  /// Fewer runs than these are sorted by insertion.
  private static var smallCount: Int { 32 }

  /// Sorts the runs of `range`, which agree in all bits of their old chunks above `shift + 8`.
  fileprivate mutating func sortByOldChunk(in range: Range<Int>, shift: UInt64) {
    if range.count <= Self.smallCount { return sortByInsertion(in: range) }
    // heads[b] ..< ends[b] is the part of bucket b that is not filled yet.
    var heads = InlineArray<256, Int>(repeating: 0)
    for index in range { heads[bucket(of: self[index], shift)] += 1 }
    var ends = InlineArray<256, Int>(repeating: 0)
    var start = range.lowerBound
    for bucket in 0..<256 {
      ends[bucket] = start + heads[bucket]
      heads[bucket] = start
      start = ends[bucket]
    }
    for bucket in 0..<256 {
      while heads[bucket] < ends[bucket] {
        var run = self[heads[bucket]]
        var home = self.bucket(of: run, shift)
        while home != bucket {
          let displaced = self[heads[home]]
          self[heads[home]] = run
          heads[home] += 1
          run = displaced
          home = self.bucket(of: run, shift)
        }
        self[heads[bucket]] = run
        heads[bucket] += 1
      }
    }
    guard shift > 0 else { return }
    start = range.lowerBound
    for bucket in 0..<256 {
      if ends[bucket] - start > 1 { sortByOldChunk(in: start..<ends[bucket], shift: shift - 8) }
      start = ends[bucket]
    }
  }

  private func bucket(of run: ExceptionRun, _ shift: UInt64) -> Int {
    Int(truncatingIfNeeded: run.old >> shift & 255)
  }

  private mutating func sortByInsertion(in range: Range<Int>) {
    for index in range.dropFirst() {
      let run = self[index]
      var place = index
      while place > range.lowerBound, self[place - 1].old > run.old {
        self[place] = self[place - 1]
        place -= 1
      }
      self[place] = run
    }
  }
}
