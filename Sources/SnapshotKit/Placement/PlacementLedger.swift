internal import BlockIO

/// What evidence has been believed so far: one place for each orphan, one orphan for each place.
///
/// It takes some thirty bytes an orphan.
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
  /// By the orphan's number: what is known of it, the chunk of the origin, and what says so.
  private var states: [State]
  private var olds: [UInt64]
  private var kinds: [Evidence.Kinds]
  /// Chunks of the origin that the table maps.
  private var mapped = ChunkSet()
  /// Which orphan has a chunk of the origin.
  private var holders: [UInt64: UInt32] = [:]
  /// Whether a proof of an earlier round was contradicted: what was built on it may be wrong.
  private(set) var hasRetracted = false

  /// A ledger in which nothing is placed yet.
  ///
  /// - Parameter contradicted: Orphans of which nothing is believed.
  init(
    _ orphans: [Orphan], _ runs: [ExceptionRun], originChunkCount: UInt64,
    contradicted: [UInt64] = []
  ) {
    self.orphans = OrphanIndex(orphans)
    self.originChunkCount = originChunkCount
    let count = self.orphans.count
    states = Array(repeating: .unplaced, count: count)
    olds = Array(repeating: 0, count: count)
    kinds = Array(repeating: Evidence.Kinds(), count: count)
    mapped.insert(oldChunksOf: runs)
    for new in contradicted {
      if let index = self.orphans.index(of: new) { states[index] = .contradicted }
    }
  }

  /// The old chunk of each orphan that is proven.
  var proven: [UInt64: UInt64] {
    var proven: [UInt64: UInt64] = [:]
    orphans.forEach { index, new in
      if states[index] == .proven { proven[new] = olds[index] }
    }
    return proven
  }

  /// The old chunk of each orphan that has a place.
  var placed: [UInt64: UInt64] {
    var placed: [UInt64: UInt64] = [:]
    orphans.forEach { index, new in
      if states[index] == .proven || states[index] == .likely { placed[new] = olds[index] }
    }
    return placed
  }

  /// What is proven, as exceptions.
  var provenRuns: [ExceptionRun] {
    placements.filter { $0.strength == .proven }.map(\.run)
  }

  /// The orphans of which nothing is believed, ascending.
  var contradicted: [UInt64] {
    var contradicted: [UInt64] = []
    orphans.forEach { index, new in
      if states[index] == .contradicted { contradicted.append(new) }
    }
    return contradicted
  }

  /// Believes proofs, but for those that contradict each other or what was proven before.
  ///
  /// Two places of one orphan contradict each other, and so do two orphans for one place, unless
  /// their content is the same: then the first that was copied has it.
  ///
  /// - Returns: Whether anything new is proven.
  mutating func prove(
    _ proofs: [Evidence], isSame: Comparison = { _, _ in false }
  ) throws(BlockIOError) -> Bool {
    var possible = proofs.filter(isPossible)
    possible.sort { ($0.new, $0.old) < ($1.new, $1.old) }
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
    var first = 0
    var isNew = false
    while first < possible.count {
      let old = possible[first].old
      let end = possible[first...].firstIndex { $0.old != old } ?? possible.count
      isNew = try settle(possible[first..<end], isSame) || isNew
      first = end
    }
    return isNew
  }

  /// Believes the proofs of one place; says whether that is new.
  private mutating func settle(
    _ proofs: ArraySlice<Evidence>, _ isSame: Comparison
  ) throws(BlockIOError) -> Bool {
    var isNew = false
    for proof in proofs {
      guard let index = orphans.index(of: proof.new), states[index] != .contradicted else {
        continue
      }
      guard let holder = holders[proof.old] else {
        (states[index], olds[index]) = (.proven, proof.old)
        kinds[index] = Evidence.Kinds([proof.kind])
        holders[proof.old] = UInt32(index)
        isNew = true
        continue
      }
      if holder == index {
        kinds[index].insert(proof.kind)
        continue
      }
      let other = orphans.new(at: Int(holder))
      if try isSame(other, proof.new) { continue }
      // Which of the two was copied for this snapshot is not known.
      contradict(proof.new)
      contradict(other, keepsHolder: true)
    }
    return isNew
  }

  /// Believes nothing of an orphan any more.
  ///
  /// - Parameter keepsHolder: Whether its place stays taken, so that no other orphan gets it.
  private mutating func contradict(_ new: UInt64, keepsHolder: Bool = false) {
    guard let index = orphans.index(of: new), states[index] != .contradicted else { return }
    if states[index] == .proven {
      hasRetracted = true
      if !keepsHolder { holders[olds[index]] = nil }
    }
    states[index] = .contradicted
  }

  /// Adds likely places of what has none, but for those that contradict each other.
  mutating func add(_ likely: [Evidence]) {
    var possible = likely.filter { evidence in
      guard isPossible(evidence), holders[evidence.old] == nil,
        let index = orphans.index(of: evidence.new)
      else { return false }
      return states[index] == .unplaced
    }
    possible.sort { ($0.new, $0.old) < ($1.new, $1.old) }
    let places = Self.disputed(possible.map { ($0.new, $0.old) })
    possible.sort { ($0.old, $0.new) < ($1.old, $1.new) }
    let claimants = Self.disputed(possible.map { ($0.old, $0.new) })
    for evidence in possible
    where !places.contains(evidence.new) && !claimants.contains(evidence.old) {
      guard let index = orphans.index(of: evidence.new) else { continue }
      (states[index], olds[index]) = (.likely, evidence.old)
      kinds[index].insert(evidence.kind)
    }
  }

  /// Which keys of sorted pairs have several values.
  private static func disputed(_ pairs: [(UInt64, UInt64)]) -> Set<UInt64> {
    var disputed: Set<UInt64> = []
    for (pair, next) in zip(pairs, pairs.dropFirst()) where pair.0 == next.0 && pair.1 != next.1 {
      disputed.insert(pair.0)
    }
    return disputed
  }

  /// Whether evidence is of an orphan that may hold anything, and names a chunk that the origin has
  /// and the table does not map.
  private func isPossible(_ evidence: Evidence) -> Bool {
    evidence.old < originChunkCount && !mapped.contains(evidence.old)
      && orphans.index(of: evidence.new) != nil
  }

  /// What is placed, ascending by new chunk.
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

/// The orphans that can have a place, each with a number: those that leaked hold nothing.
struct OrphanIndex: Sendable {
  private let ranges: [Range<UInt64>]
  /// How many come before each range.
  private let starts: [Int]
  /// How many there are.
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
