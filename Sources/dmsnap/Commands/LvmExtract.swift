import ArgumentParser
import BlockIO
import LVM2
import SnapshotFormat
import SnapshotKit
import SystemPackage

/// `dmsnap lvm extract`: a volume as a raw image.
struct LvmExtract: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extract",
    abstract: "Writes a logical volume as a raw, sparse image: what its device would show.",
    discussion: """
      A snapshot is shown as Linux shows it; `dmsnap export` has other readings. An origin whose \
      snapshot is being merged shows the snapshot, as it does from the next activation on. As with \
      the device mapper, VG/SNAPSHOT-cow is the COW store itself, and VG/ORIGIN-real the origin \
      beneath its snapshots. What cannot be read becomes zeroes and is listed, and the status is 2.
      """)

  @Argument(help: "The volume: VG/LV, or UUID/LV if two groups have the same name.")
  var volume: PathArgument

  @OptionGroup var volumes: VolumeOptions

  @Option(help: ArgumentHelp("The image to make. An existing file is refused.", valueName: "file"))
  var to: String

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var talk: MessageOptions

  func validate() throws {
    if volumes.physicalVolumes.isEmpty {
      throw ValidationError("Missing expected argument '--pv <path>'")
    }
    if to.isEmpty { throw ValidationError("an output needs a name") }
    if to == "-" { throw ValidationError("lvm extract does not write to stdout; name a new file") }
  }

  func run() throws {
    let input = try VolumeInput(volumes)
    guard let (group, version, name) = try input.volume(volume) else {
      throw input.noVolume(volume)
    }
    // A volume without the merge that Linux refuses is complete, but not what Linux would show.
    var status = ExitStatus.allWell
    if let snapshot = version.snapshot(shownBy: name) {
      let found = try failingVolume { () throws(VolumeError) in
        try SnapshotVolume(snapshot, of: version, group, leg: volumes.leg)
      }
      guard let load = try extract(found, shownBy: name) else { return }
      status = load.verdict == .refuses ? .damage : .allWell
    }
    let own = version.volume(namedLikeDevice: name)
    let source = try failingVolume { () throws(VolumeError) in
      try group.mapper(version, leg: volumes.leg).source(of: own)
    }
    if try group.warn(about: own, in: version, talk), status == .allWell { status = .warnings }
    try extract(source)
    if status != .allWell { throw Failure(status) }
  }

  /// Writes what a snapshot shows.
  ///
  /// - Returns: nil if it is written. Otherwise the volume is an origin whose merge cannot begin
  ///   (its store is invalid, or Linux refuses it), and this is what Linux makes of the store.
  private func extract(_ found: SnapshotVolume, shownBy name: String) throws(Failure) -> KernelLoad?
  {
    let store = Store(found.store)
    if name != found.snapshot.store, case let load = KernelLoad(store), load.verdict != .loads {
      Console.say(
        "dmsnap: \(found.store.name): is to be merged into \(volume.text), but cannot be:"
          + " \(load.reason); this is \(volume.text) without it")
      return load
    }
    try found.warn(talk)
    let loaded = try store.failing { () throws(StoreError) in
      try LoadedTable(store, reading: .kernel)
    }
    // An origin may be longer than its snapshot.
    let origin =
      name == found.snapshot.store
      ? try found.requireOrigin()
      : try failingVolume { () throws(VolumeError) in
        try found.found.mapper(found.version, leg: volumes.leg).source(of: name)
      }
    let snapshot = Snapshot(loaded, of: origin)
    let check = try snapshot.check()
    snapshot.warn(check, talk)
    try ImageWriter(snapshot, found, check)
      .write(to: to, command: "lvm-extract", format, talk)
    return nil
  }

  /// Writes the bytes of a volume.
  private func extract(_ source: any BlockSource) throws(Failure) {
    let line = ProgressLine("written", talk)
    let lost = try failing { () throws(BlockIOError) -> [LostRange] in
      let output = try OutputFile(path: FilePath(to), byteCount: source.byteCount)
      let lost = try Exporter.export(source, to: output) { line.update($0, $1) }
      try output.publish()
      return lost
    }
    line.end()
    let losses = ResultCompleteness(lost)
    switch format {
    case .json:
      try Console.print(
        json: CopyReport(
          command: "lvm-extract", exceptionCount: 0, byteCount: source.byteCount,
          lost: losses.ranges, isComplete: losses.isEmpty))
    case .text:
      if !talk.quiet {
        try Console.print("\(to): \(byteSize(source.byteCount)) of \(source.name)")
      }
      losses.say()
    }
    try losses.finish()
  }
}

extension FoundVolumeGroup {
  /// Reports what makes a volume's bytes doubtful: physical volumes that are missing or in doubt,
  /// and extents that were reallocated since.
  ///
  /// - Returns: Whether there is anything to report.
  fileprivate func warn(
    about name: String, in version: VolumeGroup, _ talk: MessageOptions
  ) throws(Failure) -> Bool {
    let used = Set(version.allocations(below: name).map(\.physicalVolume))
    var doubts = missing(in: version).filter { used.contains($0.uuid) }.map { volume in
      "no \(volume.words), which holds a part or a copy of it: what is read may be out of date;"
        + " --leg N reads a copy even so"
    }
    doubts += problems.filter { problem in
      switch problem {
      case .wasMissing(let volume, _), .inOtherGroup(let volume, _, _), .degraded(let volume, _):
        used.contains(volume.uuid)
      case .duplicate(let uuid, _, _): used.contains(uuid)
      case .fromRing: true
      default: false
      }
    }.map(\.description)
    let reuses = try failing { () throws(BlockIOError) in try reuse(of: name, in: version) }
    doubts += reuses.map {
      "extents \($0.extents.lowerBound) to \($0.extents.upperBound - 1) of"
        + " \($0.physicalVolume.name) were reallocated to \($0.owner) by version \($0.seqno)"
    }
    if !talk.quiet {
      for doubt in doubts { Console.say("dmsnap: \(version.name)/\(name): \(doubt)") }
    }
    return !doubts.isEmpty
  }
}

extension VolumeGroup {
  /// The snapshot that the device of that name shows: its own, or the one being merged into that
  /// origin.
  fileprivate func snapshot(shownBy name: String) -> Snapshot? {
    snapshots.first { $0.store == name } ?? snapshots.first { $0.isMerging && $0.origin == name }
  }

  /// The volume whose bytes the device of that name has: as the device mapper does, the store of a
  /// snapshot is called NAME-cow, and an origin beneath its snapshots NAME-real.
  fileprivate func volume(namedLikeDevice name: String) -> String {
    if logicalVolumes.contains(where: { $0.name == name }) { return name }
    for snapshot in snapshots {
      if name == "\(snapshot.store)-cow" { return snapshot.store }
      if name == "\(snapshot.origin)-real" { return snapshot.origin }
    }
    return name
  }
}
