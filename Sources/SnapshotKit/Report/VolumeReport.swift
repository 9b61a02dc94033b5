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
///        "snapshots": [{"name", "origin", "chunkSectors", "merging", "verdict", "fill",
///        "complete"}],
///        "gone": [{"name", "origin", "seqno"}],
///        "history": [{"seqno", "description", "time", "snapshots": [{"name", "origin"}]}]}]}
///
/// `gone` are the snapshots that earlier versions had, each with the last that did. `verdict` is
/// that of `inspect`, "overflowed" if Linux invalidated the snapshot, or "not-supported" if the
/// layout of the store is not supported; `fill` is how much of the store is used, in percent, if
/// Linux would say so; `time` is in ISO 8601. `history` begins with the version in use, and is
/// present only if requested.
public struct VolumeReport: Encodable, Sendable {
  let schema = "dmsnap.lvm-list.v1"
  /// The physical volumes in no group.
  package let orphans: [Orphan]
  /// The groups.
  package let volumeGroups: [Group]

  /// A physical volume in no known group.
  package struct Orphan: Encodable, Sendable {
    /// The path in which it was found.
    package let path: String
    /// Its UUID.
    package let uuid: String
    /// Its problems, a line each.
    package let problems: [String]
  }

  /// A volume group in one version.
  package struct Group: Encodable, Sendable {
    /// Its name.
    package let name: String
    /// Its UUID.
    package let uuid: String
    /// The number of the version.
    package let seqno: UInt64
    /// The UUIDs of missing physical volumes.
    package let missing: [String]
    /// Its problems, a line each.
    package let problems: [String]
    /// Its physical volumes.
    package let physicalVolumes: [PhysicalVolume]
    /// The logical volumes that are not mere parts of others.
    package let logicalVolumes: [Volume]
    /// Its snapshots.
    package let snapshots: [Snapshot]
    /// Snapshots that only earlier versions have.
    package let gone: [Gone]
    /// The versions, newest first; nil unless requested.
    package let history: [Version]?
  }

  /// A physical volume of a group.
  package struct PhysicalVolume: Encodable, Sendable {
    /// Its name in the metadata: "pv0".
    package let name: String
    /// Its UUID.
    package let uuid: String
    @Nullable package var path: String?
  }

  /// A logical volume.
  package struct Volume: Encodable, Sendable {
    /// Its name.
    package let name: String
    /// Its UUID.
    package let uuid: String
    /// Its length.
    package let byteCount: UInt64
    /// lvm2's name for the mapping of its first segment.
    package let type: String
    /// Whether its layout is supported.
    package let supported: Bool
    /// Whether everything that it is on was found.
    package let complete: Bool
  }

  /// A snapshot, with the state of its store.
  package struct Snapshot: Encodable, Sendable {
    /// The name of its store's volume.
    package let name: String
    /// The name of its origin.
    package let origin: String
    /// The chunk size in sectors, by the metadata.
    package let chunkSectors: UInt64
    /// Whether it is being merged into its origin.
    package let merging: Bool
    /// The verdict of `inspect`, "overflowed" or "not-supported".
    package let verdict: String
    @Nullable package var fill: Double?
    /// Whether everything that its store and origin are on was found, and is supported.
    package let complete: Bool
  }

  /// A snapshot that is gone.
  package struct Gone: Encodable, Sendable {
    /// Its name.
    package let name: String
    /// The name of its origin.
    package let origin: String
    /// The last version that had it.
    package let seqno: UInt64
  }

  /// A version of the metadata.
  package struct Version: Encodable, Sendable {
    /// Its number.
    package let seqno: UInt64
    /// The change, in lvm2's words.
    package let description: String
    @Nullable package var time: String?
    /// The snapshots that it has.
    package let snapshots: [Pair]

    /// A snapshot and its origin.
    package struct Pair: Encodable, Sendable {
      /// The snapshot's name.
      package let name: String
      /// The origin's name.
      package let origin: String
    }
  }

  /// Examines the contents found; of stores, their metadata.
  ///
  /// - Parameter seqno: Which version of a group to show; the newest if it does not have that one.
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
    let history = try wrapping(VolumeError.io, try found.history())
    gone = Self.gone(history, since: version)
    self.history = withHistory ? history.map { VolumeReport.Version($0) } : nil
  }

  /// The snapshots of earlier versions that a version does not have.
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

  /// Its severity; nil for a healthy snapshot, or if nothing is known.
  package var severity: Severity? {
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
