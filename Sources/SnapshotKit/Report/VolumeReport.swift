internal import BlockIO
internal import FoundationEssentials
public import LVM2

/// `lvm list --format json`: the volume groups, their volumes and snapshots, and, on request, the
/// earlier versions of their metadata.
///
///     {"schema": "dmsnap.lvm-list.v1", "orphans": [{"path", "uuid", "problems": ["…"]}],
///      "volumeGroups": [{"name", "uuid", "seqno", "missing": ["uuid"], "problems": ["…"],
///        "physicalVolumes": [{"name", "uuid", "path" | null}],
///        "logicalVolumes": [{"name", "uuid", "byteCount", "type", "supported", "complete"}],
///        "snapshots": [{"name", "origin", "chunkSectors", "merging", "verdict", "fill", "complete"}],
///        "gone": [{"name", "origin", "seqno"}],
///        "history": [{"seqno", "description", "time", "snapshots": [{"name", "origin"}]}]}]}
///
/// `gone` are the snapshots that earlier versions had, each with the last that did. `verdict` is
/// that of `inspect`, "overflowed" where Linux invalidated the snapshot, or "not-supported" where
/// the store is laid out in a way that is not read; `fill` how much of the store is used, in
/// percent, where Linux would say so; `time` in the form of ISO 8601. `history` begins with the
/// version in use, and is left out unless asked for.
public struct VolumeReport: Encodable, Sendable {
  let schema = "dmsnap.lvm-list.v1"
  public let orphans: [Orphan]
  public let volumeGroups: [Group]

  public struct Orphan: Encodable, Sendable {
    public let path: String
    public let uuid: String
    public let problems: [String]
  }

  public struct Group: Encodable, Sendable {
    public let name: String
    public let uuid: String
    public let seqno: UInt64
    public let missing: [String]
    public let problems: [String]
    public let physicalVolumes: [PhysicalVolume]
    public let logicalVolumes: [Volume]
    public let snapshots: [Snapshot]
    public let gone: [Gone]
    public let history: [Version]?
  }

  public struct PhysicalVolume: Encodable, Sendable {
    public let name: String
    public let uuid: String
    @Nullable public var path: String?
  }

  public struct Volume: Encodable, Sendable {
    public let name: String
    public let uuid: String
    public let byteCount: UInt64
    /// lvm2's name for the way in which its first segment is mapped.
    public let type: String
    /// Whether it is laid out in a way that is read.
    public let supported: Bool
    /// Whether all that it lies on is there.
    public let complete: Bool
  }

  public struct Snapshot: Encodable, Sendable {
    public let name: String
    public let origin: String
    public let chunkSectors: UInt64
    public let merging: Bool
    public let verdict: String
    @Nullable public var fill: Double?
    public let complete: Bool
  }

  public struct Gone: Encodable, Sendable {
    public let name: String
    public let origin: String
    /// The last version that had it.
    public let seqno: UInt64
  }

  public struct Version: Encodable, Sendable {
    public let seqno: UInt64
    public let description: String
    @Nullable public var time: String?
    public let snapshots: [Pair]

    public struct Pair: Encodable, Sendable {
      public let name: String
      public let origin: String
    }
  }

  /// Looks at what was found; of stores, at their metadata.
  ///
  /// - Parameter seqno: Which version of a group to show; the newest where it has none of that
  ///   number.
  public init(
    _ catalog: VolumeCatalog, seqno: UInt64? = nil, withHistory: Bool
  ) throws(VolumeError) {
    orphans = catalog.orphans.map { orphan in
      Orphan(
        path: orphan.source.name, uuid: "\(orphan.label.uuid)",
        problems: (catalog.orphanProblems[orphan.label.uuid] ?? []).map(\.description))
    }
    var groups: [Group] = []
    for found in catalog.groups {
      groups.append(try Group(found, found.version(seqno), withHistory: withHistory))
    }
    volumeGroups = groups
  }
}

extension VolumeReport.Group {
  init(
    _ found: FoundVolumeGroup, _ version: VolumeGroup, withHistory: Bool
  ) throws(VolumeError) {
    name = version.name
    uuid = "\(version.uuid)"
    seqno = version.seqno
    missing = found.missing(in: version).map { "\($0.uuid)" }
    problems = found.problems.map(\.description)
    physicalVolumes = version.physicalVolumes.map {
      VolumeReport.PhysicalVolume(
        name: $0.name, uuid: "\($0.uuid)", path: found.member($0.uuid)?.source.name)
    }
    let mapper = found.mapper(version)
    logicalVolumes = version.wholeVolumes.map { volume in
      let source = try? mapper.source(of: volume.name)
      return VolumeReport.Volume(
        name: volume.name, uuid: "\(volume.uuid)",
        byteCount: volume.extentCount.multipliedReportingOverflow(by: version.extentByteCount)
          .partialValue,
        type: volume.type, supported: source != nil, complete: source?.isComplete == true)
    }
    var snapshots: [VolumeReport.Snapshot] = []
    for snapshot in version.snapshots {
      snapshots.append(try VolumeReport.Snapshot(snapshot, found, version))
    }
    self.snapshots = snapshots
    let history: [VolumeGroup]
    do throws(BlockIOError) { history = try found.history() } catch { throw .io(error) }
    gone = Self.gone(history, since: version)
    self.history = withHistory ? history.map { VolumeReport.Version($0) } : nil
  }

  /// The snapshots of earlier versions that a version has not.
  private static func gone(
    _ history: [VolumeGroup], since version: VolumeGroup
  ) -> [VolumeReport.Gone] {
    func uuid(of snapshot: VolumeGroup.Snapshot, in group: VolumeGroup) -> LVMIdentifier? {
      group.logicalVolumes.first { $0.name == snapshot.store }?.uuid
    }
    var seen = Set(version.snapshots.map { uuid(of: $0, in: version) })
    return history.filter { $0.seqno < version.seqno }.flatMap { older in
      older.snapshots.filter { seen.insert(uuid(of: $0, in: older)).inserted }.map {
        VolumeReport.Gone(name: $0.store, origin: $0.origin, seqno: older.seqno)
      }
    }
  }
}

extension VolumeReport.Snapshot {
  /// The verdict on a snapshot that Linux invalidated.
  private static let overflowed = "overflowed"

  /// How bad it is; nil for a snapshot that is healthy, or of which nothing is known.
  public var severity: Severity? {
    if verdict == Self.overflowed { return .damage }
    return switch Audit.Verdict(rawValue: verdict) {
    case .damaged, .unusable, .notAStore: .damage
    case .usable: .warning
    case .healthy, nil: nil
    }
  }

  init(
    _ snapshot: VolumeGroup.Snapshot, _ found: FoundVolumeGroup, _ version: VolumeGroup
  ) throws(VolumeError) {
    name = snapshot.store
    origin = snapshot.origin
    chunkSectors = snapshot.chunkSectors
    merging = snapshot.isMerging
    let volume: SnapshotVolume
    do throws(VolumeError) { volume = try SnapshotVolume(snapshot, of: version, found) } catch {
      guard case .unsupported = error else { throw error }
      (verdict, fill, complete) = ("not-supported", nil, false)
      return
    }
    let audit = Auditor(Store(volume.store), origin: volume.origin, volume: volume).audit()
    verdict = audit.load.verdict == .invalid ? Self.overflowed : audit.verdict.rawValue
    fill = audit.load.fill.map { ($0 * 10000).rounded() / 100 }
    complete =
      volume.store.isComplete
      && (try? found.mapper(version).source(of: snapshot.origin))?.isComplete == true
  }
}

extension VolumeReport.Version {
  init(_ version: VolumeGroup) {
    seqno = version.seqno
    description = version.description
    time = version.creationTime.map {
      Date(timeIntervalSince1970: Double($0)).formatted(.iso8601)
    }
    snapshots = version.snapshots.map { Pair(name: $0.store, origin: $0.origin) }
  }
}
