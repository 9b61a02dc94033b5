/// A problem with a volume group's physical volumes or its metadata.
public enum GroupProblem: Equatable, Sendable, CustomStringConvertible {
  /// A physical volume is in none of the searched files and devices.
  case missing(VolumeGroup.PhysicalVolume)
  /// A physical volume is there, but lvm2 had to do without it: it may be out of date.
  case wasMissing(VolumeGroup.PhysicalVolume, path: String)
  /// A physical volume ends before its last extent does.
  case tooShort(VolumeGroup.PhysicalVolume, path: String, byteCount: UInt64, required: UInt64)
  /// A physical volume is in use by another group.
  case inOtherGroup(VolumeGroup.PhysicalVolume, path: String, group: String)
  /// Two have the same UUID: copies of each other; the one with the newest metadata is used.
  case duplicate(LVMIdentifier, used: String, ignored: String)
  /// A physical volume has metadata of this group, but no longer belongs to it.
  case notMember(LVMIdentifier, path: String)
  /// A physical volume is in a mirroring array whose members are partly missing or out of date.
  case degraded(VolumeGroup.PhysicalVolume, MirrorArray)
  /// A label has a wrong checksum, or is in the wrong place.
  case label(path: String, String)
  /// A metadata area is damaged.
  case area(path: String, String)
  /// A metadata area has an older version than others.
  case outdated(path: String, seqno: UInt64, newest: UInt64)
  /// No area has the current metadata; the newest complete older text in a ring is used.
  case fromRing(path: String, seqno: UInt64)

  /// Whether it puts data out of reach, not only in doubt.
  public var isLoss: Bool {
    switch self {
    case .missing, .tooShort: true
    default: false
    }
  }

  public var description: String {
    switch self {
    case .missing(let volume): "\(volume.words) is missing"
    case .wasMissing(let volume, let path):
      "\(path): lvm2 recorded \(volume.name) (\(volume.uuid)) as missing: its data may be out of"
        + " date"
    case .tooShort(let volume, let path, let byteCount, let required):
      "\(path): \(volume.name) (\(volume.uuid)) ends at byte \(byteCount), its extents at"
        + " \(required)"
    case .inOtherGroup(let volume, let path, let group):
      "\(path): \(volume.name) (\(volume.uuid)) is in use by the group \(group)"
    case .duplicate(let uuid, let used, let ignored):
      "\(ignored): has the same UUID as \(used) (\(uuid)); \(used) is used"
    case .degraded(let volume, let array):
      "\(volume.name) (\(volume.uuid)) is in \(array.description): "
        + (array.unused.isEmpty
          ? "the others may be newer"
          : "\(array.unused.joined(separator: ", ")) \(array.unused.count == 1 ? "is" : "are") out"
            + " of date, or the same as another one")
    case .notMember(let uuid, let path):
      "\(path): the physical volume \(uuid) has old metadata of the group, but is no longer in it"
    case .label(let path, let what), .area(let path, let what): "\(path): \(what)"
    case .outdated(let path, let seqno, let newest):
      "\(path): has version \(seqno) of the metadata, others have \(newest)"
    case .fromRing(let path, let seqno):
      "\(path): the current metadata is lost; version \(seqno), the newest complete one among the"
        + " older ones, is used instead"
    }
  }
}
