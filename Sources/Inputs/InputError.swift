package import BlockIO
package import LVM2

/// A reason why something cannot be opened by its name, apart from errors of reading it.
package enum InputError: CodedError {
  /// A file is too large for its purpose.
  case tooLarge(String, String)
  /// A file is no mapfile of ddrescue.
  case notAMapfile(String, BadSectorMapError)
  /// A file has no volume group's metadata.
  case notAVolumeGroup(String, MetadataTextError)
  /// One mapfile was given for several physical volumes.
  case mapOfSeveral
  /// A mapfile was given for a store beside volumes.
  case mapOfVolume(String)
  /// The only thing that was found is a member of an array.
  case arrayMember(String, String)
  /// None of these has a physical volume.
  case noPhysicalVolume([String])
  /// Nothing has that name.
  case noVolume(String, known: [String])
  /// The origin is itself a snapshot.
  case originIsSnapshot(String)
  /// No origin was given, and none is known.
  case noOrigin(String)

  /// Not found, refused, or not finished.
  package var status: ExitStatus {
    switch self {
    case .tooLarge, .notAMapfile, .notAVolumeGroup, .arrayMember, .noOrigin: .couldNotFinish
    case .mapOfSeveral, .mapOfVolume, .originIsSnapshot: .refused
    case .noPhysicalVolume, .noVolume: .noStore
    }
  }

  /// That of the status, except for a member of an array.
  package var code: String { if case .arrayMember = self { "md.member" } else { status.code } }

  /// The member of an array.
  package var place: ErrorPlace? {
    if case .arrayMember(let path, _) = self { ErrorPlace(path) } else { nil }
  }

  package var description: String {
    switch self {
    case .tooLarge(let name, let what): "\(name): is too large for \(what)"
    case .notAMapfile(let name, let error): "\(name): is not a mapfile: \(error)"
    case .notAVolumeGroup(let name, let error): "\(name): \(error)"
    case .mapOfSeveral:
      "--map is for a single file: with several physical volumes use --pv PATH,map=MAPFILE"
    case .mapOfVolume(let store):
      "--map would apply to the physical volume, not to \(store): use --pv PATH,map=MAPFILE"
    case .arrayMember(let path, let member):
      "\(path): is \(member), which spreads its bytes over its members; assemble it (mdadm"
        + " --assemble --readonly) and give the array's device"
    case .noPhysicalVolume(let paths):
      "\(paths.joined(separator: ", ")): no LVM2 physical volume here"
    case .noVolume(let name, let known):
      "\(name): names neither a volume nor a file; with --pv use "
        + (known.isEmpty
          ? "--vgcfg FILE as well: no group is known" : known.joined(separator: ", "))
    case .originIsSnapshot(let name):
      "\(name): is a snapshot; its volume is a COW store, not an origin; `dmsnap lvm extract` makes"
        + " an image of its view"
    case .noOrigin(let name):
      "\(name): is not a snapshot in its group's metadata: `dmsnap lvm extract` reads it;"
        + " --origin ORIGIN makes it a store"
    }
  }
}
