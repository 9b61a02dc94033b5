internal import BlockIO

/// What two stores have in one order, from the moment on at which both were there.
struct CommonOrder {
  /// Something that both stores have, by its place in the order of each.
  struct Link {
    let own: UInt64
    let other: UInt64
  }

  /// The links in one order, ascending by both places.
  private(set) var links: [Link]

  /// Finds the longest common order, and where it begins to hold.
  ///
  /// Before the younger snapshot was made, one store has much that the other lacks, or has
  /// elsewhere. The order is trusted from where, up to the end, what agrees outweighs that most;
  /// seen from the older store, as what was copied for that was copied for the other.
  ///
  /// - Parameters:
  ///   - links: What both have, in any order; each place at most once.
  ///   - ownStrangers: Places of the first store that the second has nothing for.
  ///   - otherStrangers: Places of the second store that the first has nothing for.
  init(_ links: [Link], ownStrangers: [UInt64], otherStrangers: [UInt64]) {
    let chain = Self.longestChain(links.sorted { $0.own < $1.own })
    let (own, other) = (Set(chain.map(\.own)), Set(chain.map(\.other)))
    let byOwn = Self.beginning(
      agreeing: chain.map(\.own),
      disagreeing: ownStrangers + links.map(\.own).filter { !own.contains($0) })
    let byOther = Self.beginning(
      agreeing: chain.map(\.other),
      disagreeing: otherStrangers + links.map(\.other).filter { !other.contains($0) })
    self.links =
      byOwn.score >= byOther.score
      ? chain.filter { $0.own >= byOwn.start } : chain.filter { $0.other >= byOther.start }
  }

  /// The places of the second store that fit a place of the first; nil before the order begins.
  func otherRange(around own: UInt64) -> Range<UInt64>? {
    let index = links.partitioningIndex { $0.own >= own }
    if index < links.count, links[index].own == own {
      return links[index].other..<links[index].other + 1
    }
    guard index > 0 else { return nil }
    let end = index < links.count ? links[index].other : .max
    return links[index - 1].other + 1..<max(end, links[index - 1].other + 1)
  }

  /// Where, up to the end, what agrees outweighs what does not most.
  private static func beginning(
    agreeing: [UInt64], disagreeing: [UInt64]
  ) -> (start: UInt64, score: Int) {
    let steps =
      (agreeing.map { ($0, 1) } + disagreeing.map { ($0, -1) }).sorted { $0.0 > $1.0 }
    var (score, best, start) = (0, 0, UInt64.max)
    for (position, weight) in steps {
      score += weight
      if score > best { (best, start) = (score, position) }
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
