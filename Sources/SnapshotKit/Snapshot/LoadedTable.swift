internal import BlockIO
public import SnapshotFormat

/// A store's table by one reading, and what that reading knows to be lost.
public struct LoadedTable: Sendable {
  public let store: Store
  public let geometry: StoreGeometry
  public let table: ExceptionTable
  /// How many exceptions the table is made of.
  public let exceptionCount: UInt64
  /// The chunks of the origin that the reading knows to be lost; none in a kernel's reading.
  public let lost: [LostChunks]
  /// Where the store lies in a file system, that; and what was decided in a salvage, and why.
  public let findings: [Finding]
  /// Whether this is the table in use, and not an older one, the one in use being empty or lost.
  public let isCurrent: Bool
  /// Whether the table has all that it ever had, as far as its reading knows.
  public let isComplete: Bool
  /// Whether exceptions may be lost of which nobody knows what they were for.
  public let hasUnknownLosses: Bool
  /// How far Linux's own walk reaches; nil in the salvage reading.
  var extent: TableSummary? { walk?.extent }
  /// The walk that the table was read in; nil in the salvage reading.
  let walk: TableWalk?

  /// Reads the table of `store`, in one walk over its areas.
  ///
  /// - Parameter originByteCount: How long the origin is, where that is known.
  /// - Throws: When there is no store, or, unless it is salvaged, none whose snapshot Linux would
  ///   show.
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
    guard let result = walk.table, let extent = walk.extent else {
      throw store.loadError(walk.load, walk.inferred.geometry, walk.content)
    }
    self.store = store
    self.walk = walk
    exceptionCount = extent.exceptionCount
    findings = [store.surroundings?.finding].compactMap(\.self)
    (lost, hasUnknownLosses, isComplete, isCurrent) = ([], false, true, true)
    do throws(TableError) { table = try result.get() } catch {
      throw .table(store.source.name, error)
    }
    geometry = table.geometry
  }

  /// The table that a plan supports, of the generation of that number.
  public init(_ plan: SalvagePlan, generation index: Int) throws(StoreError) {
    let generation = try plan.generation(index)
    store = plan.store
    geometry = plan.geometry
    table = ExceptionTable(salvaged: generation.runs, plan.geometry)
    exceptionCount = generation.exceptionCount
    lost = generation.lost
    findings = [store.surroundings?.finding].compactMap(\.self) + generation.findings
    (hasUnknownLosses, isComplete) = (generation.hasUnknownLosses, generation.isComplete)
    isCurrent = generation.isCurrent
    walk = nil
  }

  /// What is lost of a snapshot of an origin of that length.
  public func lostRanges(originByteCount: UInt64) -> [LostRange] {
    lost.compactMap { $0.range(geometry, originByteCount: originByteCount) }
  }

  /// How many exceptions lie behind the end of the origin that a salvage was planned for; nil if
  /// none does.
  public var beyondOriginCount: UInt64? { findings.first { $0.code == .oldBeyondOrigin }?.count }

  /// Whether an older table is left near the beginning of a store whose table is empty.
  var hasOlderTable: Bool {
    guard let inferred = walk?.inferred,
      // It fails only where a device does, and then the merge will say so.
      let plan = try? SalvagePlan(
        store, inferred, geometry, originByteCount: nil, reach: .near(256))
    else { return false }
    return plan.generations.contains { $0.exceptionCount > 0 }
  }
}
