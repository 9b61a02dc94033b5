public import BlockIO

/// A volume that was named, in a version of its group.
public struct FoundVolume: Sendable {
  /// Its group, and the physical volumes that were found.
  public let group: FoundVolumeGroup
  /// The version of the group in which it was looked up.
  public let version: VolumeGroup
  /// Its name in that version.
  public let name: String

  /// The volume of that name, whether or not the version has it.
  public init(_ name: String, of version: VolumeGroup, _ group: FoundVolumeGroup) {
    self.group = group
    self.version = version
    self.name = name
  }

  /// The name to give to a command: `vg/lv`.
  public var text: String { "\(version.name)/\(name)" }

  /// The snapshot whose store it is.
  public var snapshot: VolumeGroup.Snapshot? { version.snapshots.first { $0.store == name } }

  /// Whether it is a snapshot's store, by its version or by the newest.
  package var isStore: Bool {
    [version, group.group].contains { $0.snapshots.contains { $0.store == name } }
  }

  /// The snapshot that the device of that name shows: its own, or the one that is being merged into
  /// it.
  package var shownSnapshot: VolumeGroup.Snapshot? {
    snapshot ?? version.snapshots.first { $0.isMerging && $0.origin == name }
  }

  /// The volume whose bytes the device of that name has.
  ///
  /// As the device mapper does, the store of a snapshot is called NAME-cow, and an origin beneath
  /// its snapshots NAME-real.
  package var beneath: FoundVolume {
    if version.logicalVolumes.contains(where: { $0.name == name }) { return self }
    for snapshot in version.snapshots {
      if name == "\(snapshot.store)-cow" { return FoundVolume(snapshot.store, of: version, group) }
      if name == "\(snapshot.origin)-real" {
        return FoundVolume(snapshot.origin, of: version, group)
      }
    }
    return self
  }

  /// Its bytes.
  ///
  /// - Parameter leg: Which copy of a mirror to read, even if it may be out of date.
  public func source(leg: Int? = nil) throws(VolumeError) -> VolumeSource {
    try group.mapper(version, leg: leg).source(of: name)
  }

  /// More pieces would take too much memory: stripes of 64 KiB in a volume of 64 GiB have as many.
  private static let placeCountMax = 1 << 20

  /// The places of its bytes in the one source that was searched for the group's physical volumes:
  /// in its order, without gaps; nil for bytes on none of these.
  package func places() throws(VolumeError) -> [(range: Range<UInt64>, byteOffset: UInt64?)] {
    // A mirroring array is no range of the source.
    let members = version.physicalVolumes.compactMap { group.member($0.uuid) }
      .filter { $0.array == nil }
    let mapper = VolumeMapper(version) { uuid in
      members.first { $0.label.uuid == uuid }?.source
    }
    let map = try mapper.map(of: name)
    var places: [(range: Range<UInt64>, byteOffset: UInt64?)] = []
    try map.forEachPiece(of: 0..<map.byteCount) { (piece) throws(VolumeError) in
      guard places.count < Self.placeCountMax else {
        throw .unsupported(text, "more than \(Self.placeCountMax) pieces")
      }
      guard case .device(let device, let byteOffset) = piece.place else {
        places.append((piece.range, nil))
        return
      }
      let (start, overflow) = members[device].range.lowerBound.addingReportingOverflow(byteOffset)
      let end = start.addingReportingOverflow(piece.range.upperBound - piece.range.lowerBound)
      places.append((piece.range, overflow || end.overflow ? nil : start))
    }
    return places
  }

  /// Reasons to doubt its bytes; reads metadata areas.
  public func doubts() throws(BlockIOError) -> Doubts {
    let used = Set(version.allocations(below: name).map(\.physicalVolume))
    let problems = group.problems.filter { problem in
      switch problem {
      case .wasMissing(let volume, _), .inOtherGroup(let volume, _, _), .degraded(let volume, _):
        used.contains(volume.uuid)
      case .duplicate(let uuid, _, _): used.contains(uuid)
      case .fromRing: true
      default: false
      }
    }
    return Doubts(
      missing: group.missing(in: version).filter { used.contains($0.uuid) }, problems: problems,
      reuses: try group.reuse(of: name, in: version))
  }

  /// Reasons why the bytes read of a volume may differ from the volume's.
  public struct Doubts: Sendable {
    /// Physical volumes with a part or a copy of it that were not found.
    public let missing: [VolumeGroup.PhysicalVolume]
    /// Problems with the others, and with the group's metadata.
    public let problems: [GroupProblem]
    /// Its extents that were reallocated since.
    public let reuses: [FoundVolumeGroup.Reuse]

    /// Whether there is none.
    public var isEmpty: Bool { missing.isEmpty && problems.isEmpty && reuses.isEmpty }
  }
}

extension VolumeCatalog {
  /// The volume that `vg/lv` or `/dev/vg/lv` names.
  ///
  /// The group goes by its current name, by its UUID, or by its name in the version.
  ///
  /// - Parameter seqno: The number of the version; see ``FoundVolumeGroup/version(_:)``.
  /// - Returns: nil if it names no known group.
  /// - Throws: Also if several groups have that name.
  public func volume(
    named text: String, seqno: UInt64? = nil
  ) throws(VolumeError) -> FoundVolume? {
    var name = Substring(text)
    if name.hasPrefix("/dev/") { name.removeFirst(5) }
    let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    let named = groups.filter { group in
      [group.group.name, group.group.uuid.description, (try? group.version(seqno))?.name]
        .contains(String(parts[0]))
    }
    guard let group = named.first else { return nil }
    guard named.count == 1 else {
      throw .ambiguous(String(parts[0]), named.map(\.group.uuid))
    }
    return FoundVolume(String(parts[1]), of: try group.version(seqno), group)
  }

  /// Whether groups have the same name, so that only their UUIDs distinguish them.
  package var hasSameNames: Bool { Set(groups.map(\.group.name)).count < groups.count }
}
