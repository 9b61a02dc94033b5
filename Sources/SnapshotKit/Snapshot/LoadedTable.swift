internal import BlockIO
public import SnapshotFormat

/// A store's table in one reading, and what that reading knows to be lost.
public struct LoadedTable: Sendable {
  /// The store.
  public let store: Store
  /// Where areas and chunks are.
  public let geometry: StoreGeometry
  /// What each chunk maps to.
  public let table: ExceptionTable
  /// How many exceptions the table has.
  public let exceptionCount: UInt64
  /// The chunks of the origin that the reading knows to be lost; none in a kernel's reading.
  public let lost: [LostChunks]
  /// The file system that the store is in, if any; and a salvage's decisions.
  public let findings: [Finding]
  /// Whether this is the table in use, rather than an older one because that is empty or lost.
  public let isCurrent: Bool
  /// Whether the table has all that it ever had, as far as its reading knows.
  public let isComplete: Bool
  /// Whether exceptions may be lost without a trace of what they were for.
  public let hasUnknownLosses: Bool
  /// How far Linux's own walk reaches; nil in the salvage reading.
  let extent: TableSummary?

  /// Reads the table of `store`.
  ///
  /// - Throws: If there is no store, or, unless it is salvaged, if Linux would not show its
  ///   snapshot.
  public init(_ store: Store, reading: Reading) throws(StoreError) {
    if reading == .salvage {
      self = try LoadedTable(SalvagePlan(store), generation: 0)
      return
    }
    let (geometry, extent) = try store.requireLoadable(reading)
    self.store = store
    self.geometry = geometry
    self.extent = extent
    exceptionCount = extent.exceptionCount
    findings = [store.surroundings?.finding].compactMap(\.self)
    (lost, hasUnknownLosses, isComplete, isCurrent) = ([], false, true, true)
    do throws(TableError) {
      table = try ExceptionTable(store, geometry, extent, reading: reading)
    } catch {
      throw .table(store.source.name, error)
    }
  }

  /// The table that a plan supports, in the generation of that number.
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
    extent = nil
  }

  /// What is lost of a snapshot of an origin of that length.
  public func lostRanges(originByteCount: UInt64) -> [LostRange] {
    lost.compactMap { $0.range(geometry, originByteCount: originByteCount) }
  }

  /// How many exceptions are past the end of the origin that a salvage was planned for; nil if none
  /// are.
  public var beyondOriginCount: UInt64? { findings.first { $0.code == .oldBeyondOrigin }?.count }
}
