public import ArgumentParser
import BlockIO
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
      dmsnap merge STORE --origin ORIGIN [--undo FILE | --no-undo] --plan FILE [OPTIONS]
      dmsnap merge VG/SNAPSHOT --pv PATH... (--undo FILE | --no-undo | --to FILE) [OPTIONS]
      dmsnap merge --apply FILE [STORE] [--origin ORIGIN] [--undo FILE | --no-undo] [OPTIONS]
      """,
    discussion: """
      Of an LVM snapshot, that rolls the origin back to the moment of the snapshot. Of an overlay \
      (a live system, a RAID recovery), it commits what was written. The store is only read. With \
      --undo, what will be overwritten is saved first, in a COW store whose merge is the undo. \
      After a crash, an error or Ctrl-C the same command goes on.
      """)

  @Argument(
    help: "The COW store: a file, a block device, PATH,offset=BYTES,length=BYTES; vg/lv with --pv.")
  var store: PathArgument?

  @Option(help: "The origin: what the snapshot was taken of; with --pv it is found by itself.")
  var origin: PathArgument?

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

  @Flag(help: "Leave alone what the origin holds already: fewer writes, and a smaller undo file.")
  var skipIdentical = false

  @Flag(help: "Read back what was written, past the system's cache, and compare.")
  var verify = false

  @Flag(help: "Say what would be done, and write nothing.")
  var dryRun = false

  @Option(
    help: ArgumentHelp(
      "Write what would be done to FILE, with digests of the origin before and after, and no more.",
      valueName: "file"))
  var plan: String?

  @Option(
    help: ArgumentHelp(
      "Do just what the plan in FILE says; refuse where the origin or the store is not as it was.",
      valueName: "file"))
  var apply: PathArgument?

  @Option(
    help: ArgumentHelp(
      "Merge in spite of unrelated-origin (its content speaks against it), small-origin (it ends"
        + " before the table does), other-snapshots (which would show what is written) or"
        + " degraded-array (whose other members keep the old data).",
      valueName: "risk"))
  var accept: [AcceptedRisk] = []

  @Flag(
    help: "Write the legs of a mirror that are out of date as well; an undo gives all one content.")
  var allLegs = false

  @OptionGroup var volumes: VolumeOptions
  @OptionGroup var table: TableOptions

  @Option(help: "text for people, json for programs.")
  var format = OutputFormat.text

  @OptionGroup var talk: MessageOptions

  func validate() throws {
    if apply == nil {
      guard store != nil else { throw ValidationError("Missing expected argument '<store>'") }
      try OriginOptions.require(origin, volumes)
    }
    let ways = (undo == nil ? 0 : 1) + (noUndo ? 1 : 0) + (to == nil ? 0 : 1)
    // Whether a plan names a way is known when it is read.
    guard ways == 1 || (ways == 0 && (dryRun || plan != nil || apply != nil)) else {
      throw ValidationError("say just one of --undo FILE, --no-undo and --to FILE")
    }
    if to != nil {
      if verify || skipIdentical {
        throw ValidationError("--verify and --skip-identical go with a merge in place")
      }
      if plan != nil || apply != nil {
        throw ValidationError("--plan and --apply go with a merge in place")
      }
    }
    if plan != nil, apply != nil || dryRun || verify {
      throw ValidationError("--plan writes a plan and nothing else")
    }
    if apply != nil, skipIdentical || allLegs || table.isGiven || !volumes.physicalVolumes.isEmpty {
      throw ValidationError(
        "how the table is read, what is skipped, and where volumes are, stands in the plan")
    }
    if to == "" || undo == "" || plan == "" { throw ValidationError("an output needs a name") }
    if let undo, PathArgument(argument: undo)?.isWhole != true {
      throw ValidationError("--undo \(undo) would name a part of a file when it is merged")
    }
    if to == "-" { throw ValidationError("merge has no stream; `export --to -` writes the same") }
  }

  func run() throws {
    try OutputPaths.check([("--to", to), ("--undo", undo), ("--plan", plan)])
    let input = try MergeInput(self)
    try input.found.volume?.warn(talk)
    let progress = MergeProgressLine(talk)
    let purpose: MergePurpose = to != nil ? .copy : dryRun || plan != nil ? .trial : .merge
    let merge = try failingMerge(input) { () throws(MergeError) in
      try input.request.checked(for: purpose, progress: progress.update)
    }
    progress.end()
    if !talk.quiet { for note in merge.notes { Console.say("dmsnap: \(note)") } }
    merge.loaded.warn(about: merge.whole, merge.origin, talk, isDoubted: to != nil)
    if let to, !dryRun {
      return try ImageWriter(
        merge.whole, merge.loaded, merge.whole.origin, input.found.volume, merge.origin,
        isDamagedUndo: merge.isDamagedUndo
      ).write(to: to, command: "merge", format, talk)
    }
    let reporter = MergeReporter(self, input, merge)
    if let plan {
      try failingMerge(input) { () throws(MergeError) in
        let file: OutputText
        do throws(BlockIOError) { file = try OutputText(path: FilePath(plan)) } catch {
          throw .io(error)
        }
        try merge.writePlan(input.plan(of: merge), to: file, progress: progress.update)
      }
      progress.end()
    }
    guard purpose == .merge else { return try reporter.sayPlan() }
    StopRequest.listen()
    let outcome = try failingMerge(input) { () throws(MergeError) in
      try merge.merge(
        verify: verify, progress: progress.update, shouldStop: { StopRequest.isMade })
    }
    progress.end()
    try reporter.say(outcome)
  }
}

/// How far a merge is: a line for each of its steps.
private final class MergeProgressLine {
  private let talk: MessageOptions
  private var step: MergeStep?
  private var line: ProgressLine?

  init(_ talk: MessageOptions) { self.talk = talk }

  func update(_ step: MergeStep, _ done: UInt64, _ total: UInt64) {
    if step != self.step {
      end()
      self.step = step
      line = ProgressLine(step.verb, talk)
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
