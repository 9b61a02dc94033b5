public import BlockIO

/// Why a volume cannot be read, or not as requested.
public enum VolumeError: Error, Sendable, CustomStringConvertible {
  /// The group has no volume of that name.
  case noVolume(String, VolumeGroup)
  /// The volume's layout is not supported.
  case unsupported(String, String)
  /// The volume has no such leg.
  case noLeg(String, Int, count: Int)
  /// That version of the group's metadata no longer exists.
  case noVersion(String, UInt64, known: [UInt64])
  case io(BlockIOError)

  public var description: String {
    switch self {
    case .noVolume(let name, let group):
      "\(name): \(group.name) has no such volume in version \(group.seqno); it has "
        + (group.logicalVolumes.isEmpty
          ? "none" : group.wholeVolumes.map(\.name).joined(separator: ", "))
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
