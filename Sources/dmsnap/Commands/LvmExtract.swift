import ArgumentParser
import BlockIO
import Inputs
import LVM2
import SnapshotFormat
import SnapshotKit
import SystemPackage

/// `dmsnap lvm extract`: a volume as a raw image.
struct LvmExtract: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extract",
    abstract: "Writes a logical volume as a raw, sparse image, as its device would show it.",
    discussion: """
      A snapshot is shown as Linux shows it; `dmsnap export` has other readings. An origin whose \
      snapshot is being merged shows the snapshot, as it does from the next activation on. As with \
      the device mapper, VG/SNAPSHOT-cow is the COW store itself, and VG/ORIGIN-real the origin \
      beneath its snapshots. Unreadable bytes become zeroes and are listed, and the status is 2.
      """)

  @Argument(help: "The volume: VG/LV, or UUID/LV if two groups have the same name.")
  var volume: PathArgument

  @OptionGroup var volumes: VolumeOptions

  @Option(help: ArgumentHelp("The image to make. An existing file is refused.", valueName: "file"))
  var to: String

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func validate() throws {
    if volumes.physicalVolumes.isEmpty {
      throw ValidationError("Missing expected argument '--pv <path>'")
    }
    if to.isEmpty { throw ValidationError("an output needs a name") }
    if to == "-" { throw ValidationError("lvm extract does not write to stdout; name a new file") }
  }

  func run() throws {
    let input = try VolumeInput(volumes)
    guard let named = try input.volume(volume) else { throw input.noVolume(volume) }
    // A volume without the merge that Linux refuses is complete, but differs from Linux's view.
    var status = ExitStatus.allWell
    if let snapshot = named.shownSnapshot {
      let found = try SnapshotVolume(snapshot, of: named.version, named.group, leg: volumes.leg)
      guard let load = try extract(found, shownBy: named) else { return }
      status = load.verdict == .refuses ? .damage : .allWell
    }
    let own = named.beneath
    let source = try own.source(leg: volumes.leg)
    if try own.warn(messages), status == .allWell { status = .warnings }
    try extract(source)
    if status != .allWell { throw Failure(status) }
  }

  /// Writes the content of a snapshot.
  ///
  /// - Returns: nil if it is written. Otherwise the volume is an origin whose merge cannot begin
  ///   (its store is invalid, or Linux refuses it), and this is what Linux makes of the store.
  private func extract(_ found: SnapshotVolume, shownBy named: FoundVolume) throws -> KernelLoad? {
    let store = Store(found.store)
    if named.name != found.snapshot.store, case let load = KernelLoad(store), load.verdict != .loads
    {
      Console.say(
        "dmsnap: \(found.store.name): is due to be merged into \(volume.text), but cannot be:"
          + " \(load.reason); this is \(volume.text) without it")
      return load
    }
    try found.warn(messages)
    let loaded = try LoadedTable(store, reading: .kernel)
    // An origin may be longer than its snapshot.
    let origin =
      named.name == found.snapshot.store
      ? try found.requireOrigin() : try named.source(leg: volumes.leg)
    let snapshot = Snapshot(loaded, of: origin)
    let check = try snapshot.checkOrigin()
    snapshot.warn(check, messages)
    try ImageWriter(snapshot, found, check)
      .write(to: to, command: "lvm-extract", format, messages)
    return nil
  }

  /// Writes the bytes of a volume.
  private func extract(_ source: any BlockSource) throws {
    let line = ProgressLine("written", messages)
    let output = try OutputFile(path: FilePath(to), byteCount: source.byteCount)
    let lost = try Exporter.export(source, to: output) { line.update($0, $1) }
    try output.publish()
    line.end()
    let losses = ResultCompleteness(lost)
    switch format {
    case .json:
      try Console.print(
        json: CopyReport(
          command: "lvm-extract", exceptionCount: 0, byteCount: source.byteCount,
          lost: losses.ranges, isComplete: losses.isEmpty))
    case .text:
      if !messages.quiet {
        try Console.print("\(to): \(byteSize(source.byteCount)) of \(source.name)")
      }
      losses.say()
    }
    try losses.finish()
  }
}

extension FoundVolume {
  /// Reports reasons to doubt its bytes.
  ///
  /// - Returns: Whether there is anything to report.
  fileprivate func warn(_ messages: MessageOptions) throws(BlockIOError) -> Bool {
    let doubts = try doubts()
    var words = doubts.missing.map { volume in
      "no \(volume.words), which holds a part or a copy of it: the data may be out of date; --leg N"
        + " reads a copy nevertheless"
    }
    words += doubts.problems.map(\.description)
    words += doubts.reuses.map {
      "extents \($0.extents.lowerBound) to \($0.extents.upperBound - 1) of"
        + " \($0.physicalVolume.name) were reallocated to \($0.owner) by version \($0.seqno)"
    }
    if !messages.quiet { for doubt in words { Console.say("dmsnap: \(text): \(doubt)") } }
    return !doubts.isEmpty
  }
}
