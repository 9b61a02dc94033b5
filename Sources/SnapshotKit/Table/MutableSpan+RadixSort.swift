// The standard library's sort needs half as much memory again as its input, and a table of
// scattered exceptions already takes all the memory that we allow ourselves.

extension MutableSpan where Element: BitwiseCopyable {
  /// Fewer elements than this are sorted by insertion.
  private static var smallCount: Int { 32 }

  /// Sorts by a 64-bit number, in place.
  ///
  /// A radix sort from the highest byte down that swaps each element into its bucket ("American
  /// flag sort"): a few passes, and no memory but the counters of a pass.
  @inline(__always)
  mutating func radixSort(by key: (Element) -> UInt64) {
    var highest: UInt64 = 0
    for index in indices { highest |= key(self[index]) }
    let shift = highest == 0 ? 0 : UInt64(63 - highest.leadingZeroBitCount) / 8 * 8
    radixSort(in: indices, shift: shift, by: key)
  }

  /// Sorts the elements of `range`, whose keys agree in all bits above `shift + 8`.
  private mutating func radixSort(
    in range: Range<Int>, shift: UInt64, by key: (Element) -> UInt64
  ) {
    if range.count <= Self.smallCount { return insertionSort(in: range, by: key) }
    // heads[b] ..< ends[b] is the part of bucket b that is not yet filled.
    var heads = InlineArray<256, Int>(repeating: 0)
    for index in range { heads[Self.bucket(of: key(self[index]), shift)] += 1 }
    var ends = InlineArray<256, Int>(repeating: 0)
    var start = range.lowerBound
    for bucket in 0..<256 {
      ends[bucket] = start + heads[bucket]
      heads[bucket] = start
      start = ends[bucket]
    }
    for bucket in 0..<256 {
      while heads[bucket] < ends[bucket] {
        var element = self[heads[bucket]]
        var home = Self.bucket(of: key(element), shift)
        while home != bucket {
          let displaced = self[heads[home]]
          self[heads[home]] = element
          heads[home] += 1
          element = displaced
          home = Self.bucket(of: key(element), shift)
        }
        self[heads[bucket]] = element
        heads[bucket] += 1
      }
    }
    guard shift > 0 else { return }
    start = range.lowerBound
    for bucket in 0..<256 {
      if ends[bucket] - start > 1 {
        radixSort(in: start..<ends[bucket], shift: shift - 8, by: key)
      }
      start = ends[bucket]
    }
  }

  private static func bucket(of key: UInt64, _ shift: UInt64) -> Int {
    Int(truncatingIfNeeded: key >> shift & 255)
  }

  private mutating func insertionSort(in range: Range<Int>, by key: (Element) -> UInt64) {
    for index in range.dropFirst() {
      let element = self[index]
      var place = index
      while place > range.lowerBound, key(self[place - 1]) > key(element) {
        self[place] = self[place - 1]
        place -= 1
      }
      self[place] = element
    }
  }
}

extension [ExceptionRun] {
  /// Sorts the runs by their first old chunk, in place.
  mutating func sortByOldChunk() {
    var runs = mutableSpan
    runs.radixSort { $0.old }
  }
}
