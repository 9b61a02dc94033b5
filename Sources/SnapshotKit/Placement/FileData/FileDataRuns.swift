/// Drops matches that only their neighbours support, unless they are in one file, or there are just
/// as many as there must be.
struct FileDataRuns {
  private let needs: FileDataNeeds
  private let places: FileDataPlaces
  private let scores: FileDataScores

  /// A run that fills its gap exactly needs no witness if it is that long.
  private static let exactCountMin = 8

  init(_ needs: FileDataNeeds, _ places: FileDataPlaces, _ scores: FileDataScores) {
    (self.needs, self.places, self.scores) = (needs, places, scores)
  }

  /// An orphan, its position in the store's order, and the chunk that it may be a copy of.
  typealias Pair = (orphan: Int, position: Int, chunk: UInt64)

  /// The credible pairs, of pairs that ascend in the store.
  func sound(_ pairs: [Pair]) -> [(orphan: Int, chunk: UInt64, isHit: Bool)] {
    var sound: [(orphan: Int, chunk: UInt64, isHit: Bool)] = []
    var start = 0
    while start < pairs.count {
      var end = start + 1
      while end < pairs.count, pairs[end].position == pairs[end - 1].position + 1,
        pairs[end].chunk == pairs[end - 1].chunk + 1
      {
        end += 1
      }
      sound += self.sound(run: pairs[start..<end])
      start = end
    }
    return sound
  }

  /// The credible part of a run: between hits, and from there to the beginning or end of a file, or
  /// to a known place.
  private func sound(
    run pairs: ArraySlice<Pair>
  ) -> [(orphan: Int, chunk: UInt64, isHit: Bool)] {
    let (first, last) = (pairs.startIndex, pairs.endIndex - 1)
    let isKnownBefore =
      pairs[first].chunk > 0
      && places.old(at: pairs[first].position - 1) == pairs[first].chunk - 1
    let isKnownAfter = places.old(at: pairs[last].position + 1) == pairs[last].chunk + 1
    var believed = first..<first
    if let hit = pairs.indices.first(where: { isHit(pairs[$0]) }),
      let lastHit = pairs.indices.last(where: { isHit(pairs[$0]) })
    {
      var (start, end) = (hit, lastHit)
      while start > first, isGoingOn(pairs[start].chunk) || isKnownBefore, isFit(pairs[start - 1]) {
        start -= 1
      }
      while end < last, isGoingOn(pairs[end + 1].chunk) || isKnownAfter, isFit(pairs[end + 1]) {
        end += 1
      }
      // Where a file's chunks are torn apart, it is unknown which part each belongs to.
      if start < hit, !(start == first && isKnownBefore), isTorn(pairs[start].chunk) {
        start = hit
      }
      if end > lastHit, !(end == last && isKnownAfter), isTorn(pairs[end].chunk + 1) {
        end = lastHit
      }
      believed = start..<end + 1
    } else if isKnownBefore && isKnownAfter
      || isExact(pairs) && (isKnownBefore || isKnownAfter || pairs.count >= Self.exactCountMin)
    {
      believed = first..<last + 1
    }
    return pairs[believed].lazy.filter(isFit).map { ($0.orphan, $0.chunk, isHit($0)) }
  }

  private func isGoingOn(_ chunk: UInt64) -> Bool { needs.goingOn.contains(chunk) }

  /// Whether the chunks of a file at an edge are both lost, and were copied one after the other.
  private func isTorn(_ edge: UInt64) -> Bool {
    needs.adjoining.contains(edge)
      && [edge - 1, edge].allSatisfy { needs.needs[$0] != nil && places.isLost($0) }
  }

  /// Whether a run has all orphans between things that are known, and all that is lost of a file
  /// between things that are known, or where it begins or ends.
  private func isExact(_ pairs: ArraySlice<Pair>) -> Bool {
    guard let first = pairs.first, let last = pairs.last else { return false }
    return (first.position == 0 || places.old(at: first.position - 1) != nil)
      && places.old(at: last.position + 1) != nil && !isTorn(first.chunk) && !isTorn(last.chunk + 1)
  }

  private func isHit(_ pair: Pair) -> Bool {
    needs.needs[pair.chunk].map { scores.isHit(pair.orphan, $0) } == true
  }

  /// Whether a chunk belongs to one file, so that it was written with that, or its content supports
  /// the place.
  private func isFit(_ pair: Pair) -> Bool {
    guard let need = needs.needs[pair.chunk] else { return false }
    return need.blocks.count == 1 || need.isOneFile || isHit(pair)
  }
}
