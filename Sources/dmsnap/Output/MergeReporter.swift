import BlockIO
import Inputs
import LVM2
import SnapshotFormat
import SnapshotKit

/// Prints what `dmsnap merge` did, or would do.
struct MergeReporter {
  private let command: Merge
  private let input: MergeInput
  private let merge: CheckedMerge

  init(_ command: Merge, _ input: MergeInput, _ merge: CheckedMerge) {
    self.command = command
    self.input = input
    self.merge = merge
  }

  private var loaded: LoadedTable { merge.snapshot.loaded }
  private var origin: String { merge.view.originName }
  private var store: String { loaded.store.source.name }
  private var volume: SnapshotVolume? { input.found.volume }
  private var undo: String? { input.undo }

  /// Prints the planned merge, for a dry run or a plan.
  func sayPlan() throws {
    let losses = ResultCompleteness(merge.snapshot, merge.knownLosses)
    switch command.format {
    case .json:
      try Console.print(json: report(merge.byteCount, losses, dryRun: true))
    case .text:
      try Console.print(lines: planLines)
      losses.say()
    }
    try finish(losses)
  }

  private var planLines: [String] {
    if let to = command.to { return imageLines(to) }
    let written = "\(counted(loaded.exceptionCount, "exception")), "
    let pieces = counted(UInt64(merge.view.table.runs.count), "piece")
    var lines =
      merge.isUndo
      ? ["This would restore the origin as it was before the merge: \(store) → \(origin)."]
      : [
        "This would make the origin equal to the snapshot: \(store) → \(origin).",
        "With an LVM snapshot, that rolls the origin back to the moment of the snapshot. With an",
        "overlay (a live system, a RAID recovery), it commits the changes.",
      ]
    lines += [
      "It would write \(byteSize(merge.byteCount)) (\(written)\(pieces)\(skipped)) to \(origin).",
      isOwnOrigin
        ? "The volume group's metadata names \(origin) as its origin."
        : merge.isUndo
          ? "The undo store recognises its origin by samples."
          : "A store does not name its origin: make sure that \(origin) is the right one.",
    ]
    if !input.noUndo {
      lines.append(
        "An undo file needs \(byteSize(merge.undoByteCount)) (\(merge.undoByteCount) bytes).")
    }
    lines += [
      "Nothing was written\(command.plan == nil ? "" : " but the plan")."
    ]
    if command.plan == nil {
      lines.append("to look at the result first: \(input.previewCommand)")
    }
    if let plan = command.plan {
      lines.append(
        "to do exactly this, after a look at the plan: dmsnap merge --apply \(quoted(plan))"
          + (undo == nil && !command.noUndo ? " --undo FILE" : "")
          + input.words(input.request.accepted))
    }
    return lines
  }

  /// Describes the new image that --to would write.
  private func imageLines(_ path: String) -> [String] {
    [
      "This would make a new image: \(store) over \(origin) → \(path).",
      "It would have \(byteSize(merge.snapshot.view.byteCount)), of which"
        + " \(byteSize(merge.snapshot.view.mappedByteCount)) come from the store"
        + " (\(counted(loaded.exceptionCount, "exception"))). \(origin) is only read.",
      "Nothing was written.",
    ]
  }

  /// Prints the outcome.
  func say(_ outcome: MergeOutcome) throws {
    let losses = ResultCompleteness(merge.snapshot, outcome.lost)
    do {
      switch command.format {
      case .json:
        try Console.print(json: report(outcome.byteCount, losses))
      case .text where !command.messages.quiet: try Console.print(lines: doneLines(outcome, losses))
      case .text: break
      }
    } catch {
      // The merge is done, and its way back must not be lost if stdout fails.
      Console.say("dmsnap: \(origin): is merged; \(wayBack)")
      throw error
    }
    if command.format == .text { losses.say() }
    try finish(losses)
  }

  /// Whether the store has nothing that the origin lacks by now.
  private func isAllMerged(_ losses: ResultCompleteness) -> Bool {
    losses.isEmpty && !merge.isInDoubt && loaded.store.header?.valid == 1
  }

  private func report(
    _ byteCount: UInt64, _ losses: ResultCompleteness, dryRun: Bool? = nil
  ) -> CopyReport {
    CopyReport(
      command: "merge", exceptionCount: loaded.exceptionCount, byteCount: byteCount,
      lost: losses.ranges, isComplete: losses.isEmpty && !merge.isDamagedUndo, dryRun: dryRun)
  }

  private func finish(_ losses: ResultCompleteness) throws {
    if merge.isDamagedUndo { throw Failure(.damage) }
    try losses.finish(volume, merge.isInDoubt ? merge.origin : nil)
  }

  /// Whether the origin is the one in the group's metadata.
  private var isOwnOrigin: Bool {
    guard let volume, let own = input.found.originVolume else { return false }
    return own.isOrigin(of: volume)
  }

  private var wayBack: String {
    input.undoCommand.map { "to undo, before anything else writes to it: \($0)" }
      ?? "this cannot be undone: no undo file was written"
  }

  private func doneLines(_ outcome: MergeOutcome, _ losses: ResultCompleteness) -> [String] {
    if outcome.wasFinished {
      return ["\(origin): was already merged, according to \(undo ?? "the undo file"): finished"]
    }
    var lines = [
      "\(origin): \(byteSize(outcome.byteCount)) \(merge.isUndo ? "restored" : "merged")"
        + " (\(counted(loaded.exceptionCount, "exception"))\(skipped))"
        + (command.verify ? ", read back and compared" : ""),
      wayBack,
    ]
    guard let volume, isOwnOrigin,
      volume.found.group.snapshots.contains(where: { $0.store == volume.snapshot.store })
    else { return lines }
    let snapshot = "\(volume.version.name)/\(volume.snapshot.store)"
    lines.append(
      volume.snapshot.isMerging
        ? "at the next activation lvm2 merges \(snapshot) once more, to the same result, and"
          + " removes it"
          + (volume.siblings.isEmpty
            ? ""
            : "; that copies data to the other snapshots of \(origin), and may fill their"
              + " stores")
        : isAllMerged(losses)
          ? "the group still has \(snapshot), which now shows the same: lvremove"
            + " \(quoted(snapshot))"
          : "the group still has \(snapshot): keep it until you have checked \(origin)")
    return lines
  }

  private var skipped: String {
    merge.skippedByteCount == 0 ? "" : "; \(byteSize(merge.skippedByteCount)) are there already"
  }
}
