import ArgumentParser
import BlockIO
import SnapshotFormat
import SnapshotKit
import SystemPackage

/// `dmsnap merge`: the origin becomes the snapshot.
struct Merge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Merges a snapshot into its origin: the origin becomes the snapshot.",
    discussion: """
      Of an LVM snapshot, that rolls the origin back to the moment of the snapshot. Of an overlay \
      (a live system, a RAID recovery), it commits what was written. The store is only read. With \
      --undo, what will be overwritten is saved first, in a COW store whose merge is the undo; \
      after a crash or an error the same command goes on where it can.
      """)

  @OptionGroup var input: StoreOptions
  @OptionGroup var originInput: OriginOptions

  @Option(
    help: ArgumentHelp(
      "Save what is overwritten in FILE, a new COW store: merging that undoes this.",
      valueName: "file"))
  var undo: String?

  @Flag(help: "Overwrite without a way back.")
  var noUndo = false

  @Option(
    help: ArgumentHelp(
      "Leave the origin alone and write the merged image to a new file.", valueName: "file"))
  var to: String?

  @Flag(help: "Say what would be done, and write nothing.")
  var dryRun = false

  @Flag(help: "Read back what was written, and compare.")
  var verify = false

  @Option(help: "text for people, json for programs.")
  var format = OutputFormat.text

  @OptionGroup var talk: TalkOptions

  func validate() throws {
    let ways = (undo == nil ? 0 : 1) + (noUndo ? 1 : 0) + (to == nil ? 0 : 1)
    guard ways == 1 || (dryRun && ways == 0) else {
      throw ValidationError("say just one of --undo FILE, --no-undo and --to FILE")
    }
    if verify, to != nil { throw ValidationError("--verify goes with a merge in place") }
    if to == "" || undo == "" { throw ValidationError("an output needs a name") }
    if to == "-" { throw ValidationError("merge has no stream; `export --to -` writes the same") }
  }

  func run() throws {
    let loaded = try input.loadTable(for: originInput.origin.open())
    if to == nil { try checkTarget() }
    // A target is locked first, so that all the checks are of what will be written.
    let target =
      to == nil && !dryRun
      ? try failing { () throws(BlockIOError) in
        try FileTarget(path: FilePath(originInput.origin.path))
      } : nil
    let origin: any BlockSource = try target ?? originInput.origin.open()
    let view = SnapshotView(of: origin, through: loaded.table, of: loaded.store.source)
    let obstacle = try failingStore { () throws(StoreError) in
      try loaded.mergeObstacle(originByteCount: origin.byteCount)
    }
    try failingMerge { () throws(MergeError) in
      if let obstacle { throw .kernelWouldFail(store: input.store.text, obstacle) }
      try UndoStore.check(loaded.store, belongsTo: origin, through: view)
    }
    loaded.warn(about: origin, talk)
    if let target {
      try mergeInPlace(loaded, view, target)
    } else if let to, !dryRun {
      try ImageWriter(view, loaded, origin).write(to: to, command: "merge", format, talk)
    } else {
      try report(plan: view, loaded)
    }
  }

  /// Refuses a target before anything is opened for writing; a dry run is refused alike.
  private func checkTarget() throws(Failure) {
    let path = originInput.origin.path
    guard originInput.origin.isWhole else {
      throw Failure(
        .refused,
        "\(originInput.origin.text): a merge in place cannot write to a part of a file;"
          + " attach it to a loop device (losetup --offset), or use --to")
    }
    let origin = try identity(of: path)
    let store = try identity(of: input.store.path)
    if origin == store { throw Failure(MergeError.sameFile(path)) }
    // An undo file is opened for writing to look into it, which must not happen to an input.
    if let undo, FileTarget.exists(FilePath(undo)),
      [store, origin].contains(try identity(of: undo))
    {
      throw Failure(.refused, "\(undo): is the store or the origin itself, not an undo file")
    }
    try failing { () throws(BlockIOError) in
      try FileTarget.checkUnused(origin, name: path)
      try FileTarget.checkUnused(store, name: input.store.text)  // it would change as we read it
    }
  }

  private func identity(of path: String) throws(Failure) -> FileIdentity {
    try failing { () throws(BlockIOError) in try FileSource(path: FilePath(path)).identity }
  }

  private func mergeInPlace(
    _ loaded: LoadedTable, _ view: SnapshotView, _ target: FileTarget
  ) throws {
    let undoStore = try undo.map { try prepareUndo($0, view, target) }
    let line = ProgressLine("merged", talk)
    let outcome = try failingMerge { () throws(MergeError) in
      try Merger(view, of: loaded.store.source, into: target)
        .merge(undo: undoStore, verify: verify) { line.update($0, $1) }
    }
    line.end()
    try report(outcome, loaded, originByteCount: view.byteCount)
  }

  private func prepareUndo(
    _ path: String, _ view: SnapshotView, _ target: FileTarget
  ) throws(Failure) -> UndoStore {
    let byteCount = UndoStore.byteCount(for: view)
    return try failingMerge { () throws(MergeError) in
      let (file, isNew) = try UndoFile.open(FilePath(path), byteCount: byteCount)
      return try UndoStore(of: view, over: target, in: file, isNew: isNew)
    }
  }

  private func report(plan view: SnapshotView, _ loaded: LoadedTable) throws {
    let origin = originInput.origin.path
    let needed = UndoStore.byteCount(for: view)
    let losses = Losses(loaded, view.knownLosses, originByteCount: view.byteCount)
    switch format {
    case .json:
      try Console.print(
        json: CopyReport(
          command: "merge", exceptionCount: loaded.exceptionCount,
          byteCount: view.mappedByteCount, lost: losses.ranges, isComplete: losses.isEmpty,
          dryRun: true))
    case .text:
      try Console.print(
        """
        This would make the origin equal to the snapshot: \(input.store.text) → \(origin).
        Of an LVM snapshot, that rolls the origin back to the moment of the snapshot. Of an
        overlay (a live system, a RAID recovery), it commits what was written.
        It would write \(byteSize(view.mappedByteCount)) \
        (\(counted(loaded.exceptionCount, "exception")), \
        \(counted(UInt64(loaded.table.runs.count), "piece"))) to \(origin).
        Nothing in a store names its origin: make sure that \(origin) is the right one.
        An undo file needs \(byteSize(needed)) (\(needed) bytes).
        Nothing was written.
        """)
      losses.say()
    }
    try losses.finish()
  }

  private func report(
    _ outcome: Merger.Outcome, _ loaded: LoadedTable, originByteCount: UInt64
  ) throws {
    let losses = Losses(loaded, outcome.lost, originByteCount: originByteCount)
    switch format {
    case .json:
      try Console.print(
        json: CopyReport(
          command: "merge", exceptionCount: loaded.exceptionCount,
          byteCount: outcome.byteCount, lost: losses.ranges, isComplete: losses.isEmpty))
    case .text where !talk.quiet:
      let origin = originInput.origin.path
      if outcome.wasFinished {
        try Console.print("\(origin): was merged already, as \(undo ?? "the undo file") says")
      } else {
        try Console.print(
          "\(origin): \(byteSize(outcome.byteCount)) merged"
            + " (\(counted(loaded.exceptionCount, "exception")))"
            + (verify ? ", read back and compared" : ""))
        if let undo {
          try Console.print(
            "to undo, before anything else writes to it: dmsnap merge \(undo) --origin \(origin) --no-undo"
          )
        }
      }
    case .text: break
    }
    if format == .text { losses.say() }
    try losses.finish()
  }
}
