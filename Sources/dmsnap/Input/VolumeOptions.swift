import ArgumentParser
import BlockIO
import LVM2
import MD
import SystemPackage

/// The physical volumes that make up volume groups.
///
/// With them, STORE and ORIGIN are volumes: `vg/lv`.
struct VolumeOptions: ParsableArguments {
  @Option(
    name: .customLong("pv"),
    help: ArgumentHelp(
      "A disk, partition or image that is an LVM2 physical volume, or has one in a partition; once"
        + " for each. STORE and ORIGIN are then vg/lv; a snapshot's origin is found automatically."
        + " PATH,map=MAPFILE takes ddrescue's mapfile of the image.", valueName: "path"))
  var physicalVolumes: [PhysicalVolumeArgument] = []

  @Option(
    help: ArgumentHelp(
      "A file from vgcfgbackup or /etc/lvm/archive, if the metadata on the disks is lost.",
      valueName: "file"))
  var vgcfg: PathArgument?

  @Option(
    help: ArgumentHelp(
      "The version of the group's metadata to use; `dmsnap lvm list --history` lists them.",
      valueName: "number"))
  var seqno: UInt64?

  @Option(
    help: ArgumentHelp(
      "Which leg of a mirror to read, from 0, even if it may be out of date.", valueName: "number"))
  var leg: Int?

  @OptionGroup var input: InputOptions

  func validate() throws {
    if physicalVolumes.isEmpty, vgcfg != nil || seqno != nil || leg != nil {
      throw ValidationError("--vgcfg, --seqno and --leg need --pv PATH")
    }
  }

  /// The options as the user gave them, for commands to repeat; each after a space.
  var words: String {
    physicalVolumes.map { " --pv \(quoted($0.text))" }.joined()
      + (vgcfg.map { " --vgcfg \(quoted($0.text))" } ?? "")
      + (seqno.map { " --seqno \($0)" } ?? "") + (leg.map { " --leg \($0)" } ?? "")
      + (input.noHoles ? " --no-holes" : "")
  }
}

/// A path to search for a physical volume: `PATH[,offset=BYTES][,length=BYTES][,map=MAPFILE]`.
struct PhysicalVolumeArgument: ExpressibleByArgument {
  /// As the user gave it.
  let text: String
  let path: PathArgument
  let map: PathArgument?

  /// The same, with absolute paths.
  var absolute: String { path.absolute + (map.map { ",map=\($0.absolute)" } ?? "") }

  init?(argument: String) {
    text = argument
    guard let place = argument.range(ofLast: ",map=") else {
      guard let path = PathArgument(argument: argument) else { return nil }
      (self.path, map) = (path, nil)
      return
    }
    guard let path = PathArgument(argument: String(argument[..<place.lowerBound])),
      let map = PathArgument(argument: String(argument[place.upperBound...]))
    else { return nil }
    (self.path, self.map) = (path, map)
  }
}

extension String {
  fileprivate func range(ofLast part: String) -> Range<Index>? {
    var start = endIndex
    while start > startIndex {
      formIndex(before: &start)
      if self[start...].hasPrefix(part) { return start..<index(start, offsetBy: part.count) }
    }
    return nil
  }
}

/// The volume groups in what the user named with --pv.
struct VolumeInput {
  let options: VolumeOptions
  /// What was named, in that order.
  let sources: [any BlockSource]
  let search: PhysicalVolumeSearch
  let catalog: VolumeCatalog

  /// Finds them.
  ///
  /// - Parameter map: The argument of `--map`, for the only physical volume.
  init(_ options: VolumeOptions, map: PathArgument? = nil) throws {
    self.options = options
    let arguments = options.physicalVolumes
    if map != nil, arguments.count > 1 || arguments.contains(where: { $0.map != nil }) {
      throw Failure(
        .refused, "--map is for one file: with several physical volumes use --pv PATH,map=MAPFILE")
    }
    var sources: [any BlockSource] = []
    for argument in arguments {
      sources.append(
        try argument.path.open(options.input, (argument.map ?? map)?.readMap()))
    }
    self.sources = sources
    let texts = try options.vgcfg.map { (file) throws in [try file.readVolumeGroup()] }
    search = try PhysicalVolumeSearch(sources)
    let found = search.found
    for (path, member) in search.arrayMembers {
      let words =
        "\(path): is \(member.memberDescription), which spreads its bytes over its members;"
        + " assemble it (mdadm --assemble --readonly) and name the array's device"
      if found.isEmpty {
        throw Failure(.couldNotFinish, words, code: "md.member", at: ErrorPlace(path))
      }
      Console.say("dmsnap: \(words)")
    }
    catalog = try VolumeCatalog(found, texts: texts ?? [])
    if found.isEmpty {
      let paths = arguments.map(\.text).joined(separator: ", ")
      throw Failure(.noStore, "\(paths): no LVM2 physical volume here")
    }
  }

  /// The volume that an argument names; nil if it names no known group.
  ///
  /// A device that is there is meant, and not a volume of its name.
  func volume(_ argument: PathArgument) throws(VolumeError) -> FoundVolume? {
    let path = argument.path
    if path.hasPrefix("/dev/"), FileTarget.exists(FilePath(path)) { return nil }
    return try catalog.volume(named: argument.text, seqno: options.seqno)
  }

  /// The failure to find a volume of that name.
  func noVolume(_ argument: PathArgument) -> Failure {
    let names = catalog.groups.map { "\($0.group.name)/LV" }
    return Failure(
      .noStore,
      "\(argument.text): names neither a volume nor a file; with --pv use "
        + (names.isEmpty
          ? "--vgcfg FILE as well: no group is known" : names.joined(separator: ", ")))
  }
}

extension PathArgument {
  /// Reads the volume group's text from the file that it names.
  fileprivate func readVolumeGroup() throws -> VolumeGroup {
    let buffer = try readAll(atMost: 1 << 28, as: "a volume group's metadata")
    do throws(MetadataTextError) {
      return try VolumeGroup(parsing: buffer.bytes(0..<buffer.byteCount))
    } catch {
      throw Failure(.couldNotFinish, "\(text): \(error)")
    }
  }
}
