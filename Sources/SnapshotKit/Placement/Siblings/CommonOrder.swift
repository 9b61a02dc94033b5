internal import BlockIO

/// The common order of two stores, from the moment on at which both existed.
struct CommonOrder {
  /// A chunk that both stores have, by its place in the order of each.
  struct Link {
    let own: UInt64
    let other: UInt64
  }

  /// The links in one order, ascending by both places.
  private(set) var links: [Link]
  /// Where places of the second store begin that may be those of the first before all links.
  private let startBefore: UInt64

  /// Finds the longest common order, and where it begins to hold.
  ///
  /// Before the younger snapshot was made, one store has much that the other lacks, or has
  /// elsewhere. The order is trusted from the point after which, up to the end, matches outweigh
  /// mismatches most; seen from the older store, because its later copies were made for the other
  /// too.
  ///
  /// - Parameters:
  ///   - links: The chunks that both have, in any order; each place at most once.
  ///   - shared: The exceptions of both for one chunk of the origin, whatever they hold.
  ///   - ownStrangers: Places of the first store that the second has nothing for.
  ///   - otherStrangers: Places of the second store that the first has nothing for.
  ///   - candidates: Places of the first store that may be the same as others of the second,
  ///     ascending.
  init(
    _ links: [Link], shared: [Link], ownStrangers: [UInt64], otherStrangers: [UInt64],
    candidates: [UInt64]
  ) {
    let byOwn = Self.beginning(links.map { ($0.own, $0.other) }, ownStrangers)
    let byOther = Self.beginning(links.map { ($0.other, $0.own) }, otherStrangers)
    let common =
      byOwn.score >= byOther.score
      ? links.filter { $0.own >= byOwn.start } : links.filter { $0.other >= byOther.start }
    self.links = Self.longestChain(common.sorted { $0.own < $1.own })
    startBefore =
      self.links.first.map { Self.startBefore($0, shared: shared, candidates) } ?? 0
  }

  /// Places of the second store that fit a place of the first.
  struct Fit: Hashable {
    let range: Range<UInt64>
    /// Whether both stores have something in common before it, so that both snapshots were there.
    let isAfterLink: Bool
  }

  /// The places of the second store that fit a place of the first; nil without any order.
  func fit(of own: UInt64) -> Fit? {
    guard let first = links.first else { return nil }
    let index = links.partitioningIndex { $0.own >= own }
    if index < links.count, links[index].own == own {
      return Fit(range: links[index].other..<links[index].other + 1, isAfterLink: true)
    }
    guard index > 0 else {
      return Fit(range: startBefore..<first.other, isAfterLink: false)
    }
    let end = index < links.count ? links[index].other : .max
    let start = links[index - 1].other + 1
    return Fit(range: start..<max(end, start), isAfterLink: true)
  }

  /// Where places of the second store begin that may be those of the first before all links.
  ///
  /// It is unknown which chunks were copied there while both snapshots existed. The second store
  /// has at most as many of them as the first has candidates. An exception that is before the first
  /// link in one store, and after it in the other, was made twice for its chunk of the origin, the
  /// first time when only one of the snapshots existed. So was whatever comes before it there.
  private static func startBefore(
    _ first: Link, shared: [Link], _ candidates: [UInt64]
  ) -> UInt64 {
    var (ownStart, start): (UInt64, UInt64) = (0, 0)
    for link in shared {
      if link.own < first.own, link.other > first.other { ownStart = max(ownStart, link.own + 1) }
      if link.other < first.other, link.own > first.own { start = max(start, link.other + 1) }
    }
    let count = UInt64(
      candidates.partitioningIndex { $0 >= first.own }
        - candidates.partitioningIndex { $0 >= min(ownStart, first.own) })
    return max(start, first.other - min(first.other, count))
  }

  /// Whether places of both stores are as far from what both have before them, and after them.
  func areOpposite(_ own: UInt64, _ other: UInt64) -> Bool {
    let index = links.partitioningIndex { $0.own >= own }
    guard index > 0, index < links.count else { return false }
    let (before, after) = (links[index - 1], links[index])
    return own - before.own == other &- before.other && after.own - own == after.other &- other
  }

  /// The point after which, up to the end, matches outweigh mismatches most.
  ///
  /// Chunks before the start may be in order by chance, in a longer order than the common one: so
  /// the longest order from each place on counts.
  private static func beginning(
    _ links: [(place: UInt64, other: UInt64)], _ strangers: [UInt64]
  ) -> (start: UInt64, score: Int) {
    let steps =
      (links.map { ($0.place, Optional($0.other)) } + strangers.map { ($0, nil) })
      .sorted { $0.0 > $1.0 }
    var tails: [UInt64] = []  // where the best chain of each length begins, from the end
    var (seen, best, start) = (0, 0, UInt64.max)
    for (place, other) in steps {
      seen += 1
      if let other {
        let length = tails.partitioningIndex { $0 <= other }
        if length == tails.count { tails.append(other) } else { tails[length] = other }
      }
      let score = 2 * tails.count - seen
      if score > best { (best, start) = (score, place) }
    }
    return (start, best)
  }

  /// The longest part of the links, ascending by own place, whose other places ascend too.
  private static func longestChain(_ links: [Link]) -> [Link] {
    var tails: [Int] = []  // the last link of the best chain of each length
    var before: [Int] = Array(repeating: -1, count: links.count)
    for index in links.indices {
      let length = tails.partitioningIndex { links[$0].other >= links[index].other }
      if length > 0 { before[index] = tails[length - 1] }
      if length == tails.count { tails.append(index) } else { tails[length] = index }
    }
    var chain: [Link] = []
    var index = tails.last ?? -1
    while index >= 0 {
      chain.append(links[index])
      index = before[index]
    }
    return chain.reversed()
  }
}
