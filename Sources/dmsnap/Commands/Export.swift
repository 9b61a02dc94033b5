import ArgumentParser
import BlockIO
import Inputs
import LVM2
import SnapshotKit
import SystemPackage

/// `dmsnap export`: the snapshot as a raw image.
struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the snapshot as a raw, sparse image.",
    discussion: """
      Unreadable bytes become zeroes and are listed, and the status is 2. It is 1 if the origin is \
      in doubt. If the file system can share data (reflink), nothing is copied.
      """)

  @OptionGroup var input: StoreOptions
  @OptionGroup var originInput: OriginOptions
  @OptionGroup var list: EvidenceOptions

  @Option(
    help: ArgumentHelp(
      "The image to make; - for stdout. An existing file is refused.",
      valueName: "file"))
  var to: String

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func validate() throws {
    try OriginOptions.require(originInput.origin, input.volumes)
    if to.isEmpty { throw ValidationError("an output needs a name") }
    if to == "-", format == .json {
      throw ValidationError("--format json and --to - both write to stdout")
    }
  }

  func run() throws {
    try OutputPaths.check([("--to", to == "-" ? nil : to), ("--evidence", list.evidence)])
    let found = try StoreInput(input, origin: originInput.origin)
    try found.volume?.warn(messages)
    let origin = try found.requireOrigin()
    let snapshot = Snapshot(try found.loadTable(), of: origin)
    let check = try snapshot.checkOrigin()
    snapshot.warn(check, messages)
    try list.write(snapshot.loaded, input.table.place)
    if to == "-" {
      let line = ProgressLine("exported", messages)
      let unreadable = try snapshot.export(to: StreamSink(.standardOutput)) { line.update($0, $1) }
      line.end()
      let losses = ResultCompleteness(snapshot, unreadable)
      losses.say()
      try LostFiles.search(snapshot, unread: unreadable).say()
      try losses.finish(found.volume, check)
    } else {
      try ImageWriter(snapshot, found.volume, check)
        .write(to: to, command: "export", format, messages)
    }
  }
}

/// Makes a new image of a snapshot: the work of `export`, and of `merge --to`.
struct ImageWriter {
  private let snapshot: Snapshot
  private let volume: SnapshotVolume?
  private let check: OriginCheck
  private let isDamagedUndo: Bool

  /// - Parameter isDamagedUndo: Whether the store is an undo store whose data differs from the
  ///   saved data.
  init(
    _ snapshot: Snapshot, _ volume: SnapshotVolume?, _ check: OriginCheck,
    isDamagedUndo: Bool = false
  ) {
    self.isDamagedUndo = isDamagedUndo
    self.snapshot = snapshot
    self.volume = volume
    self.check = check
  }

  /// Writes the image and reports its content.
  func write(
    to path: String, command: String, _ format: OutputFormat, _ messages: MessageOptions
  ) throws {
    let view = snapshot.view
    let exceptionCount = snapshot.loaded.exceptionCount
    let line = ProgressLine("written", messages)
    let output = try OutputFile(path: FilePath(path), byteCount: view.byteCount)
    let unreadable = try snapshot.export(to: output) { line.update($0, $1) }
    try output.publish()
    line.end()
    let losses = ResultCompleteness(snapshot, unreadable)
    let files = losses.isEmpty ? nil : try LostFiles.search(snapshot, unread: unreadable)
    switch format {
    case .json:
      try Console.print(
        json: CopyReport(
          command: command, exceptionCount: exceptionCount, byteCount: view.byteCount,
          lost: losses.ranges, isComplete: losses.isEmpty && !isDamagedUndo,
          files: files?.found))
    case .text:
      let mapped = byteSize(view.mappedByteCount)
      if !messages.quiet {
        try Console.print(
          "\(path): \(byteSize(view.byteCount)), \(mapped) of it from the store"
            + " (\(counted(exceptionCount, "exception")))")
      }
      losses.say()
      files?.say()
    }
    if isDamagedUndo { throw Failure(.damage) }
    try losses.finish(volume, check)
  }
}
