public import BlockIO
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
  private let extent: TableExtent?

  /// Reads the table of `store`.
  ///
  /// - Throws: When there is no store, or, unless it is salvaged, none whose snapshot Linux would
  ///   show.
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
    extent = nil
  }

  /// What is lost of a snapshot of an origin of that length.
  public func lostRanges(originByteCount: UInt64) -> [LostRange] {
    lost.compactMap { $0.range(geometry, originByteCount: originByteCount) }
  }

  /// How many exceptions lie behind the end of the origin that a salvage was planned for; nil if
  /// none does.
  public var beyondOriginCount: UInt64? { findings.first { $0.code == .oldBeyondOrigin }?.count }

  /// The first reason for which Linux's own merge into an origin of that size would not end with
  /// what the snapshot shows, or nil.
  public func mergeObstacle(
    originByteCount: UInt64
  ) throws(StoreError) -> MergeObstacle? {
    guard let extent else { return nil }
    do throws(TableError) {
      return try KernelMerge(table, originByteCount: originByteCount).obstacle(in: store, extent)
    } catch {
      throw .table(store.source.name, error)
    }
  }
}

extension Store {
  /// Where a table lies and how far it reaches, if Linux loads it.
  public func requireLoadable(
    _ reading: Reading
  ) throws(StoreError) -> (StoreGeometry, TableExtent) {
    let load = KernelLoad(self, reading: reading)
    guard load.verdict == .loads, let geometry, let extent = load.extent else {
      let geometry = InferredGeometry(self).geometry
      let content = OtherContent.contradicting(self, geometry)
      throw (geometry == nil || content != nil) && !isRecognised
        ? .notAStore(source.name, content) : .notLoadable(source.name, load)
    }
    return (geometry, extent)
  }
}

/// Why there is no table to work with.
public enum StoreError: Error, Sendable, CustomStringConvertible {
  /// Nothing in the bytes speaks for a store, or they are something else, if it is known what.
  case notAStore(String, OtherContent?)
  /// There is a store, but Linux would not show its snapshot.
  case notLoadable(String, KernelLoad)
  /// Linux does not get to the end of the table.
  case table(String, TableError)
  /// There are no so many generations.
  case noGeneration(String, Int, count: Int)
  /// The medium cannot be read at all.
  case io(BlockIOError)

  public var description: String {
    switch self {
    case .notAStore(let name, let content?):
      "\(name): no COW store here, but \(content): \(content.advice)"
    case .notAStore(let name, nil):
      "\(name): no COW store here: neither a header nor areas of one"
    case .notLoadable(let name, let load):
      "\(name): Linux \(Self.words(load.verdict)): \(load.reason);"
        + " `--reading salvage` reads what is there, `dmsnap inspect` says what to do"
    case .table(let name, let error): "\(name): \(error)"
    case .noGeneration(let name, let index, let count):
      "\(name): there is no generation \(index): "
        + (count == 0 ? "nothing was copied to this store" : "the oldest is \(count - 1)")
    case .io(let error): error.description
    }
  }

  private static func words(_ verdict: KernelLoad.Verdict) -> String {
    switch verdict {
    case .loads, .refuses: "refuses this store"
    case .invalid: "shows nothing of this snapshot"
    case .new: "would take this store for new"
    }
  }
}
