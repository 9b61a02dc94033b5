internal import BlockIO

/// `inspect --format json`: the kind of a store, Linux's verdict on it, and its health.
///
///     {"schema": "dmsnap.inspect.v1", "store": {"path", "byteCount"},
///      "header": {"magic", "valid", "version", "chunkSectors"} | null,
///      "table": {"exceptionCount", "runCount", "areaCount", "usableCount"},
///      "unnamed": {"chunkCount", "byteCount"},
///      "placement": {"orphanCount", "provenCount", "likelyCount", "unplacedCount",
///                    "unplaced": [{"reason", "chunkCount", "byteCount"}],
///                    "siblings": [{"path", "verdict"}]},
///      "kernel": {"verdict": "loads" | "invalid" | "refuses" | "new", "reason", "status"},
///      "verdict": "healthy" | "usable" | "damaged" | "unusable" | "not-a-store",
///      "findings": {"note", "warning", "damage"},
///      "generations": [{"index", "current", "exceptionCount", "areaCount"}],
///      "snapshot": {"type", "label", "uuid"} | null,
///      "gaps": [{"byteOffset", "byteCount", "missingByteCount"}], "fileLosses": {…} | null}
///
/// `kernel.status` is null if `dmsetup status` has nothing to print, or prints what depends on more
/// than the store. `unnamed` are data chunks that were copied to but that no exception names, and
/// `placement` says how many of them have a place.
/// `snapshot` is what libblkid finds in the snapshot, if there is an origin.
public struct InspectReport: Encodable, Sendable {
  let schema = "dmsnap.inspect.v1"
  let store: Place
  @Nullable var header: HeaderReport?
  let table: Table
  let unnamed: UnnamedReport
  let placement: PlacementReport
  let kernel: Kernel
  let verdict: String
  let findings: Findings
  let generations: [Generation]
  @Nullable var snapshot: Content?
  let gaps: [GapReport]
  @Nullable var fileLosses: LostFilesReport?

  struct Place: Encodable {
    let path: String
    let byteCount: UInt64
  }

  struct Table: Encodable {
    let exceptionCount: UInt64
    let runCount: UInt64
    let areaCount: UInt64
    let usableCount: UInt64
  }

  struct Kernel: Encodable {
    let verdict: String
    let reason: String
    @Nullable var status: String?
  }

  struct Findings: Encodable {
    let note: Int
    let warning: Int
    let damage: Int
  }

  struct Generation: Encodable {
    let index: Int
    let current: Bool
    let exceptionCount: UInt64
    let areaCount: UInt64
  }

  struct Content: Encodable {
    let type: String
    @Nullable var label: String?
    @Nullable var uuid: String?
  }

  /// The report of an audit, with the content of the snapshot and the files with losses, if known.
  public init(_ audit: Audit, content: ContentIdentity?, _ files: [LostFiles]? = nil) {
    fileLosses = files.map { LostFilesReport($0) }
    store = Place(path: audit.store.source.name, byteCount: audit.store.source.byteCount)
    header = audit.store.header.map { HeaderReport($0) }
    table = Table(
      exceptionCount: audit.extent?.exceptionCount ?? 0, runCount: audit.extent?.runCount ?? 0,
      areaCount: audit.extent?.areaCount ?? 0, usableCount: audit.usableCount)
    unnamed = UnnamedReport(audit.unnamedCount, audit.geometry)
    placement = PlacementReport(audit.placement, audit.geometry)
    kernel = Kernel(
      verdict: audit.load.verdict.rawValue, reason: audit.load.reason, status: audit.load.status)
    verdict = audit.verdict.rawValue
    findings = Findings(
      note: audit.count(of: .note), warning: audit.count(of: .warning),
      damage: audit.count(of: .damage))
    generations = audit.generations.map {
      Generation(
        index: $0.index, current: $0.isCurrent, exceptionCount: $0.exceptionCount,
        areaCount: $0.areaCount)
    }
    gaps = (audit.plan?.gaps ?? []).map { GapReport($0) }
    snapshot = content.map { Content(type: $0.type, label: $0.label, uuid: $0.uuid) }
  }
}
