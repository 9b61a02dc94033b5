public import BlockIO
public import LVM2
public import SnapshotFormat
public import SystemPackage

/// What a merge is asked to do: from a command's arguments, from a plan, or from code.
///
/// ``checked(for:progress:)`` holds it against everything that speaks against a merge; what comes
/// out can be shown, written down as a plan, or carried out.
public struct MergeRequest: Sendable {
  /// The store, which is only read.
  public var store: Store
  /// Where the store is that of a snapshot of a volume group: which.
  public var snapshot: SnapshotVolume?
  /// What becomes the snapshot.
  public var origin: MergeOrigin
  /// By which rules the table is read.
  public var reading = Reading.kernel
  /// What the caller says that the chunk size is, in the salvage reading.
  public var chunkSize: ChunkSize?
  /// Which table is merged, in the salvage reading: 0 is the newest.
  public var generation = 0
  /// How the merge can be undone.
  public var wayBack: WayBack
  /// Whether to leave alone what the origin holds already.
  public var skipsIdentical = false
  /// What it is not to be refused for.
  public var accepted: Set<AcceptedRisk> = []
  /// The plan that it must fit, byte for byte.
  public var plan: (any BlockSource)?

  /// How a merge can be undone.
  public enum WayBack: Equatable, Sendable {
    /// What is overwritten is saved first, in a COW store that is a new file at that path; or in
    /// the one that is there, where the merge was cut off.
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

  /// Holds the merge against everything that speaks against it.
  ///
  /// - Parameter progress: Is told of the steps that take their time.
  /// - Throws: ``MergeError/refused(_:)`` with nothing written anywhere.
  public func checked(
    for purpose: MergePurpose, progress: MergeProgress = { _, _, _ in }
  ) throws(MergeError) -> CheckedMerge {
    var preflight = MergePreflight(self, purpose)
    return try preflight.run(progress)
  }
}

/// What a merge is checked for.
public enum MergePurpose: Sendable {
  /// To write the origin, which is locked first, so that what is checked is what will be written.
  case merge
  /// To say, or write down as a plan, what would be done: the checks are the same.
  case trial
  /// To make a new image of what the merge would end with: the origin is only read, and what its
  /// content says is no reason to refuse. A table that Linux would not merge is, and an undo store
  /// of another origin.
  case copy
}

/// Is told which step a merge is at, how many bytes of it are done, and of how many.
public typealias MergeProgress = (MergeStep, UInt64, UInt64) -> Void

/// The steps of a merge that take their time.
public enum MergeStep: Sendable {
  /// Store and origin are compared, to leave alone what is there already.
  case comparing
  /// The origin is compared with a plan, or digests for one are made.
  case planning
  /// What will be overwritten is saved.
  case saving
  /// The origin is written.
  case merging
}

/// What a merge makes the snapshot.
public enum MergeOrigin: Sendable {
  /// A file or device, or a part of one.
  case bytes(any BlockSource)
  /// A volume of a group.
  case volume(OriginVolume)
}

/// A volume of a group that a merge writes to.
public struct OriginVolume: Sendable {
  public let found: FoundVolumeGroup
  /// The version of the group by which it is mapped.
  public let version: VolumeGroup
  public let name: String
  /// Which leg of a mirror is read, whatever is known of it.
  public let leg: Int?
  /// Whether legs that are out of date are written as well.
  public var writesAllLegs: Bool

  public init(
    _ name: String, of version: VolumeGroup, _ found: FoundVolumeGroup, leg: Int? = nil,
    writesAllLegs: Bool = false
  ) {
    self.found = found
    self.version = version
    self.name = name
    self.leg = leg
    self.writesAllLegs = writesAllLegs
  }

  /// `vg/lv`.
  public var text: String { "\(version.name)/\(name)" }

  /// The physical volumes that it lies on.
  var physicalVolumes: Set<LVMIdentifier> {
    Set(version.allocations(below: name).map(\.physicalVolume))
  }

  /// Whether the group's metadata names it as the origin of a snapshot.
  public func isOrigin(of snapshot: SnapshotVolume) -> Bool {
    version.uuid == snapshot.version.uuid && name == snapshot.snapshot.origin
  }

  /// All of its bytes, with the legs that are out of date, through whatever was found.
  func sourceWithStaleLegs() throws(VolumeError) -> VolumeSource {
    try found.mapper(version, includesStale: true).source(of: name)
  }

  /// All of its bytes, through those physical volumes alone that it lies on.
  public func source() throws(VolumeError) -> VolumeSource { try source { $0.source } }

  /// Its bytes as each of its legs has them, and each member of the arrays that these lie in.
  func copies() throws(VolumeError) -> [VolumeSource] {
    var members: [LVMIdentifier: [any BlockSource]] = [:]
    for uuid in physicalVolumes {
      do throws(BlockIOError) { members[uuid] = try found.member(uuid)?.copies() } catch {
        throw .io(error)
      }
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
