internal import SnapshotFormat

/// A set of chunk numbers of any size, in memory bounded by how many it has.
///
/// Chunk numbers of sound stores are dense, so a bit for each is least; but a damaged store may
/// name any 64-bit number. Numbers below a limit that grows with the count are bits, the others are
/// hashed: at most sixteen bytes a number as bits, and some twenty when hashed.
struct ChunkSet {
  private static let bitCountMin: UInt64 = 1 << 20
  private static let bitsPerMember: UInt64 = 128

  private var words: [UInt64] = []
  private var others: Set<UInt64> = []
  /// The number of distinct numbers.
  private(set) var count: UInt64 = 0

  /// Inserts a number, and returns whether it is new.
  @inline(__always)
  mutating func insert(_ number: UInt64) -> Bool {
    let index = Int(truncatingIfNeeded: number >> 6)
    if number >> 6 < UInt64(words.count) {
      let bit: UInt64 = 1 << (number & 63)
      let word = words[index]
      words[index] = word | bit
      let isNew = word & bit == 0
      count += isNew ? 1 : 0
      return isNew
    }
    return insertBeyondWords(number)
  }

  /// Inserts the old chunks of the exceptions of at most 64 `slots`, in order.
  ///
  /// - Returns: Which of them were new, a bit each, the lowest for the first.
  mutating func insert(oldChunksOf exceptions: Span<DiskException>, _ slots: Range<Int>) -> UInt64 {
    var news: UInt64 = 0
    var slot = slots.lowerBound
    while true {
      slot = insertWithinWords(exceptions, from: slot, of: slots, news: &news)
      if slot == slots.upperBound { return news }
      if insertBeyondWords(exceptions[slot].oldChunk) { news |= 1 << (slot - slots.lowerBound) }
      slot += 1
    }
  }

  /// Inserts old chunks up to the first that has no bit, and returns its slot.
  ///
  /// A random bit misses every cache: the less there is to do between two of them, the more misses
  /// the processor overlaps.
  @inline(__always)
  private mutating func insertWithinWords(
    _ exceptions: Span<DiskException>, from start: Int, of slots: Range<Int>, news: inout UInt64
  ) -> Int {
    var found: UInt64 = 0
    var slot = start
    var words = words.mutableSpan
    while slot < slots.upperBound {
      let number = exceptions[slot].oldChunk
      guard number >> 6 < UInt64(words.count) else { break }
      let index = Int(truncatingIfNeeded: number >> 6)
      let word = words[index]
      words[index] = word | 1 &<< number
      found |= (~word &>> number & 1) &<< UInt64(slot - slots.lowerBound)
      slot += 1
    }
    news |= found
    count += UInt64(found.nonzeroBitCount)
    return slot
  }

  /// Inserts `numberCount` consecutive numbers, at most 64, from `first` on.
  ///
  /// - Returns: Which of them were new, a bit each, the lowest for the first.
  mutating func insert(_ numberCount: Int, from first: UInt64) -> UInt64 {
    let all = UInt64.max >> UInt64(64 - numberCount)
    let index = Int(truncatingIfNeeded: first >> 6)
    let shift = first & 63
    guard first >> 6 < UInt64(words.count), index + 1 < words.count else {
      var news: UInt64 = 0
      for offset in 0..<UInt64(numberCount) where insert(first + offset) { news |= 1 << offset }
      return news
    }
    // Shifts by 64 or more give zero.
    let members = words[index] >> shift | words[index + 1] << (64 - shift)
    words[index] |= all << shift
    words[index + 1] |= all >> (64 - shift)
    let news = all & ~members
    count += UInt64(news.nonzeroBitCount)
    return news
  }

  /// Whether a number is in the set.
  func contains(_ number: UInt64) -> Bool {
    number >> 6 < UInt64(words.count)
      ? words[Int(number >> 6)] >> (number & 63) & 1 != 0 : others.contains(number)
  }

  /// Inserts the old chunks of runs.
  mutating func insert(oldChunksOf runs: [ExceptionRun]) {
    for run in runs {
      for old in run.old...run.lastOld { _ = insert(old) }
    }
  }

  /// The number of old chunks of runs that are in the set.
  func count(ofOldChunksOf runs: [ExceptionRun]) -> UInt64 {
    var count: UInt64 = 0
    for run in runs {
      for old in run.old...run.lastOld where contains(old) { count += 1 }
    }
    return count
  }

  /// The ranges of numbers in `range` that are not in the set, ascending, at most `limit`.
  func gaps(in range: Range<UInt64>, limit: Int) -> [Range<UInt64>] {
    var gaps: [Range<UInt64>] = []
    var position = range.lowerBound
    while position < range.upperBound, gaps.count < limit {
      let start = next(from: position, in: range, isMember: false)
      let end = next(from: start, in: range, isMember: true)
      if start < end { gaps.append(start..<end) }
      position = end
    }
    return gaps
  }

  private func next(from start: UInt64, in range: Range<UInt64>, isMember: Bool) -> UInt64 {
    var position = start
    while position < range.upperBound, position >> 6 < UInt64(words.count) {
      // A bit is set where the wanted state begins, in the word or in its complement.
      let word = isMember ? words[Int(position >> 6)] : ~words[Int(position >> 6)]
      let rest = word >> (position & 63)
      if rest != 0 { return min(position + UInt64(rest.trailingZeroBitCount), range.upperBound) }
      position = (position | 63) + 1
    }
    if !isMember {
      while position < range.upperBound, others.contains(position) { position += 1 }
      return min(position, range.upperBound)
    }
    return others.lazy.filter { $0 >= position && $0 < range.upperBound }.min()
      ?? range.upperBound
  }

  @inline(never)
  private mutating func insertBeyondWords(_ number: UInt64) -> Bool {
    let limit = max(
      Self.bitCountMin,
      (count + 1).multipliedReportingOverflow(
        by: Self.bitsPerMember
      ).partialValue)
    guard number < limit else {
      let isNew = others.insert(number).inserted
      count += isNew ? 1 : 0
      return isNew
    }
    // Twice as many bits as now, or as many as the number needs, so that growing is rare; the power
    // of two above a number within the limit is within twice the limit.
    var wordCount = max(words.count * 2, Int(Self.bitCountMin / 64))
    while UInt64(wordCount) * 64 <= number { wordCount *= 2 }
    words.append(contentsOf: repeatElement(0, count: wordCount - words.count))
    let moving = others.filter { $0 >> 6 < UInt64(wordCount) }
    others.subtract(moving)
    for other in moving { words[Int(other >> 6)] |= 1 << (other & 63) }
    return insert(number)
  }
}
