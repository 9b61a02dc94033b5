internal import BlockIO
package import MD

/// A mirroring array of md (raid1), with the members that were found.
///
/// The members that were in use last are read and written: those with the newest events that are in
/// step. The others are out of date, and md rebuilds them from these.
public struct MirrorArray: Sendable {
  /// The superblock of the newest member.
  package let superblock: ArraySuperblock
  /// The data of the members in use.
  let members: [any BlockSource]
  /// The paths of the members that are out of date, or the same as another one.
  package let unused: [String]
  /// The indices of the searched files and devices that the members in use are in.
  let inputs: [Int]

  /// Whether members are missing or not in use: those may be newer.
  package var isDegraded: Bool { members.count < Int(superblock.memberCount) }

  /// The array and its available members, as text.
  public var description: String {
    "\(members.count) of the \(superblock.memberCount) members of \(superblock.arrayDescription)"
  }

  /// A member that was found.
  struct Member {
    let superblock: ArraySuperblock
    let source: any BlockSource
    let input: Int
  }

  /// The array of those members; there is at least one.
  init(_ found: [Member]) throws(BlockIOError) {
    // A failed member does not record its failure; the newest member does.
    let active = found.map(\.superblock).max { $0.events < $1.events }?.activeRoles ?? []
    let newest = found.map(\.superblock.events).max() ?? 0
    func isInUse(_ member: Member) -> Bool {
      // After a crash some are a step late, as they are written one after another.
      newest - member.superblock.events <= 1 && member.superblock.isRecovered
        && member.superblock.role.map { active.contains($0) } ?? false
    }
    let inUse = found.filter { isInUse($0) }
    // If no member is whole, the rest is still better than nothing.
    let best = inUse.isEmpty ? found.filter { $0.superblock.events == newest } : inUse
    var roles: Set<UInt32?> = []
    let used = best.enumerated().sorted {
      ($1.element.superblock.events, $0.offset) < ($0.element.superblock.events, $1.offset)
    }.map(\.element).filter { roles.insert($0.superblock.role).inserted }
    superblock = used[0].superblock
    var members: [any BlockSource] = []
    for member in used {
      let data = member.superblock.data.clamped(to: 0..<member.source.byteCount)
      members.append(try SliceSource(member.source, data))
    }
    self.members = members
    inputs = used.map(\.input)
    unused = found.filter { member in !used.contains { $0.input == member.input } }
      .map(\.source.name)
  }

  /// Its bytes: read from the first readable member, written to all.
  var source: any BlockSource {
    let byteCount = members.map(\.byteCount).min() ?? 0
    let places = members.indices.map { ExtentLayout.place(.device($0, byteOffset: 0)) }
    let layout =
      places.count == 1 ? places[0] : ExtentLayout.copies(places, currentCount: places.count)
    let name = members.map { ($0 as? SliceSource)?.base.name ?? $0.name }.joined(separator: ", ")
    return VolumeSource(
      name, VolumeMap([VolumeMap.Segment(0..<byteCount, layout)]), of: members)
  }
}

extension MirrorArray: Equatable {
  public static func == (one: MirrorArray, other: MirrorArray) -> Bool {
    one.superblock == other.superblock && one.inputs == other.inputs
      && one.unused == other.unused
  }
}
