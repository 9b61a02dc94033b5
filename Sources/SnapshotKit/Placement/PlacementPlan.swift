internal import BlockIO
internal import SnapshotFormat

/// Where orphans belong: the old chunk of each for which there is evidence.
///
/// It is made before anything is written. Every orphan is read once; then the searches are asked
/// for evidence until nobody proves anything more. Two proofs that contradict each other prove
/// nothing. What is likely is looked for among the rest, and mixes with no proof.
public struct PlacementPlan: Sendable {
  /// What was placed, ascending by new chunk; each orphan and each chunk of the origin at most once.
  public private(set) var placements: [Placement] = []
  /// How many orphans there are.
  public let orphanCount: UInt64
  /// How many of them have a proven place.
  public private(set) var provenCount: UInt64 = 0
  /// How many of them have a likely place.
  public private(set) var likelyCount: UInt64 = 0
  /// How many chunks of the store had proofs of more than one place.
  public private(set) var contradictedCount: UInt64 = 0

  /// How many have no place.
  public var unplacedCount: UInt64 { orphanCount - provenCount - likelyCount }

  /// Nothing placed of that many orphans.
  init(unplaced orphanCount: UInt64) { self.orphanCount = orphanCount }

  /// Finds the places of a generation's orphans.
  ///
  /// - Parameters:
  ///   - store: The store.
  ///   - runs: The exceptions that survive, each old and new chunk once.
  ///   - orphans: What no exception names, ascending.
  ///   - origin: What the snapshot was taken of.
  ///   - searches: What looks for evidence.
  init(
    _ store: any BlockSource, _ geometry: StoreGeometry, _ runs: [ExceptionRun],
    _ orphans: [Orphan], of origin: any BlockSource, _ searches: [any EvidenceSearch]
  ) throws(BlockIOError) {
    orphanCount = orphans.reduce(0) { $0 + $1.count }
    let ascending = runs.sorted { $0.new < $1.new }
    var searches = searches
    if orphans.isEmpty || searches.isEmpty { return }
    try OrphanReader(store, geometry, orphans).forEach { new, content in
      for index in searches.indices { searches[index].look(at: new, content) }
    }
    var ledger = PlacementLedger(
      orphans, runs, originChunkCount: geometry.chunkCount(ofOrigin: origin.byteCount))
    func scene() -> PlacementScene {
      let table = ExceptionTable(salvaged: runs + ledger.provenRuns, geometry)
      return PlacementScene(
        store: store, origin: origin, geometry: geometry, runs: ascending, orphans: orphans,
        view: SnapshotView(of: origin, through: table, of: store), proven: ledger.proven)
    }
    var likely: [Evidence] = []
    for _ in 0..<Self.roundCountMax {
      let now = scene()
      var found: [Evidence] = []
      for index in searches.indices { found += try searches[index].evidence(in: now) }
      likely = found.filter { $0.strength == .likely }
      if !ledger.prove(found.filter { $0.strength == .proven }) { break }
    }
    ledger.add(likely)
    placements = ledger.placements
    contradictedCount = ledger.contradictedCount
    for placement in placements {
      switch placement.strength {
      case .proven: provenCount += placement.count
      case .likely: likelyCount += placement.count
      }
    }
  }

  /// A tree is proven from its root down, a level in each round.
  private static let roundCountMax = 32

  /// The exceptions that are used at a level.
  func runs(_ level: PlacementLevel) -> [ExceptionRun] {
    placements.filter { level.uses($0.strength) }.map(\.run)
  }
}
