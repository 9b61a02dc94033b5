public import BlockIO
public import SnapshotFormat

/// A store's table in one reading, and the losses that the reading knows.
public struct LoadedTable: Sendable {
  /// The store.
  public let store: Store
  /// The places of areas and chunks.
  public let geometry: StoreGeometry
  /// The mapping of each chunk.
  public let table: ExceptionTable
  /// The number of exceptions in the table.
  public let exceptionCount: UInt64
  /// The chunks of the origin that the reading knows to be lost; none in a kernel's reading.
  public let lost: [LostChunks]
  /// The file system that the store is in, if any; and a salvage's decisions.
  public let findings: [Finding]
  /// Whether this is the table in use, rather than an older one because that is empty or lost.
  public let isCurrent: Bool
  /// Whether the table has all that it ever had, as far as its reading knows.
  public let isComplete: Bool
  /// Whether exceptions may be lost whose old chunks are unknown.
  public let hasUnknownLosses: Bool
  /// The extent of Linux's own walk; nil in the salvage reading.
  var extent: TableSummary? { walk?.load.extent }
  /// The walk that the table was read in; nil in the salvage reading.
  let walk: TableWalk?
  /// The salvaged table, with its placements; nil in a kernel's reading.
  public let generation: Generation?
  /// The placement of orphans; a kernel's reading has none.
  public let placement: PlacementPlan

  /// Reads the table of `store`, in one walk over its areas.
  ///
  /// - Parameter originByteCount: The length of the origin, if known.
  /// - Throws: If there is no store, or, unless it is salvaged, if Linux would not show its
  ///   snapshot.
  public init(
    _ store: Store, reading: Reading, originByteCount: UInt64? = nil
  ) throws(StoreError) {
    if reading == .salvage {
      let plan = try SalvagePlan(store, originByteCount: originByteCount)
      self = try LoadedTable(plan, generation: 0)
      return
    }
    let walk = TableWalk(
      store, reading: reading, originByteCount: originByteCount, keepsTable: true)
    guard let result = walk.table, let extent = walk.load.extent else {
      throw store.loadError(walk.load, walk.inferred.geometry, walk.content)
    }
    self.store = store
    self.walk = walk
    exceptionCount = extent.exceptionCount
    findings = [store.surroundings?.finding].compactMap(\.self)
    (lost, hasUnknownLosses, isComplete, isCurrent) = ([], false, true, true)
    (generation, placement) = (nil, PlacementPlan(unplaced: 0, because: .notLookedFor))
    table = try wrapping(store.explained(table:), try result.get())
    geometry = table.geometry
  }

  /// The table that a plan supports, in the generation of that number.
  ///
  /// - Parameters:
  ///   - origin: What the snapshot was taken of, if known: most evidence for places needs it.
  ///   - placing: Which orphans are placed.
  public init(
    _ plan: SalvagePlan, generation index: Int, of origin: (any BlockSource)? = nil,
    placing: Placing = Placing()
  ) throws(StoreError) {
    let found = try plan.generation(index)
    let placement =
      placing.level == .none
      ? PlacementPlan(unplaced: found.orphanCount, because: .notLookedFor)
      : try plan.placements(of: found, origin: origin, siblings: placing.siblings)
    self.init(plan, found, placement, placing.level)
  }

  /// The table of a generation, with the placements of a level.
  init(
    _ plan: SalvagePlan, _ found: Generation, _ placement: PlacementPlan, _ level: PlacementLevel
  ) {
    let generation = found.placing(placement, level)
    (self.generation, self.placement) = (generation, placement)
    let substitutes = placement.substitutes(level)
    store =
      substitutes.isEmpty ? plan.store : plan.store.reading(substitutes, plan.geometry)
    geometry = plan.geometry
    table = ExceptionTable(salvaged: generation.runs, plan.geometry)
    exceptionCount = generation.exceptionCount
    lost = generation.lost
    findings = [store.surroundings?.finding].compactMap(\.self) + generation.findings
    (hasUnknownLosses, isComplete) = (generation.hasUnknownLosses, generation.isComplete)
    isCurrent = generation.isCurrent
    walk = nil
  }

  /// The losses of a snapshot of an origin of that length.
  public func lostRanges(originByteCount: UInt64) -> [LostRange] {
    lost.compactMap { $0.range(geometry, originByteCount: originByteCount) }
  }

  /// The number of exceptions past the end of the origin that a salvage was planned for; nil if
  /// there are none.
  var beyondOriginCount: UInt64? { findings.first { $0.code == .oldBeyondOrigin }?.count }

  /// Whether a store whose table is empty still holds an older one near its beginning.
  var hasOlderTable: Bool {
    guard let inferred = walk?.inferred,
      // This fails only if a device does, and the merge then reports that.
      let plan = try? SalvagePlan(
        store, inferred, geometry, originByteCount: nil, reach: .nearby)
    else { return false }
    return plan.generations.contains { $0.exceptionCount > 0 }
  }
}
