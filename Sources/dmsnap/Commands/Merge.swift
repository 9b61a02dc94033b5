public import ArgumentParser
import BlockIO
import Inputs
import Serving
public import SnapshotKit
import SystemPackage

extension AcceptedRisk: ExpressibleByArgument {}

/// `dmsnap merge`: the origin becomes the snapshot.
struct Merge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Merges a snapshot into its origin: the origin becomes the snapshot.",
    usage: """
      dmsnap merge STORE --origin ORIGIN (--undo FILE | --no-undo | --to FILE) [OPTIONS]
      dmsnap merge STORE --origin ORIGIN [--undo FILE | --no-undo | --to FILE] --dry-run [OPTIONS]
      dmsnap merge STORE --origin ORIGIN --preview [OPTIONS]
      dmsnap merge STORE --origin ORIGIN [--undo FILE | --no-undo] --plan FILE [OPTIONS]
      dmsnap merge VG/SNAPSHOT --pv PATH... (--undo FILE | --no-undo | --to FILE) [OPTIONS]
      dmsnap merge --apply FILE [STORE] [--origin ORIGIN] [--undo FILE | --no-undo] [OPTIONS]
      """,
    discussion: """
      With an LVM snapshot, that rolls the origin back to the moment of the snapshot. With an \
      overlay (a live system, a RAID recovery), it commits the changes. The store is never \
      written. --undo first saves the data to be overwritten, in a COW store whose merge is the \
      undo. After a crash, an error or Ctrl-C, run the same command again.
      """)

  @OptionGroup var input: OptionalStoreOptions
  @OptionGroup var originInput: OriginOptions

  @Option(
    help: ArgumentHelp(
      "First save the origin's old data to FILE, a new COW store; merging FILE undoes this merge.",
      valueName: "file"))
  var undo: String?

  @Flag(help: "Overwrite without saving the old data.")
  var noUndo = false

  @Option(
    help: ArgumentHelp(
      "Leave the origin alone and write the merged image to a new file.", valueName: "file"))
  var to: String?

  @Flag(help: "Skip data that the origin already holds: fewer writes, a smaller undo file.")
  var skipIdentical = false

  @Flag(help: "Read the written data back, past the page cache, and compare.")
  var verify = false

  @Flag(help: "Show what the merge would do, and write nothing.")
  var dryRun = false

  @Flag(help: "Serve the result of the merge, as `dmsnap serve` does, and write nothing.")
  var preview = false

  @Option(
    help: ArgumentHelp(
      "Write a plan of the merge to FILE, with digests of the origin before and after; then stop.",
      valueName: "file"))
  var plan: String?

  @Option(
    help: ArgumentHelp(
      "Do exactly what the plan in FILE says; refuse if the store, the plan or the data to"
        + " overwrite has changed.",
      valueName: "file"))
  var apply: PathArgument?

  @Option(
    help: ArgumentHelp(
      "Override a refusal: unrelated-origin (its content contradicts the store), small-origin (it"
        + " ends before the table does; needs --reading salvage), other-snapshots (they would show"
        + " the written data) or degraded-array (its other members keep the old data).",
      valueName: "risk"))
  var accept: [AcceptedRisk] = []

  @Flag(
    help: ArgumentHelp(
      "Also write a mirror's legs that are out of date; an undo gives every leg the old content of"
        + " the leg that was read."))
  var allLegs = false

  @OptionGroup var list: EvidenceOptions

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func validate() throws {
    if apply == nil {
      try input.require()
      try OriginOptions.require(originInput.origin, input.volumes)
    }
    let ways = (undo == nil ? 0 : 1) + (noUndo ? 1 : 0) + (to == nil ? 0 : 1)
    // Whether a plan names a way back is known only once it is read.
    guard ways == 1 || (ways == 0 && (dryRun || preview || plan != nil || apply != nil)) else {
      throw ValidationError("give exactly one of --undo FILE, --no-undo and --to FILE")
    }
    if to != nil {
      if verify || skipIdentical {
        throw ValidationError("--verify and --skip-identical go with a merge in place")
      }
      if plan != nil || apply != nil {
        throw ValidationError("--plan and --apply go with a merge in place")
      }
    }
    if preview, dryRun || verify || plan != nil || to != nil {
      throw ValidationError("--preview serves and does nothing else")
    }
    if plan != nil, apply != nil || dryRun || verify {
      throw ValidationError("--plan writes a plan and nothing else")
    }
    if apply != nil, skipIdentical || allLegs || input.table.isGiven {
      throw ValidationError("the plan says how the table is read and what is skipped")
    }
    if to == "" || undo == "" || plan == "" { throw ValidationError("an output needs a name") }
    if let undo, PathArgument(argument: undo)?.isWhole != true {
      throw ValidationError("--undo \(undo) would name a part of a file when it is merged")
    }
    if undo == "-" || plan == "-" {
      throw ValidationError("an undo file or a plan cannot be a stream; ./- names a file")
    }
    if to == "-" { throw ValidationError("merge does not write to stdout; use `export --to -`") }
  }

  func run() throws {
    try OutputPaths.check(
      [("--to", to), ("--undo", undo), ("--plan", plan), ("--evidence", list.evidence)])
    let input = try MergeInput(self)
    try input.found.volume?.warn(messages)
    let progress = MergeProgressLine(messages)
    let purpose: MergePurpose =
      to != nil ? .copy : dryRun || preview || plan != nil ? .trial : .merge
    let merge = try wrapping(
      input.advised, try input.request.checked(for: purpose, progress: progress.update))
    progress.end()
    merge.snapshot.loaded.placement.sayUnusedSiblings()
    if !messages.quiet { for note in merge.notes { Console.say("dmsnap: \(note)") } }
    merge.snapshot.warn(merge.origin, messages, isDoubted: to != nil)
    if preview {
      // A merge leaves lost chunks alone.
      let request = ServeRequest(input.options, origin: input.origin, .origin)
      return try Server(request, socket: nil, port: nil).run(format, messages)
    }
    let evidence = try list.prepare(merge.snapshot.loaded, input.options.table.place)
    if let to, !dryRun {
      try evidence?.publish()
      return try ImageWriter(
        merge.snapshot, input.found.volume, merge.origin, isDamagedUndo: merge.isDamagedUndo
      ).write(to: to, command: "merge", format, messages)
    }
    let reporter = MergeReporter(self, input, merge)
    if let plan {
      try merge.writePlan(
        input.plan(of: merge), to: OutputText(path: FilePath(plan)), progress: progress.update)
      progress.end()
    }
    guard purpose == .merge else {
      try evidence?.publish()
      if let to { _ = try OutputFile.availableByteCount(at: FilePath(to)) }
      return try reporter.sayPlan()
    }
    StopRequest.listen()
    let outcome = try wrapping(
      input.advised,
      try merge.merge(
        verify: verify, progress: progress.update, shouldStop: { StopRequest.isMade }))
    progress.end()
    // An interrupted merge is run again with the same name, which must be free until then.
    try evidence?.publish()
    try reporter.say(outcome)
  }
}

/// The progress of a merge: a line for each of its steps.
private final class MergeProgressLine {
  private let messages: MessageOptions
  private var step: MergeStep?
  private var line: ProgressLine?

  init(_ messages: MessageOptions) { self.messages = messages }

  func update(_ step: MergeStep, _ done: UInt64, _ total: UInt64) {
    if step != self.step {
      end()
      self.step = step
      line = ProgressLine(step.verb, messages)
    }
    line?.update(done, total)
  }

  func end() {
    line?.end()
    (line, step) = (nil, nil)
  }
}

extension MergeStep {
  fileprivate var verb: String {
    switch self {
    case .comparing: "compared"
    case .planning: "planned"
    case .saving: "saved"
    case .merging: "merged"
    }
  }
}
