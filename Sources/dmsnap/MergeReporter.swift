import BlockIO
import LVM2
import SnapshotKit

/// What `dmsnap merge` says of what it did, or would do.
struct MergeReporter {
  private let command: Merge
  private let loaded: LoadedTable
  private let view: SnapshotView
  private let origin: String
  private let store: String
  private let volume: SnapshotVolume?
  /// The options by which a volume group is found.
  private let options: String
  private let undo: String?
  private let skippedByteCount: UInt64
  private let isDamagedUndo: Bool
  /// What the content tells of the origin, unless the user said that it is the right one.
  private let check: OriginCheck?

  init(
    _ command: Merge, _ loaded: LoadedTable, _ view: SnapshotView, _ found: StoreInput,
    undo: String?, skippedByteCount: UInt64, isDamagedUndo: Bool, _ check: OriginCheck?
  ) {
    self.command = command
    self.loaded = loaded
    self.view = view
    origin = view.originName
    store = loaded.store.source.name
    volume = found.volume
    options = found.volumeWords
    self.undo = undo
    self.skippedByteCount = skippedByteCount
    self.isDamagedUndo = isDamagedUndo
    self.check = check
  }

  /// Says what would be done: of a dry run, and of a plan.
  func sayPlan() throws(Failure) {
    let needed = UndoStore.byteCount(for: view)
    let losses = Losses(loaded, view.knownLosses, originByteCount: view.byteCount)
    switch command.format {
    case .json:
      try Console.print(
        json: CopyReport(
          command: "merge", exceptionCount: loaded.exceptionCount,
          byteCount: view.mappedByteCount, lost: losses.ranges,
          isComplete: losses.isEmpty && !isDamagedUndo,
          dryRun: true))
    case .text:
      try Console.print(
        """
        This would make the origin equal to the snapshot: \(store) → \(origin).
        Of an LVM snapshot, that rolls the origin back to the moment of the snapshot. Of an
        overlay (a live system, a RAID recovery), it commits what was written.
        It would write \(byteSize(view.mappedByteCount)) \
        (\(counted(loaded.exceptionCount, "exception")), \
        \(counted(UInt64(view.table.runs.count), "piece"))\(skipped)) to \(origin).
        \(volume == nil
          ? "Nothing in a store names its origin: make sure that \(origin) is the right one."
          : "The volume group's metadata names \(origin) as its origin.")
        An undo file needs \(byteSize(needed)) (\(needed) bytes).
        Nothing was written\(command.plan == nil ? "" : " but the plan").
        """)
      if let plan = command.plan {
        try Console.print(
          "to do just this, after a look at the plan: dmsnap merge --apply \(quoted(plan))"
            + (undo == nil && !command.noUndo ? " --undo FILE" : ""))
      }
      losses.say()
    }
    if isDamagedUndo { throw Failure(.damage) }
    try losses.finish(volume, check)
  }

  /// Says what was done.
  func say(_ outcome: Merger.Outcome) throws(Failure) {
    let losses = Losses(loaded, outcome.lost, originByteCount: view.byteCount)
    switch command.format {
    case .json:
      try Console.print(
        json: CopyReport(
          command: "merge", exceptionCount: loaded.exceptionCount,
          byteCount: outcome.byteCount, lost: losses.ranges,
          isComplete: losses.isEmpty && !isDamagedUndo))
    case .text where !command.talk.quiet: try sayDone(outcome)
    case .text: break
    }
    if command.format == .text { losses.say() }
    if isDamagedUndo { throw Failure(.damage) }
    try losses.finish(volume, check)
  }

  private func sayDone(_ outcome: Merger.Outcome) throws(Failure) {
    if outcome.wasFinished {
      return try Console.print(
        "\(origin): was merged already, as \(undo ?? "the undo file") says: finished")
    }
    try Console.print(
      "\(origin): \(byteSize(outcome.byteCount)) merged"
        + " (\(counted(loaded.exceptionCount, "exception"))\(skipped))"
        + (command.verify ? ", read back and compared" : ""))
    try Console.print(
      undo.map {
        "to undo, before anything else writes to it: dmsnap merge \(quoted($0)) --origin"
          + " \(quoted(origin))\(options) --no-undo"
      } ?? "there is no way back; the same command again would end the same")
    guard let volume,
      volume.found.group.snapshots.contains(where: { $0.store == volume.snapshot.store })
    else { return }
    let snapshot = "\(volume.version.name)/\(volume.snapshot.store)"
    try Console.print(
      volume.snapshot.isMerging
        ? "at the next activation lvm2 merges \(snapshot) once more, to the same end, and removes it"
          + (volume.siblings.isEmpty
            ? "" : "; that copies to the other snapshots of \(origin), and may fill their stores")
        : "the group still has \(snapshot), which shows the same now: lvremove \(quoted(snapshot))")
  }

  private var skipped: String {
    skippedByteCount == 0 ? "" : "; \(byteSize(skippedByteCount)) are there already"
  }
}
