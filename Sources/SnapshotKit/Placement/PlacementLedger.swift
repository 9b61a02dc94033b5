internal import BlockIO

/// The evidence accepted so far: one place for each orphan, one orphan for each place.
///
/// It takes eleven bytes an orphan, and four for each that is proven.
struct PlacementLedger {
  private enum State: UInt8 {
    case unplaced, likely, proven
    /// It has proofs of several places, or another orphan has a proof of the same place.
    case contradicted
  }

  /// Says whether two orphans have the same content.
  typealias Comparison = (UInt64, UInt64) throws(BlockIOError) -> Bool

  private let orphans: OrphanIndex
  private let originChunkCount: UInt64
  /// By the orphan's number: its state, the chunk of the origin, and the evidence.
  private var states: [State]
  private var olds: [UInt64]
  private var kinds: [Evidence.Kinds]
  /// Chunks of the origin that the table maps.
  private var mapped = ChunkSet()
  /// The orphans that hold a chunk of the origin by a proof, ascending by that chunk.
  private var holders: [UInt32] = []
  /// Chunks among them that were contradicted since, so that another orphan may have them.
  private var released: Set<UInt32> = []
  /// Whether a proof of an earlier round was contradicted: conclusions from it may be wrong.
  private(set) var hasRetracted = false

  /// An empty ledger.
  ///
  /// - Parameter contradicted: Orphans without trusted evidence.
  init(
    _ orphans: [Orphan], _ runs: [ExceptionRun], originChunkCount: UInt64,
    contradicted: [UInt64] = []
  ) {
    self.orphans = OrphanIndex(orphans)
    self.originChunkCount = originChunkCount
    let count = self.orphans.count
    states = Array(repeating: .unplaced, count: count)
    olds = Array(repeating: 0, count: count)
    kinds = Array(repeating: [], count: count)
    mapped.insert(oldChunksOf: runs)
    for new in contradicted {
      if let index = self.orphans.index(of: new) { states[index] = .contradicted }
    }
  }

  /// The places of the proven orphans.
  var proven: OrphanPlaces {
    OrphanPlaces(orphans, zip(states, olds).lazy.map { $0 == .proven ? $1 : OrphanPlaces.none })
  }

  /// The places of the placed orphans.
  var placed: OrphanPlaces {
    OrphanPlaces(
      orphans,
      zip(states, olds).lazy.map { $0 == .proven || $0 == .likely ? $1 : OrphanPlaces.none })
  }

  /// The proven places, as exceptions.
  var provenRuns: [ExceptionRun] {
    placements.filter { $0.strength == .proven }.map(\.run)
  }

  /// The orphans without trusted evidence, ascending.
  var contradicted: [UInt64] {
    var contradicted: [UInt64] = []
    orphans.forEach { index, new in
      if states[index] == .contradicted { contradicted.append(new) }
    }
    return contradicted
  }

  /// Accepts proofs, except those that contradict each other or earlier ones.
  ///
  /// Two places of one orphan contradict each other, and so do two orphans for one place, unless
  /// their content is the same: then the first that was copied has it, or the one that has no other
  /// place.
  ///
  /// - Returns: Whether anything new is proven.
  mutating func prove(
    _ proofs: consuming [Evidence], isSame: Comparison = { _, _ in false }
  ) throws(BlockIOError) -> Bool {
    var possible = proofs
    possible.removeAll { !isPossible($0) }
    possible.sort { ($0.new, $0.old) < ($1.new, $1.old) }
    let exchanged = try exchanged(possible, isSame)
    if !exchanged.isEmpty { possible.removeAll(where: exchanged.contains) }
    for (proof, next) in zip(possible, possible.dropFirst())
    where proof.new == next.new && proof.old != next.old {
      contradict(proof.new)
    }
    for proof in possible {
      if let index = orphans.index(of: proof.new), states[index] == .proven,
        olds[index] != proof.old
      {
        contradict(proof.new)
      }
    }
    possible.sort { ($0.old, $0.new) < ($1.old, $1.new) }
    var added: [UInt32] = []
    for proof in possible {
      guard let index = orphans.index(of: proof.new), states[index] != .contradicted else {
        continue
      }
      let last = added.last.flatMap { olds[Int($0)] == proof.old ? $0 : nil }
      guard let holder = last ?? self.holder(of: proof.old) else {
        (states[index], olds[index]) = (.proven, proof.old)
        kinds[index] = proof.kinds
        added.append(UInt32(index))
        continue
      }
      if holder == index {
        kinds[index].formUnion(proof.kinds)
        continue
      }
      let other = orphans.new(at: Int(holder))
      if try isSame(other, proof.new) { continue }
      // It is unknown which of the two was copied for this snapshot.
      contradict(proof.new)
      contradict(other, keepsHolder: true)
    }
    if added.isEmpty { return false }
    holders.removeAll(where: released.contains)
    released = []
    holders += added
    holders.sort { olds[Int($0)] < olds[Int($1)] }
    return true
  }

  /// Of the proofs of orphans that have several places, those of a place that an orphan of the same
  /// content has, and no other: of equal content, a proof may name any.
  ///
  /// - Parameter proofs: Ascending by orphan.
  private func exchanged(
    _ proofs: [Evidence], _ isSame: Comparison
  ) throws(BlockIOError) -> Set<Evidence> {
    var disputed: Set<UInt64> = []
    for (proof, next) in zip(proofs, proofs.dropFirst())
    where proof.new == next.new && proof.old != next.old {
      disputed.insert(proof.new)
    }
    for proof in proofs {
      if let index = orphans.index(of: proof.new), states[index] == .proven,
        olds[index] != proof.old
      {
        disputed.insert(proof.new)
      }
    }
    if disputed.isEmpty { return [] }
    let wanted = Set(proofs.lazy.filter { disputed.contains($0.new) }.map(\.old))
    var sure: [UInt64: UInt64] = [:]
    for proof in proofs where wanted.contains(proof.old) && !disputed.contains(proof.new) {
      sure[proof.old] = proof.new
    }
    var exchanged: Set<Evidence> = []
    for proof in proofs where disputed.contains(proof.new) {
      let holder = holder(of: proof.old).map { orphans.new(at: Int($0)) }
      for other in [holder, sure[proof.old]].compactMap(\.self) where other != proof.new {
        if try isSame(proof.new, other) { exchanged.insert(proof) }
      }
    }
    return exchanged
  }

  /// The orphan that holds a chunk of the origin.
  private func holder(of old: UInt64) -> UInt32? {
    let index = holders.partitioningIndex { olds[Int($0)] >= old }
    guard index < holders.count, olds[Int(holders[index])] == old else { return nil }
    return released.contains(holders[index]) ? nil : holders[index]
  }

  /// Withdraws all evidence of an orphan.
  ///
  /// - Parameter keepsHolder: Whether its place stays taken, so that no other orphan gets it.
  private mutating func contradict(_ new: UInt64, keepsHolder: Bool = false) {
    guard let index = orphans.index(of: new), states[index] != .contradicted else { return }
    if states[index] == .proven {
      hasRetracted = true
      if !keepsHolder { released.insert(UInt32(index)) }
    }
    states[index] = .contradicted
  }

  /// Adds likely places for orphans without one, except those that contradict each other.
  mutating func add(_ likely: consuming [Evidence]) {
    var possible = likely
    possible.removeAll { evidence in
      guard isPossible(evidence), holder(of: evidence.old) == nil,
        let index = orphans.index(of: evidence.new)
      else { return true }
      return states[index] != .unplaced
    }
    possible.sort { ($0.new, $0.old) < ($1.new, $1.old) }
    let places = Self.disputed(possible, \.new, \.old)
    possible.sort { ($0.old, $0.new) < ($1.old, $1.new) }
    let claimants = Self.disputed(possible, \.old, \.new)
    for evidence in possible
    where !places.contains(evidence.new) && !claimants.contains(evidence.old) {
      guard let index = orphans.index(of: evidence.new) else { continue }
      (states[index], olds[index]) = (.likely, evidence.old)
      kinds[index].formUnion(evidence.kinds)
    }
  }

  /// The keys with several values in evidence that is sorted by key.
  private static func disputed(
    _ sorted: [Evidence], _ key: KeyPath<Evidence, UInt64>, _ value: KeyPath<Evidence, UInt64>
  ) -> Set<UInt64> {
    var disputed: Set<UInt64> = []
    for index in sorted.indices.dropFirst() {
      let (last, next) = (sorted[index - 1], sorted[index])
      if last[keyPath: key] == next[keyPath: key], last[keyPath: value] != next[keyPath: value] {
        disputed.insert(next[keyPath: key])
      }
    }
    return disputed
  }

  /// Whether evidence is of an orphan that may hold anything, and names a chunk that the origin has
  /// and the table does not map.
  private func isPossible(_ evidence: Evidence) -> Bool {
    evidence.old < originChunkCount && !mapped.contains(evidence.old)
      && orphans.index(of: evidence.new) != nil
  }

  /// The placements, ascending by new chunk.
  var placements: [Placement] {
    var placements: [Placement] = []
    orphans.forEach { index, new in
      let strength: Evidence.Strength
      switch states[index] {
      case .proven: strength = .proven
      case .likely: strength = .likely
      case .unplaced, .contradicted: return
      }
      let evidence = kinds[index].all
      if let last = placements.last, last.strength == strength, last.evidence == evidence,
        last.new + last.count == new, last.old + last.count == olds[index]
      {
        placements[placements.count - 1].count += 1
      } else {
        placements.append(
          Placement(
            old: olds[index], new: new, count: 1, strength: strength, evidence: evidence))
      }
    }
    return placements
  }
}
