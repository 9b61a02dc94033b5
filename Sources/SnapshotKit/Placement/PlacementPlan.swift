internal import BlockIO
internal import SnapshotFormat

/// Where orphans belong: the old chunk of each for which there is evidence.
///
/// It is made before anything is written. Every orphan is read once; then the searches are asked
/// for evidence until nobody proves anything more. Two proofs that contradict each other prove
/// nothing. What is likely is looked for among the rest, and mixes with no proof.
public struct PlacementPlan: Sendable {
  /// What was placed, ascending by new chunk; each orphan, and each chunk of the origin, once.
  public private(set) var placements: [Placement] = []
  /// How many orphans there are.
  public let orphanCount: UInt64
  /// How many of them have a proven place.
  public private(set) var provenCount: UInt64 = 0
  /// How many of them have a likely place.
  public private(set) var likelyCount: UInt64 = 0

  /// What of the store can be read from siblings where it cannot be read itself.
  private(set) var substitutes: [Substitute] = []

  /// How many have no place.
  public var unplacedCount: UInt64 { orphanCount - provenCount - likelyCount }

  /// Nothing placed of that many orphans.
  init(unplaced orphanCount: UInt64) { self.orphanCount = orphanCount }

  /// Finds the places of a store's orphans by every kind of evidence.
  ///
  /// - Parameters:
  ///   - orphans: What no exception names, ascending.
  ///   - unlistedCount: How many more there are.
  ///   - runs: The exceptions that survive, each old and new chunk once.
  ///   - origin: What the snapshot was taken of; nil if that is not known.
  init(
    of orphans: [Orphan], unlisted unlistedCount: UInt64, besides runs: [ExceptionRun],
    in store: any BlockSource, _ geometry: StoreGeometry, origin: (any BlockSource)?,
    siblings: [Sibling]
  ) throws(BlockIOError) {
    var searches: [any EvidenceSearch] = []
    for sibling in siblings {
      if let search = SiblingSearch(sibling, runs, store, geometry) { searches.append(search) }
    }
    if let origin, !orphans.isEmpty {
      let table = ExceptionTable(salvaged: runs, geometry)
      searches += try Self.fileSystemSearches(SnapshotView(of: origin, through: table, of: store))
    }
    if !orphans.isEmpty { searches.append(try SequenceSearch(runs, store, geometry)) }
    try self.init(
      store, geometry, runs, orphans, unlisted: unlistedCount,
      of: origin ?? MemorySource(name: "no origin", []),
      originChunkCount: origin.map { geometry.chunkCount(ofOrigin: $0.byteCount) } ?? .max,
      searches)
  }

  /// What looks for the structures of the file system in a snapshot.
  private static func fileSystemSearches(
    _ view: SnapshotView
  ) throws(BlockIOError) -> [any EvidenceSearch] {
    let files = try Ext4FileMapper(view).map { FileDataSearch($0) }
    let found: [(any EvidenceSearch)?] = [
      files,
      try Ext4Search(view), try XFSSearch(view),
      try BtrfsSearch(view: view, chunkByteCount: view.table.geometry.chunkSize.byteCount),
    ]
    return found.compactMap(\.self)
  }

  /// Finds the places of a store's orphans.
  ///
  /// - Parameter searches: What looks for evidence.
  init(
    _ store: any BlockSource, _ geometry: StoreGeometry, _ runs: [ExceptionRun],
    _ orphans: [Orphan], unlisted unlistedCount: UInt64 = 0, of origin: any BlockSource,
    originChunkCount: UInt64? = nil, _ searches: [any EvidenceSearch]
  ) throws(BlockIOError) {
    let originChunkCount = originChunkCount ?? geometry.chunkCount(ofOrigin: origin.byteCount)
    orphanCount = orphans.reduce(unlistedCount) { $0 + $1.count }
    let ascending = runs.sorted { $0.new < $1.new }
    var searches = searches
    if searches.isEmpty { return }
    try OrphanReader(store, geometry, orphans).forEach { new, content in
      for index in searches.indices { searches[index].look(at: new, content) }
    }
    var ledger = PlacementLedger(orphans, runs, originChunkCount: originChunkCount)
    func scene(
      _ placements: [ExceptionRun], _ known: [UInt64: UInt64]
    ) -> PlacementScene {
      let table = ExceptionTable(salvaged: runs + placements, geometry)
      return PlacementScene(
        store: store, origin: origin, geometry: geometry, originChunkCount: originChunkCount,
        runs: ascending, orphans: orphans,
        view: SnapshotView(of: origin, through: table, of: store), proven: known)
    }
    var likely: [Evidence] = []
    for _ in 0..<Self.roundCountMax {
      let now = scene(ledger.provenRuns, ledger.proven)
      var found: [Evidence] = []
      for index in searches.indices where !searches[index].provesNothing {
        found += try searches[index].evidence(in: now)
      }
      likely = found.filter { $0.strength == .likely }
      if !ledger.prove(found.filter { $0.strength == .proven }) { break }
    }
    // What proves nothing may build on what is likely.
    var guess = ledger
    guess.add(likely)
    let last = scene(guess.placements.map(\.run), guess.placed)
    for index in searches.indices where searches[index].provesNothing {
      likely += try searches[index].evidence(in: last).filter { $0.strength == .likely }
    }
    ledger.add(likely)
    substitutes = searches.flatMap(\.substitutes)
    placements = ledger.placements
    for placement in placements {
      switch placement.strength {
      case .proven: provenCount += placement.count
      case .likely: likelyCount += placement.count
      }
    }
  }

  /// A tree is proven from its root down, a level in each round.
  private static let roundCountMax = 32

  /// What is used at a level.
  public func placements(_ level: PlacementLevel) -> [Placement] {
    placements.filter { level.uses($0.strength) }
  }
}
