internal import BlockIO

/// The orphans that can have a place, each with a number: those that leaked hold nothing.
struct OrphanIndex: Equatable, Sendable {
  private let ranges: [Range<UInt64>]
  /// The number of chunks before each range.
  private let starts: [Int]
  /// The number of chunks.
  let count: Int

  init(_ orphans: [Orphan]) {
    ranges = orphans.filter { $0.reason != .leaked }.map { $0.new..<$0.new + $0.count }
    var (starts, count): ([Int], Int) = ([], 0)
    for range in ranges {
      starts.append(count)
      count += range.count
    }
    (self.starts, self.count) = (starts, count)
  }

  /// The number of an orphan; nil of any other chunk.
  func index(of new: UInt64) -> Int? {
    let index = ranges.indexOfFirst(endingAfter: new)
    guard index < ranges.count, ranges[index].contains(new) else { return nil }
    return starts[index] + Int(new - ranges[index].lowerBound)
  }

  /// The orphan of a number.
  func new(at number: Int) -> UInt64 {
    let index = starts.partitioningIndex { $0 > number } - 1
    return ranges[index].lowerBound + UInt64(number - starts[index])
  }

  /// Calls `body` with the number and the chunk of each, ascending.
  func forEach(_ body: (Int, UInt64) -> Void) {
    for (start, range) in zip(starts, ranges) {
      for new in range { body(start + Int(new - range.lowerBound), new) }
    }
  }
}

/// The old chunk of each orphan that has a place.
struct OrphanPlaces: Equatable, Sendable, Sequence {
  /// For an orphan without a place: no chunk of the origin has that number.
  static let none = UInt64.max

  private let orphans: OrphanIndex
  /// By the orphan's number; empty if none has a place, which is so of millions of them in flight.
  private let olds: [UInt64]

  /// The places of orphans.
  ///
  /// - Parameter olds: The old chunk of each, or `none`.
  init(_ orphans: OrphanIndex, _ olds: some Sequence<UInt64>) {
    self.orphans = orphans
    self.olds = olds.contains { $0 != Self.none } ? Array(olds) : []
  }

  /// The old chunk of an orphan; nil if it has none, and of any other chunk.
  subscript(new: UInt64) -> UInt64? {
    guard !olds.isEmpty, let index = orphans.index(of: new), olds[index] != Self.none else {
      return nil
    }
    return olds[index]
  }

  /// These places, but for those that do not satisfy a condition on the orphan and its old chunk.
  func filtered(_ isIncluded: (UInt64, UInt64) -> Bool) -> OrphanPlaces {
    OrphanPlaces(
      orphans,
      olds.enumerated().map { number, old in
        old != Self.none && isIncluded(orphans.new(at: number), old) ? old : Self.none
      })
  }

  /// These places, and those that are proven by evidence.
  func adding(_ evidence: [Evidence]) -> OrphanPlaces {
    var sum = olds.isEmpty ? Array(repeating: Self.none, count: orphans.count) : olds
    for proof in evidence where proof.strength == .proven {
      if let index = orphans.index(of: proof.new) { sum[index] = proof.old }
    }
    return OrphanPlaces(orphans, sum)
  }

  /// The orphans that have a place, ascending.
  func makeIterator() -> some IteratorProtocol<(new: UInt64, old: UInt64)> {
    olds.indices.lazy.filter { olds[$0] != Self.none }
      .map { (new: orphans.new(at: $0), old: olds[$0]) }.makeIterator()
  }
}
