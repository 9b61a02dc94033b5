internal import Blkid
internal import BlockIO
internal import SnapshotFormat

/// The places of orphans: the old chunk of each for which there is evidence.
///
/// It is made before anything is written. Every orphan is read once; then the searches run until
/// none proves anything more. Two proofs that contradict each other prove nothing. Likely places
/// are sought among the rest, and never mixed with proofs.
public struct PlacementPlan: Sendable {
  /// The placements, ascending by new chunk; each orphan, and each chunk of the origin, once.
  public private(set) var placements: [Placement] = []
  /// The number of orphans.
  public let orphanCount: UInt64
  /// The number of them that have a proven place.
  public private(set) var provenCount: UInt64 = 0
  /// The number of them that have a likely place.
  public private(set) var likelyCount: UInt64 = 0

  /// The reasons why the others have none, in the order of `Unplaced.Reason`.
  public private(set) var unplaced: [Unplaced] = []

  /// The verdict on each sibling.
  public private(set) var siblings: [SiblingUse] = []

  /// Unreadable chunks of the store that siblings can replace.
  private var substitutes: [Substitute] = []

  /// The number of orphans without a place.
  public var unplacedCount: UInt64 { orphanCount - provenCount - likelyCount }

  /// Nothing placed of that many orphans.
  init(unplaced orphanCount: UInt64, because reason: Unplaced.Reason) {
    self.orphanCount = orphanCount
    unplaced = Unplaced.all(orphanCount, reason)
  }

  /// Finds the places of a store's orphans by every kind of evidence.
  ///
  /// - Parameters:
  ///   - orphans: Chunks without an exception, ascending; or the first of them.
  ///   - orphanCount: How many chunks that is in all.
  ///   - emptyTail: Chunks of zeroes after the last of them, which may be copies as well.
  ///   - runs: The exceptions that survive, each old and new chunk once.
  ///   - origin: The origin; nil if unknown.
  init(
    of orphans: [Orphan], count orphanCount: UInt64, emptyTail: [Orphan],
    besides runs: [ExceptionRun], in store: any BlockSource, _ geometry: StoreGeometry,
    origin: (any BlockSource)?,
    siblings: [Sibling]
  ) throws(BlockIOError) {
    var searches: [any EvidenceSearch] = []
    var unused: [SiblingUse] = []
    for sibling in siblings {
      if let search = SiblingSearch(sibling, runs, emptyTail: emptyTail, store, geometry) {
        searches.append(search)
      } else {
        unused.append(SiblingUse(name: sibling.store.name, verdict: .otherChunkSize))
      }
    }
    var starts: [UInt64] = []
    var fileSystemCount: UInt64 = 0
    if let origin, !orphans.isEmpty {
      let table = ExceptionTable(salvaged: runs, geometry)
      let view = SnapshotView(of: origin, through: table, of: store)
      starts = try Self.fileSystemStarts(view)
      for start in starts {
        let found = try Self.fileSystemSearches(view, at: start)
        if !found.isEmpty { fileSystemCount += 1 }
        searches += found
      }
    }
    if !orphans.isEmpty {
      searches.append(try SequenceSearch(runs, store, geometry, fileSystemStarts: starts))
    }
    let byteCountMax = Self.orphanByteCountMax / max(1, fileSystemCount)
    let listed = orphans.first(
      chunkCount: min(Self.orphanCountMax, byteCountMax / geometry.chunkSize.byteCount))
    try self.init(
      store, geometry, runs, listed, unlisted: orphanCount - listed.chunkCount,
      emptyTail: siblings.isEmpty ? [] : emptyTail,
      of: origin ?? MemorySource(name: "no origin", []),
      originChunkCount: origin.map { geometry.chunkCount(ofOrigin: $0.byteCount) } ?? .max,
      searches)
    self.siblings += unused
  }

  /// The searches for the structures of the file system that begins at a byte of a snapshot.
  private static func fileSystemSearches(
    _ view: SnapshotView, at start: UInt64
  ) throws(BlockIOError) -> [any EvidenceSearch] {
    let chunkByteCount = view.table.geometry.chunkSize.byteCount
    let searches: [(any EvidenceSearch)?] = [
      try Ext4FileMapper(view, start: start).map { FileDataSearch($0) },
      try XFSFileMapper(view, start: start).map { FileDataSearch($0) },
      try Ext4Search(view, start: start), try XFSSearch(view, at: start),
      try BtrfsSearch(view: view, at: start, chunkByteCount: chunkByteCount),
    ]
    return searches.compactMap(\.self)
  }

  /// The possible starts of file systems: with the snapshot, and with each partition, by the
  /// snapshot's partition table or, if it shows none, by the origin's.
  private static func fileSystemStarts(_ view: SnapshotView) throws(BlockIOError) -> [UInt64] {
    for source in [view, view.origin] as [any BlockSource] {
      do {
        guard let table = try Probe.identify(source).partitionTable else { continue }
        let starts = table.partitions.compactMap {
          $0.bytes(inSourceOf: view.byteCount)?.lowerBound
        }
        return [0] + starts.filter { $0 > 0 }.prefix(fileSystemCountMax)
      } catch .source(let error) {
        throw error
      } catch {
        continue  // libblkid had no memory: what it would have told is not known
      }
    }
    return [0]
  }

  private static let fileSystemCountMax = 16

  /// Finds the places of a store's orphans.
  ///
  /// - Parameter searches: What looks for evidence.
  init(
    _ store: any BlockSource, _ geometry: StoreGeometry, _ runs: [ExceptionRun],
    _ orphans: [Orphan], unlisted unlistedCount: UInt64 = 0, emptyTail: [Orphan] = [],
    of origin: any BlockSource, originChunkCount: UInt64? = nil, _ searches: [any EvidenceSearch]
  ) throws(BlockIOError) {
    let originChunkCount = originChunkCount ?? geometry.chunkCount(ofOrigin: origin.byteCount)
    let ascending = runs.sorted { $0.new < $1.new }
    // The table may not have continued there at all, so nothing proves that they belong to it.
    let doubtful = orphans.filter { $0.mayBeOthers(ofTable: runs) }.map {
      $0.new..<$0.new + $0.count
    }
    var searches = searches
    var seen = SeenOrphans()
    for index in searches.indices {
      searches[index].reserve(orphanCount: Int(clamping: orphans.chunkCount))
    }
    try OrphanReader(store, geometry, orphans).forEach { new, content in
      seen.add(new, content)
      for index in searches.indices { searches[index].look(at: new, content) }
    }
    // If nothing is left of a table, the orphans are all that there is. If all of them can be read,
    // they are taken for its chunks.
    let isWhole = unlistedCount == 0 && seen.readCount == orphans.chunkCount
    let orphans = runs.isEmpty && isWhole ? orphans.map(\.ofLostTable) : orphans
    let placeable = (orphans + emptyTail).sorted { $0.new < $1.new }
    var ledger = PlacementLedger(placeable, runs, originChunkCount: originChunkCount)
    func scene(
      _ placements: [ExceptionRun], _ known: OrphanPlaces
    ) -> PlacementScene {
      let table = ExceptionTable(salvaged: runs + placements, geometry)
      return PlacementScene(
        store: store, origin: origin, geometry: geometry, originChunkCount: originChunkCount,
        runs: ascending, orphans: orphans, unlistedCount: unlistedCount,
        view: SnapshotView(of: origin, through: table, of: store), proven: known)
    }
    let comparison = ChunkComparison(store, store, chunkByteCount: geometry.chunkSize.byteCount)
    func isSame(_ orphan: UInt64, _ other: UInt64) throws(BlockIOError) -> Bool {
      guard let start = geometry.byteOffset(of: Chunk(orphan)),
        let otherStart = geometry.byteOffset(of: Chunk(other))
      else { return false }
      return try comparison?.compare(start, otherStart).isSame ?? false
    }
    func isDoubtful(_ new: UInt64) -> Bool {
      let index = doubtful.indexOfFirst(endingAfter: new)
      return index < doubtful.count && doubtful[index].contains(new)
    }
    let unasked = searches
    var likely: [Evidence] = []
    for attempt in 0...Self.retractionCountMax {
      searches = unasked
      for _ in 0..<Self.roundCountMax {
        let now = scene(ledger.provenRuns, ledger.proven)
        var found: [Evidence] = []
        for index in searches.indices where !searches[index].provesNothing {
          found += try searches[index].evidence(in: now)
        }
        let split = found.partition { $0.strength == .likely || isDoubtful($0.new) }
        // A likely place stays likely.
        let known = Set(likely)
        likely += found[split...].lazy.map { $0.atMostLikely }.filter { !known.contains($0) }
        found.removeSubrange(split...)
        if try !ledger.prove(found, isSame: isSame) || ledger.hasRetracted { break }
      }
      if !ledger.hasRetracted { break }
      // Evidence built on a proof that was later contradicted may be wrong: all searches run again
      // without it; and if that does not end, no proof is accepted.
      let contradicted =
        attempt < Self.retractionCountMax
        ? ledger.contradicted : orphans.flatMap { Array($0.new..<$0.new + $0.count) }
      ledger = PlacementLedger(
        placeable, runs, originChunkCount: originChunkCount, contradicted: contradicted)
      likely = []
    }
    // Places that likely ones would prove, were they proven, are likely too, and so are mere
    // likelihoods.
    func scene(assuming likely: [Evidence]) -> PlacementScene {
      var guess = ledger
      guess.add(likely)
      return scene(guess.placements.map(\.run), guess.placed)
    }
    substitutes = searches.flatMap(\.substitutes)
    siblings = searches.compactMap(\.siblingUse)
    var isGrowing = !likely.isEmpty
    for _ in 0..<Self.roundCountMax where isGrowing {
      let now = scene(assuming: likely)
      let count = likely.count
      for index in searches.indices where !searches[index].provesNothing {
        likely += try searches[index].evidence(in: now).lazy
          .filter { now.proven[$0.new] == nil }.map(\.atMostLikely)
      }
      isGrowing = likely.count > count
    }
    // The data they keep of each orphan is no longer needed.
    searches.removeAll { !$0.provesNothing }
    let last = scene(assuming: likely)
    for index in searches.indices {
      var found = try searches[index].evidence(in: last)
      found.removeAll { $0.strength != .likely }
      // There may be millions: no second copy.
      if likely.isEmpty { swap(&likely, &found) } else { likely += found }
    }
    ledger.add(consume likely)
    placements = ledger.placements
    orphanCount =
      unlistedCount + orphans.chunkCount + placements.map(\.run).count(in: emptyTail)
    unplaced =
      seen.unplaced(orphans, placements, Set(ledger.contradicted))
      + Unplaced.all(unlistedCount, .tooMany)
    for placement in placements {
      switch placement.strength {
      case .proven: provenCount += placement.count
      case .likely: likelyCount += placement.count
      }
    }
  }

  /// More orphans are not examined: the state kept for each must fit in memory.
  static let orphanCountMax: UInt64 = 1 << 22
  /// Nor are more bytes of them: each file system keeps up to 17 bytes of each block.
  private static let orphanByteCountMax: UInt64 = 32 << 30

  /// A tree is proven from its root down, a level in each round.
  private static let roundCountMax = 32
  /// Contradictions that come late are rare; each costs all rounds again.
  private static let retractionCountMax = 3

  /// The bytes that may be read from siblings at a level.
  func substitutes(_ level: PlacementLevel) -> [Substitute] {
    substitutes.filter { level.uses($0.strength) }
  }

  /// The placements used at a level.
  public func placements(_ level: PlacementLevel) -> [Placement] {
    placements.filter { level.uses($0.strength) }
  }
}
