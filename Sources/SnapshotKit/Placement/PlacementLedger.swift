internal import BlockIO

/// What evidence has been believed so far: one place for each orphan, one orphan for each place.
struct PlacementLedger {
  private struct Claim {
    var old: UInt64
    var strength: Evidence.Strength
    var kinds: Set<Evidence.Kind>
  }

  private let orphans: ChunkRanges
  private let originChunkCount: UInt64
  /// What each placed orphan is a copy of.
  private var claims: [UInt64: Claim] = [:]
  /// Chunks of the origin that are taken.
  private var taken = ChunkSet()
  /// Orphans that have proofs of several places: nothing is believed of them.
  private var contradicted: Set<UInt64> = []

  /// A ledger in which nothing is placed yet.
  init(_ orphans: [Orphan], _ runs: [ExceptionRun], originChunkCount: UInt64) {
    self.orphans = ChunkRanges(orphans.map { $0.new..<$0.new + $0.count })
    self.originChunkCount = originChunkCount
    for run in runs {
      for old in run.old...run.lastOld { _ = taken.insert(old) }
    }
  }

  /// The old chunk of each orphan that is proven.
  var proven: [UInt64: UInt64] {
    claims.filter { $0.value.strength == .proven }.mapValues(\.old)
  }

  /// The old chunk of each orphan that has a place.
  var placed: [UInt64: UInt64] { claims.mapValues(\.old) }

  /// What is proven, as exceptions.
  var provenRuns: [ExceptionRun] {
    placements.filter { $0.strength == .proven }.map(\.run)
  }

  /// Believes proofs, but for those that contradict each other or what was proven before.
  ///
  /// - Returns: Whether anything new is proven.
  mutating func prove(_ proofs: [Evidence]) -> Bool {
    var places: [UInt64: Set<UInt64>] = [:]
    for proof in proofs where isPossible(proof) { places[proof.new, default: []].insert(proof.old) }
    for (new, olds) in places {
      let known = claims[new].map { [$0.old] } ?? []
      if olds.union(known).count > 1 {
        contradicted.insert(new)
        claims[new] = nil
      }
    }
    var isNew = false
    for proof in proofs.sorted(by: { ($0.new, $0.old) < ($1.new, $1.old) })
    where isPossible(proof) && !contradicted.contains(proof.new) {
      if claims[proof.new] != nil {
        claims[proof.new]?.kinds.insert(proof.kind)
      } else if taken.insert(proof.old) {
        claims[proof.new] = Claim(old: proof.old, strength: .proven, kinds: [proof.kind])
        isNew = true
      }
    }
    return isNew
  }

  /// Adds likely places of what has none, but for those that contradict each other.
  mutating func add(_ likely: [Evidence]) {
    var places: [UInt64: Set<UInt64>] = [:]
    var claimants: [UInt64: Set<UInt64>] = [:]
    for evidence in likely where isPossible(evidence) {
      places[evidence.new, default: []].insert(evidence.old)
      claimants[evidence.old, default: []].insert(evidence.new)
    }
    for evidence in likely
    where isPossible(evidence) && places[evidence.new]?.count == 1
      && claimants[evidence.old]?.count == 1 && !contradicted.contains(evidence.new)
    {
      if claims[evidence.new]?.strength == .likely {
        claims[evidence.new]?.kinds.insert(evidence.kind)
      } else if claims[evidence.new] == nil, taken.insert(evidence.old) {
        claims[evidence.new] = Claim(old: evidence.old, strength: .likely, kinds: [evidence.kind])
      }
    }
  }

  /// Whether evidence is of an orphan, and names a chunk that the origin has.
  private func isPossible(_ evidence: Evidence) -> Bool {
    evidence.old < originChunkCount && orphans.contains(evidence.new)
  }

  /// What is placed, ascending by new chunk.
  var placements: [Placement] {
    var placements: [Placement] = []
    for (new, claim) in claims.sorted(by: { $0.key < $1.key }) {
      let kinds = claim.kinds.sorted()
      if let last = placements.last, last.strength == claim.strength, last.evidence == kinds,
        last.new + last.count == new, last.old + last.count == claim.old
      {
        placements[placements.count - 1].count += 1
      } else {
        placements.append(
          Placement(
            old: claim.old, new: new, count: 1, strength: claim.strength, evidence: kinds))
      }
    }
    return placements
  }
}

/// Ascending ranges of chunks.
struct ChunkRanges: Sendable {
  let ranges: [Range<UInt64>]

  init(_ ranges: [Range<UInt64>]) { self.ranges = ranges }

  func contains(_ chunk: UInt64) -> Bool {
    let index = ranges.indexOfFirst(endingAfter: chunk)
    return index < ranges.count && ranges[index].contains(chunk)
  }
}
