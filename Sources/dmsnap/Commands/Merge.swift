import ArgumentParser
import BlockIO
import SnapshotKit

/// What a merge is refused for, unless the user says that it is right.
enum AcceptedRisk: String, ExpressibleByArgument, CaseIterable {
  /// The content of the origin speaks against its being the store's.
  case unrelatedOrigin = "unrelated-origin"
  /// The table has exceptions for chunks behind the end of the origin.
  case smallOrigin = "small-origin"
  /// Other snapshots of the volume would show what is written.
  case otherSnapshots = "other-snapshots"
}

/// `dmsnap merge`: the origin becomes the snapshot.
struct Merge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Merges a snapshot into its origin: the origin becomes the snapshot.",
    usage: """
      dmsnap merge STORE --origin ORIGIN (--undo FILE | --no-undo | --to FILE) [OPTIONS]
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
        + " before the table does) or other-snapshots (which would show what is written).",
      valueName: "risk"))
  var accept: [AcceptedRisk] = []

  @OptionGroup var volumes: VolumeOptions
  @OptionGroup var table: TableOptions

  @Option(help: "text for people, json for programs.")
  var format = OutputFormat.text

  @OptionGroup var talk: TalkOptions

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
    if apply != nil, skipIdentical || table.isGiven || !volumes.physicalVolumes.isEmpty {
      throw ValidationError(
        "how the table is read, what is skipped, and where volumes are, stands in the plan")
    }
    if to == "" || undo == "" || plan == "" { throw ValidationError("an output needs a name") }
    if to == "-" { throw ValidationError("merge has no stream; `export --to -` writes the same") }
  }

  func run() throws {
    try MergeJob(self).run()
  }
}
