/// The best alignment of chunks of one store with those of another, both in order, when more of one
/// of them may be the same than are.
struct OrderAlignment {
  /// More pairs are not weighed.
  static let pairCountMax = 1 << 21

  /// The pairs, ascending.
  ///
  /// Includes only those of the second that are paired in every best alignment: the others may be
  /// paired or not.
  private(set) var pairs: [(own: Int, other: Int)] = []

  /// Finds the best of all ways.
  ///
  /// - Parameters:
  ///   - ownCount: How many chunks the first has; times `otherCount`, no more than `pairCountMax`.
  ///   - otherCount: How many chunks the second has.
  ///   - weight: The evidence for a pair; 0 if it is impossible.
  init(_ ownCount: Int, _ otherCount: Int, weight: (_ own: Int, _ other: Int) -> Int32) {
    let width = otherCount + 1
    // The best of the first chunks of both.
    var best = Array(repeating: Int32(0), count: (ownCount + 1) * width)
    for own in 0..<ownCount {
      for other in 0..<otherCount {
        let before = own * width + other
        let found = weight(own, other)
        best[before + width + 1] = max(
          best[before + width], best[before + 1], found > 0 ? best[before] + found : 0)
      }
    }
    let needed = Self.needed(ownCount, otherCount, best, weight)
    var (own, other) = (ownCount, otherCount)
    while own > 0, other > 0 {
      let (here, found) = (own * width + other, weight(own - 1, other - 1))
      if found > 0, best[here] == best[here - width - 1] + found {
        (own, other) = (own - 1, other - 1)
        if needed[other] { pairs.append((own, other)) }
      } else if best[here] == best[here - width] {
        own -= 1
      } else {
        other -= 1
      }
    }
    pairs.reverse()
  }

  /// Of the second's chunks, those without which no way is as good.
  private static func needed(
    _ ownCount: Int, _ otherCount: Int, _ best: [Int32], _ weight: (Int, Int) -> Int32
  ) -> [Bool] {
    let width = otherCount + 1
    // The best of the last chunks of both, and the best without each of the second's.
    var rest = Array(repeating: Int32(0), count: width)
    var without = Array(repeating: Int32(0), count: otherCount)
    for own in (0...ownCount).reversed() {
      if own < ownCount {
        var diagonal: Int32 = 0
        for other in (0..<otherCount).reversed() {
          let (below, found) = (rest[other], weight(own, other))
          rest[other] = max(below, rest[other + 1], found > 0 ? diagonal + found : 0)
          diagonal = below
        }
      }
      for other in 0..<otherCount {
        without[other] = max(without[other], best[own * width + other] + rest[other + 1])
      }
    }
    return without.map { $0 < best[ownCount * width + otherCount] }
  }
}
