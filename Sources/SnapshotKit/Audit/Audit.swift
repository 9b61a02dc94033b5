public import SnapshotFormat

/// The result of an audit.
public struct Audit: Sendable {
  /// The reach of an audit.
  public enum Depth: Sendable {
    /// Metadata, and the content of the snapshot and the origin.
    case content
    /// The data of every exception as well: it is compared with the origin, if there is one, and
    /// searched for blocks of zeroes.
    case data
  }

  /// The walk over the table that the audit is based on.
  let walk: TableWalk
  /// The number of usable exceptions: those that are possible and unique, or that a salvage keeps.
  public let usableCount: UInt64
  /// The plan for a salvage; nil if there is nothing to salvage.
  public let plan: SalvagePlan?
  /// Everything that was found, the worst first, otherwise in the catalogue's order.
  public private(set) var findings: [Finding]
  /// Whether this is a store at all.
  public let isStore: Bool
  /// The comparison of snapshot and origin by content; nil without an origin, if there is nothing
  /// to salvage, or if only metadata was read.
  public internal(set) var origin: OriginCheck?
  /// The placement of orphans.
  public internal(set) var placement: PlacementPlan

  init(
    _ walk: TableWalk, usableCount: UInt64, plan: SalvagePlan?, findings: [Finding], isStore: Bool
  ) {
    self.walk = walk
    self.usableCount = usableCount
    self.plan = plan
    self.findings = []
    self.isStore = isStore
    placement = PlacementPlan(
      unplaced: plan?.generations.first?.orphanCount ?? 0, because: .notLookedFor)
    for finding in findings { add(finding) }
  }

  /// The store that was examined.
  public var store: Store { walk.store }
  /// Linux's handling of the store.
  public var load: KernelLoad { walk.load }
  /// Where areas and chunks are, and how that is known.
  package var inferred: InferredGeometry { walk.inferred }
  /// The extent of the table by that geometry.
  public var extent: TableSummary? { walk.extent }
  /// The content of a source that is not a store, if known.
  public var content: OtherContent? { walk.content }

  /// Where areas and chunks are: by the header, or otherwise by the areas.
  public var geometry: StoreGeometry? { inferred.geometry }

  /// Adds a finding in its place.
  mutating func add(_ finding: Finding) {
    let order = FindingCode.allCases
    let index = findings.firstIndex { other in
      if other.severity != finding.severity { return other.severity < finding.severity }
      return order.firstIndex(of: other.code) ?? 0 > order.firstIndex(of: finding.code) ?? 0
    }
    findings.insert(finding, at: index ?? findings.endIndex)
  }

  /// The maximum number of data chunks that were copied to but that no exception names.
  public var unnamedCount: UInt64 {
    if let plan { return plan.generations.first?.orphanCount ?? 0 }
    return findings.first { $0.code == .leakedChunks }?.count ?? 0
  }

  /// Whether they are all after the end of the table, or nothing is left of that, so that it is in
  /// doubt whether any was.
  public var isUnnamedInDoubt: Bool {
    guard let generation = plan?.generations.first, !generation.orphans.isEmpty else {
      return false
    }
    return generation.orphans.allSatisfy { $0.mayBeOthers(ofTable: generation.runs) }
  }

  /// The state of a store, in a word.
  public enum Verdict: String, Sendable {
    /// Linux loads it, and nothing is wrong.
    case healthy
    /// Linux loads it, but there are warnings.
    case usable
    /// Something is lost or out of Linux's reach, but there are usable exceptions.
    case damaged
    /// No exception is usable.
    case unusable
    /// There is no store here.
    case notAStore = "not-a-store"
  }

  /// The state of the store, in a word.
  public var verdict: Verdict {
    guard isStore else { return .notAStore }
    guard let extent else { return .unusable }
    switch findings.map(\.severity).max() {
    case .damage:
      let isNothingLeft =
        usableCount == 0
        && (extent.end == .beyondEnd(AreaIndex(0)) || extent.exceptionCount > 0)
      return isNothingLeft ? .unusable : .damaged
    case .warning: return .usable
    default: return load.verdict == .loads ? .healthy : .damaged
    }
  }

  /// The number of findings of that severity.
  public func count(of severity: Severity) -> Int {
    findings.count { $0.severity == severity }
  }
}

extension Audit {
  /// A generation in brief.
  public struct GenerationSummary: Equatable, Sendable {
    /// Its number: 0 for the newest.
    public let index: Int
    /// Whether it is the table in use.
    public let isCurrent: Bool
    /// The number of exceptions.
    public let exceptionCount: UInt64
    /// The number of areas.
    public let areaCount: UInt64
  }

  /// The generations of the store, the newest first.
  public var generations: [GenerationSummary] {
    if let plan, !plan.generations.isEmpty {
      return plan.generations.map {
        GenerationSummary(
          index: $0.index, isCurrent: $0.isCurrent, exceptionCount: $0.exceptionCount,
          areaCount: UInt64($0.areas.count))
      }
    }
    guard isStore, let extent else { return [] }
    return [
      GenerationSummary(
        index: 0, isCurrent: true, exceptionCount: extent.exceptionCount,
        areaCount: extent.areaCount)
    ]
  }
}
