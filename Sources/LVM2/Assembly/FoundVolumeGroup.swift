public import BlockIO
internal import Synchronization

/// A volume group, and those of its physical volumes that were found.
public struct FoundVolumeGroup: Sendable {
  /// By the newest known metadata.
  public let group: VolumeGroup
  /// By the file given in its place, which may be older than the version in use on the disks.
  let text: VolumeGroup?
  /// Problems with its physical volumes and its metadata.
  public internal(set) var problems: [GroupProblem]
  /// All physical volumes found, by UUID; versions differ in which are the group's.
  let members: [LVMIdentifier: FoundPhysicalVolume]
  /// The metadata areas that have, or had, the group's metadata.
  let areas: [MetadataArea]
  private let known = KnownVersions()

  /// The versions, once read.
  private final class KnownVersions: Sendable {
    let versions = Mutex<[VolumeGroup]?>(nil)
  }

  /// A version's physical volumes that were not found.
  public func missing(in version: VolumeGroup) -> [VolumeGroup.PhysicalVolume] {
    version.physicalVolumes.filter { members[$0.uuid] == nil }
  }

  /// All physical volumes found, of any version of the group.
  public var physicalVolumes: [FoundPhysicalVolume] { Array(members.values) }

  /// The physical volume found with that UUID.
  public func member(_ uuid: LVMIdentifier) -> FoundPhysicalVolume? { members[uuid] }

  /// Maps the volumes of a version of the group.
  package func mapper(
    _ version: VolumeGroup, leg: Int? = nil, includesStale: Bool = false
  ) -> VolumeMapper {
    VolumeMapper(version, leg: leg, includesStale: includesStale) { members[$0]?.source }
  }

  /// The versions of the metadata that are still readable, newest first: rings keep old texts.
  ///
  /// Reads only the metadata areas, and only once.
  public func history() throws(BlockIOError) -> [VolumeGroup] {
    if let versions = known.versions.withLock({ $0 }) { return versions }
    let versions = try readHistory()
    known.versions.withLock { $0 = versions }
    return versions
  }

  private func readHistory() throws(BlockIOError) -> [VolumeGroup] {
    var versions: [UInt64: VolumeGroup] = [group.seqno: group]
    if let text, text.seqno != group.seqno { versions[text.seqno] = text }
    for area in areas {
      for version in try area.history().versions.map(\.volumeGroup)
      where version.uuid == group.uuid && versions[version.seqno] == nil {
        versions[version.seqno] = version
      }
    }
    return versions.values.sorted { $0.seqno > $1.seqno }
  }

  /// The version of that number; without one, that of the given file, or the newest.
  public func version(_ seqno: UInt64?) throws(VolumeError) -> VolumeGroup {
    guard let seqno else { return text ?? group }
    if seqno == group.seqno { return group }
    let history = try wrapping(VolumeError.io, try history())
    guard let version = history.first(where: { $0.seqno == seqno }) else {
      throw .noVersion(group.name, seqno, known: history.map(\.seqno))
    }
    return version
  }

  /// Extents of a version's volume that a later version gave to another.
  public struct Reuse: Equatable, Sendable {
    /// The physical volume that they are on.
    public let physicalVolume: VolumeGroup.PhysicalVolume
    /// The extents' numbers on it.
    public let extents: Range<UInt64>
    /// The volume that had them next, by the newest version that shows one.
    public let owner: String
    /// The number of that version.
    public let seqno: UInt64
  }

  /// The extents of an older version's volume that were reallocated since, by the versions that are
  /// still readable.
  package func reuse(of name: String, in version: VolumeGroup) throws(BlockIOError) -> [Reuse] {
    if version == group { return [] }
    let own = version.allocations(below: name)
    let owners = Set(own.map(\.volumeUUID))
    let mine = Dictionary(grouping: own, by: \.physicalVolume).mapValues { allocations in
      allocations.map(\.extents).sorted { $0.lowerBound < $1.lowerBound }
    }
    let devices = Dictionary(
      version.physicalVolumes.map { ($0.uuid, $0) }, uniquingKeysWith: { first, _ in first })
    var found: [Reuse] = []
    // Ranges already found for each physical volume; later versions repeat them.
    var known: [LVMIdentifier: Set<Range<UInt64>>] = [:]
    for later in try history() where later == group || later.seqno > version.seqno {
      for allocation in later.allocations where !owners.contains(allocation.volumeUUID) {
        let uuid = allocation.physicalVolume
        guard let ranges = mine[uuid], let device = devices[uuid] else { continue }
        for range in ranges[ranges.indexOfFirst(endingAfter: allocation.extents.lowerBound)...] {
          if range.lowerBound >= allocation.extents.upperBound { break }
          let shared = range.clamped(to: allocation.extents)
          guard known[uuid, default: []].insert(shared).inserted else { continue }
          found.append(
            Reuse(
              physicalVolume: device, extents: shared, owner: allocation.volume,
              seqno: later.seqno))
        }
      }
    }
    return found.sorted { $0.extents.lowerBound < $1.extents.lowerBound }
  }
}
