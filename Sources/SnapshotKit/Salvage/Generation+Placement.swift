public import BlockIO
internal import SnapshotFormat

extension SalvagePlan {
  /// Finds where the orphans of a generation belong.
  ///
  /// It reads every orphan, and the parts of the origin and of the siblings that the evidence
  /// requires.
  ///
  /// - Parameters:
  ///   - origin: What the snapshot was taken of; nil if that is not known, which leaves little
  ///     evidence.
  ///   - siblings: Other snapshots of the same origin.
  public func placements(
    of generation: Generation, origin: (any BlockSource)?, siblings: [Sibling] = []
  ) throws(StoreError) -> PlacementPlan {
    // An older table's space was used again, and its lost chunks may hold anything.
    guard generation.index == 0 else {
      return PlacementPlan(unplaced: generation.orphanCount, because: .olderTable)
    }
    guard !generation.orphans.isEmpty || !siblings.isEmpty else {
      return PlacementPlan(unplaced: generation.orphanCount, because: .tooMany)
    }
    do throws(BlockIOError) {
      let plan = try PlacementPlan(
        of: generation.orphans, count: generation.orphanCount, emptyTail: generation.emptyTail,
        besides: generation.runs, in: store.source, geometry, origin: origin, siblings: siblings)
      for sibling in siblings { try sibling.store.checkUnchanged() }
      return plan
    } catch {
      throw store.explained(.io(error))
    }
  }
}

extension Generation {
  /// The number of orphans listed.
  private var listedOrphanCount: UInt64 { orphans.chunkCount }

  /// The generation with its placements as exceptions like any other.
  ///
  /// Proven chunks are no longer lost. Likely ones are in doubt.
  func placing(_ plan: PlacementPlan, _ level: PlacementLevel) -> Generation {
    let used = plan.placements(level)
    if used.isEmpty { return self }
    var placed = ChunkSet()
    for placement in used {
      for new in placement.new..<placement.new + placement.count { _ = placed.insert(new) }
    }
    var rest: [Orphan] = []
    var countByReason: [Orphan.Reason: UInt64] = [:]
    for orphan in orphans {
      for new in orphan.new..<orphan.new + orphan.count {
        if placed.contains(new) {
          countByReason[orphan.reason, default: 0] += 1
          continue
        }
        let old = orphan.old.map { $0 + (new - orphan.new) }
        if let last = rest.last, last.new + last.count == new, last.reason == orphan.reason,
          last.old.map({ $0 + last.count }) == old
        {
          rest[rest.count - 1].count += 1
        } else {
          rest.append(Orphan(new: new, count: 1, old: old, reason: orphan.reason))
        }
      }
    }
    let runs = used.map(\.run)
    // Of the gaps in a table that lost anything, some may have leaked: an exception is found again
    // only if no gap is left for it. If nothing is left of a table, its gaps are of its lost areas.
    let found =
      (countByReason[.exceptionLost] ?? 0)
      + (self.runs.isEmpty ? countByReason[.endLost] ?? 0 : 0)
    let stillLost = rest.reduce(0) { $1.reason == .exceptionLost ? $0 + $1.count : $0 }
    let (count, likelyCount) = (
      runs.totalCount, used.filter { $0.strength == .likely }.map(\.run).totalCount
    )
    var generation = Generation(
      index: index, isCurrent: isCurrent, areas: areas,
      runs: (self.runs + runs).sorted { $0.new < $1.new },
      exceptionCount: exceptionCount + count, doubtfulCount: doubtfulCount + likelyCount,
      lostExceptionCount: max(
        lostExceptionCount - min(lostExceptionCount, found),
        min(lostExceptionCount, stillLost + (orphanCount - listedOrphanCount))),
      isEndLost: isEndLost, lost: lost.without(oldChunksOf: runs), orphans: rest,
      orphanCount: orphanCount - (count - runs.count(in: emptyTail)),
      inFlightCount: inFlightCount - min(inFlightCount, countByReason[.inFlight] ?? 0),
      isInDoubt: isInDoubt, findings: findings + [plan.likelyFinding(level)].compactMap(\.self),
      firstDoubtfulChunk: firstDoubtfulChunk)
    generation.hadInFlight = hadInFlight || inFlightCount > 0
    return generation
  }
}

extension PlacementPlan {
  /// The finding about data with likely places alone; nil if there is none.
  func likelyFinding(_ level: PlacementLevel) -> Finding? {
    guard level == .likely, let first = placements.first(where: { $0.strength == .likely }) else {
      return nil
    }
    return Finding(
      code: .placedLikely,
      place: Finding.Place(oldChunk: first.old, newChunk: first.new),
      found: "\(likelyCount) chunks whose place is likely", required: "proof of their place",
      count: likelyCount)
  }
}

extension [ExceptionRun] {
  /// The number of exceptions that name chunks of these.
  func count(in orphans: [Orphan]) -> UInt64 {
    var count: UInt64 = 0
    for orphan in orphans {
      let range = orphan.new..<orphan.new + orphan.count
      count += reduce(0) { $0 + UInt64(($1.new..<$1.new + $1.count).clamped(to: range).count) }
    }
    return count
  }

  /// The number of exceptions.
  var totalCount: UInt64 { reduce(0) { $0 + $1.count } }
}

extension [LostChunks] {
  /// The losses without the old chunks of runs.
  fileprivate func without(oldChunksOf runs: [ExceptionRun]) -> [LostChunks] {
    var ascending = runs
    ascending.sortByOldChunk()
    var left: [LostChunks] = []
    for chunks in self {
      var position = chunks.old.lowerBound
      var index = ascending.firstIndex(endingAtOrAfter: position)
      while position < chunks.old.upperBound {
        let next = index < ascending.count ? ascending[index] : nil
        let end = Swift.min(next?.old ?? .max, chunks.old.upperBound)
        if position < end { left.append(LostChunks(old: position..<end, reason: chunks.reason)) }
        guard let next, next.old < chunks.old.upperBound else { break }
        position = Swift.max(position, next.lastOld + 1)
        index += 1
      }
    }
    return left
  }
}
