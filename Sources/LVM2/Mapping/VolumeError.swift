public import BlockIO

/// A reason why a volume cannot be read, or not as requested.
public enum VolumeError: CodedError {
  /// The group has no volume of that name.
  case noVolume(String, VolumeGroup)
  /// Several groups have that name.
  case ambiguous(String, [LVMIdentifier])
  /// The volume's layout is not supported.
  case unsupported(String, String)
  /// The volume has no such leg.
  case noLeg(String, Int, count: Int)
  /// That version of the group's metadata no longer exists.
  case noVersion(String, UInt64, known: [UInt64])
  /// A physical volume cannot be read.
  case io(BlockIOError)

  /// Not found, refused, or not finished.
  public var status: ExitStatus {
    switch self {
    case .noVolume, .noVersion: .noStore
    case .ambiguous: .refused
    case .unsupported, .noLeg: .couldNotFinish
    case .io(let error): error.status
    }
  }

  /// `lvm.` and the kind, `refused` for an ambiguous name, or that of the cause.
  public var code: String {
    switch self {
    case .noVolume: "lvm.no-volume"
    case .noVersion: "lvm.no-version"
    case .ambiguous: "refused"
    case .unsupported: "lvm.not-supported"
    case .noLeg: "lvm.no-leg"
    case .io(let error): error.code
    }
  }

  /// The place of a failure to read.
  public var place: ErrorPlace? { if case .io(let error) = self { error.place } else { nil } }

  public var description: String {
    switch self {
    case .noVolume(let name, let group):
      "\(name): \(group.name) has no such volume in version \(group.seqno); it has "
        + (group.logicalVolumes.isEmpty
          ? "none" : group.wholeVolumes.map(\.name).joined(separator: ", "))
    case .ambiguous(let name, let uuids):
      "\(name): there are \(uuids.count) groups of that name; use UUID/LV, with one of "
        + uuids.map(\.description).joined(separator: ", ")
    case .unsupported(let name, let what): "\(name): not supported: \(what)"
    case .noLeg(let name, let leg, let count):
      "\(name): has no leg \(leg): they are numbered from 0 to \(count - 1)"
    case .noVersion(let group, let seqno, let known):
      "\(group): there is no version \(seqno) of the metadata, only "
        + known.map { "\($0)" }.joined(separator: ", ")
    case .io(let error): error.description
    }
  }
}
