public import BlockIO
public import LVM2
public import SnapshotFormat
public import SystemPackage

/// A request for a merge, from a command's arguments, from a plan, or from code.
///
/// ``checked(for:progress:)`` runs all checks; its result can be shown, written as a plan, or
/// carried out.
public struct MergeRequest: Sendable {
  /// The store, which is only read.
  public var store: Store
  /// The store's snapshot, if it is one of a volume group.
  public var snapshot: SnapshotVolume?
  /// The origin that becomes the snapshot.
  public var origin: MergeOrigin
  /// The reading of the table.
  public var reading = Reading.kernel
  /// The user's choice of the chunk size, in the salvage reading.
  public var chunkSize: ChunkSize?
  /// The number of the table to merge, in the salvage reading: 0 is the newest.
  public var generation = 0
  /// The orphans to place, in the salvage reading.
  public var placing = Placing()
  /// The way to undo the merge.
  public var wayBack: WayBack
  /// Whether to leave alone chunks that the origin already holds.
  public var skipsIdentical = false
  /// The risks for which it is not refused.
  public var accepted: Set<AcceptedRisk> = []
  /// The plan that it must fit, byte for byte.
  public var plan: (any BlockSource)?

  /// A way to undo a merge.
  public enum WayBack: Equatable, Sendable {
    /// The overwritten data is saved first, in a COW store that is a new file at that path, or in
    /// the existing one of an interrupted merge.
    case undo(FilePath)
    /// Not at all.
    case none
  }

  /// A merge of `store` into `origin`.
  public init(
    of store: Store, _ snapshot: SnapshotVolume? = nil, into origin: MergeOrigin, wayBack: WayBack
  ) {
    self.store = store
    self.snapshot = snapshot
    self.origin = origin
    self.wayBack = wayBack
  }

  var undoPath: FilePath? { if case .undo(let path) = wayBack { path } else { nil } }

  /// Runs all checks.
  ///
  /// - Parameter progress: Called during the steps that take time.
  /// - Throws: ``MergeError/refused(_:)`` with nothing written anywhere.
  public func checked(
    for purpose: MergePurpose, progress: MergeProgress = { _, _, _ in }
  ) throws(MergeError) -> CheckedMerge {
    var preflight = MergePreflight(self, purpose)
    return try preflight.run(progress)
  }
}

/// The purpose of the checks.
public enum MergePurpose: Sendable {
  /// To write the origin, which is locked first, so that the checked bytes are those that will be
  /// overwritten.
  case merge
  /// To show, or write as a plan, what would be done: the checks are the same.
  case trial
  /// To make a new image of the merge's result: the origin is only read, and its content is no
  /// reason to refuse. A table that Linux would not merge is, and so is an undo store of another
  /// origin.
  case copy
}

/// Called with a merge's step, the bytes done, and the bytes in all.
public typealias MergeProgress = (MergeStep, UInt64, UInt64) -> Void

/// The steps of a merge that take time.
public enum MergeStep: Sendable {
  /// Store and origin are compared, to leave identical chunks alone.
  case comparing
  /// The origin is compared with a plan, or digests for one are made.
  case planning
  /// The data to be overwritten is saved.
  case saving
  /// The origin is written.
  case merging
}

/// The origin that becomes the snapshot.
public enum MergeOrigin: Sendable {
  /// A file or device, or a part of one.
  case bytes(any BlockSource)
  /// A volume of a group.
  case volume(OriginVolume)
}

/// A volume of a group that a merge writes to.
public struct OriginVolume: Sendable {
  /// The volume, in the version of its group that maps it.
  public let volume: FoundVolume
  /// The leg of a mirror to read, even if it may be out of date; nil for those in step.
  public let leg: Int?
  /// Whether legs that are out of date are also written.
  public var writesAllLegs: Bool

  /// All of that volume.
  public init(_ volume: FoundVolume, leg: Int? = nil, writesAllLegs: Bool = false) {
    self.volume = volume
    self.leg = leg
    self.writesAllLegs = writesAllLegs
  }

  /// `vg/lv`.
  package var text: String { volume.text }

  var found: FoundVolumeGroup { volume.group }
  var version: VolumeGroup { volume.version }
  var name: String { volume.name }

  /// The physical volumes that it is on.
  var physicalVolumes: Set<LVMIdentifier> {
    Set(version.allocations(below: name).map(\.physicalVolume))
  }

  /// Whether the group's metadata names it as the origin of a snapshot.
  package func isOrigin(of snapshot: SnapshotVolume) -> Bool {
    version.uuid == snapshot.version.uuid && name == snapshot.snapshot.origin
  }

  /// All of its bytes, including the legs that are out of date, through everything that was found.
  func sourceWithStaleLegs() throws(VolumeError) -> VolumeSource {
    try found.mapper(version, includesStale: true).source(of: name)
  }

  /// All of its bytes, through only those physical volumes that it is on.
  package func source() throws(VolumeError) -> VolumeSource { try source { $0.source } }

  /// Its bytes on each of its legs, and on each member of the arrays that these are in.
  func copies() throws(VolumeError) -> [VolumeSource] {
    var members: [LVMIdentifier: [any BlockSource]] = [:]
    for uuid in physicalVolumes {
      members[uuid] = try wrapping(VolumeError.io, try found.member(uuid)?.copies())
    }
    let count = members.values.map(\.count).max() ?? 1
    var copies: [VolumeSource] = []
    for index in 0..<max(count, 1) {
      copies += try source { volume in
        let own = members[volume.label.uuid] ?? []
        return own.isEmpty ? volume.source : own[min(index, own.count - 1)]
      }.copies
    }
    return copies
  }

  private func source(
    _ bytes: (FoundPhysicalVolume) -> any BlockSource
  ) throws(VolumeError) -> VolumeSource {
    let used = physicalVolumes
    return try VolumeMapper(version, leg: leg, includesStale: writesAllLegs) { uuid in
      used.contains(uuid) ? found.member(uuid).map(bytes) : nil
    }.source(of: name)
  }
}
