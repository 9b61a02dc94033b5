package import BlockIO
package import LVM2
internal import MD
internal import SystemPackage

/// The physical volumes that make up volume groups, and how those are read.
///
/// With them, a store and an origin are volumes: `vg/lv`.
package struct VolumeNames: Sendable {
  /// Disks, partitions or images with physical volumes.
  package var physicalVolumes: [PhysicalVolumeArgument]
  /// A file with a group's metadata, if that on the disks is lost.
  package var vgcfg: PathArgument?
  /// The version of the metadata that is used; nil for the newest.
  package var seqno: UInt64?
  /// The leg of a mirror to read, even if it may be out of date.
  package var leg: Int?
  /// Whether to ask the file system for holes.
  package var asksForHoles: Bool

  /// Volumes of those names; by default, none.
  package init(
    physicalVolumes: [PhysicalVolumeArgument] = [], vgcfg: PathArgument? = nil,
    seqno: UInt64? = nil, leg: Int? = nil, asksForHoles: Bool = true
  ) {
    self.physicalVolumes = physicalVolumes
    (self.vgcfg, self.seqno, self.leg) = (vgcfg, seqno, leg)
    self.asksForHoles = asksForHoles
  }
}

/// The volume groups in the sources that the user named with `--pv`.
package struct VolumeInput {
  let names: VolumeNames
  /// The sources named by the user, in that order.
  package let sources: [any BlockSource]
  /// The physical volumes in it.
  package let search: PhysicalVolumeSearch
  /// The groups of those.
  package let catalog: VolumeCatalog

  /// Finds them.
  ///
  /// - Parameters:
  ///   - map: The mapfile for the only physical volume.
  ///   - say: Gets notes for the user.
  package init(
    _ names: VolumeNames, map: PathArgument? = nil, say: (String) -> Void
  ) throws {
    self.names = names
    let arguments = names.physicalVolumes
    if map != nil, arguments.count > 1 || arguments.contains(where: { $0.map != nil }) {
      throw InputError.mapOfSeveral
    }
    var sources: [any BlockSource] = []
    for argument in arguments {
      sources.append(
        try argument.path.open(
          asksForHoles: names.asksForHoles, (argument.map ?? map)?.readMap()))
    }
    self.sources = sources
    let texts = try names.vgcfg.map { (file) throws in [try file.readVolumeGroup()] }
    search = try PhysicalVolumeSearch(sources)
    let found = search.found
    for (path, member) in search.arrayMembers {
      let error = InputError.arrayMember(path, member.memberDescription)
      if found.isEmpty { throw error }
      say(error.description)
    }
    catalog = try VolumeCatalog(found, texts: texts ?? [])
    if found.isEmpty {
      throw InputError.noPhysicalVolume(arguments.map(\.text))
    }
  }

  /// The volume that an argument names; nil if it names no known group.
  ///
  /// A device that is there is meant, and not a volume of its name.
  package func volume(_ argument: PathArgument) throws(VolumeError) -> FoundVolume? {
    let path = argument.path
    if path.hasPrefix("/dev/"), FileTarget.exists(FilePath(path)) { return nil }
    return try catalog.volume(named: argument.text, seqno: names.seqno)
  }

  /// The failure to find a volume of that name.
  package func noVolume(_ argument: PathArgument) -> InputError {
    .noVolume(argument.text, known: catalog.groups.map { "\($0.group.name)/LV" })
  }
}

extension PathArgument {
  /// Reads the volume group's text from the file that it names.
  fileprivate func readVolumeGroup() throws -> VolumeGroup {
    let buffer = try readAll(atMost: 1 << 28, as: "a volume group's metadata")
    do throws(MetadataTextError) {
      return try VolumeGroup(parsing: buffer.bytes(0..<buffer.byteCount))
    } catch {
      throw InputError.notAVolumeGroup(text, error)
    }
  }
}
