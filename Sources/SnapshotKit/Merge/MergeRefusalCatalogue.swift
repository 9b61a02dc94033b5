extension MergeRefusalCode {
  /// Its entry: `dmsnap explain` prints it, docs/refusals.md is generated from it.
  public var entry: MergeRefusalEntry {
    switch self {
    case .storeIsOrigin, .targetUnavailable, .targetNotWritable, .kernelWouldFail,
      .storeUnreadable, .unrelatedOrigin, .smallOrigin, .otherSnapshots, .originWritten, .noRoom:
      originEntry
    case .undoElsewhere, .undoIncomplete, .undoDamaged, .undoIsInput, .undoExists, .undoOfOther,
      .planUnreadable, .planEdited, .planOutdated:
      fileEntry
    case .groupInDoubt, .storeReused, .originMoved, .originIsStore, .sharedExtents, .overMetadata,
      .severalLegs, .degradedArray:
      volumeEntry
    }
  }

  private static let newImage = "`--to FILE` writes the merged image to a new file."

  private var originEntry: MergeRefusalEntry {
    switch self {
    case .storeIsOrigin:
      MergeRefusalEntry(
        title: "store and origin share bytes",
        reason: """
          A store is evidence and is never written. Here a write to the origin would also write to \
          the store: they are the same file, a disk and its partition, or a loop device and its \
          file.
          """,
        remedy: "Name the right origin, or merge into a copy of it.")
    case .targetUnavailable:
      MergeRefusalEntry(
        title: "the origin, or the undo file, is in use or unavailable",
        reason: """
          It is mounted, open through a device, locked or read-only. Two programs that write to \
          one image destroy it, and a mounted file system does not notice changes below it.
          """,
        remedy: "Stop or unmount the user in the message, then run the same command again."
          + " \(Self.newImage)")
    case .targetNotWritable:
      MergeRefusalEntry(
        title: "not all of the origin can be written",
        reason: """
          Bytes of it are missing (a gap, a missing physical volume) or laid out in a way that \
          dmsnap only reads (parity). A merge that wrote the rest would leave a mixture.
          """,
        remedy: "Provide all of its parts, or use `--to`. \(Self.newImage)")
    case .kernelWouldFail:
      MergeRefusalEntry(
        title: "Linux's own merge would fail",
        reason: """
          At some of the table's exceptions Linux would stop half-way with "Merge failed", or \
          leave an origin that differs from the snapshot.
          """,
        remedy: "`--reading salvage` leaves out invalid exceptions and lists them.")
    case .storeUnreadable:
      MergeRefusalEntry(
        title: "data to be merged is known to be unreadable",
        reason: """
          A map of bad sectors, a gap, or a missing physical volume covers data of the store. The \
          merge would stop when it reaches that data and leave the origin merged in part.
          """,
        remedy: "`--reading salvage` merges the rest and lists the losses. \(Self.newImage)")
    case .unrelatedOrigin:
      MergeRefusalEntry(
        title: "the origin does not match the store",
        reason: """
          A store does not name its origin. The content of the two is contradictory: another file \
          system, no sector in common, a whole disk where a partition belongs, or another store.
          """,
        remedy: """
          Find the right origin; `dmsnap inspect STORE --origin ORIGIN` shows the evidence. If you \
          know that it is the right one, give `--accept unrelated-origin`.
          """)
    case .smallOrigin:
      MergeRefusalEntry(
        title: "the origin ends before the table does",
        reason: "Exceptions for chunks past its end would be dropped, and their data with them.",
        remedy: """
          If the origin was padded with zeroes when the snapshot was taken, extend a copy of it to \
          the same length with `truncate`. `--reading salvage --accept small-origin` drops those \
          exceptions; the status is then 2.
          """)
    case .otherSnapshots:
      MergeRefusalEntry(
        title: "other snapshots of the origin would change",
        reason: """
          They show the origin wherever they have no copy of their own. Linux copies data to them \
          before its merge overwrites it; dmsnap does not.
          """,
        remedy: """
          Export those snapshots first and then give `--accept other-snapshots`, or use `--to`. A \
          merge that changes no byte of them is not refused.
          """)
    case .originWritten:
      MergeRefusalEntry(
        title: "the origin was written since the merge was interrupted",
        reason: """
          A sector of it is neither as the undo file saved it nor as the merge leaves it. \
          Continuing would destroy data written since.
          """,
        remedy: "Copy that data, then undo the merge, or merge with another undo file.")
    case .noRoom:
      MergeRefusalEntry(
        title: "there is no room for the undo file",
        reason: "The undo file must be complete on the medium before anything is overwritten.",
        remedy: "Give an undo file on a file system with the free space that the message requires.")
    default: preconditionFailure("\(rawValue) has its entry elsewhere")
    }
  }

  private var fileEntry: MergeRefusalEntry {
    switch self {
    case .undoElsewhere:
      MergeRefusalEntry(
        title: "the undo store belongs to another origin, or the origin was written since",
        reason: """
          It records the length of its origin, and a digest of samples that the merge left alone. \
          They do not match this origin.
          """,
        remedy: """
          Give the origin of that merge. If this is the right one, `--reading salvage --accept \
          unrelated-origin` restores what it can.
          """)
    case .undoIncomplete:
      MergeRefusalEntry(
        title: "the undo store was never completed",
        reason: "The merge was interrupted while it saved; the origin was not touched.",
        remedy: "There is nothing to undo. The same merge command starts over.")
    case .undoDamaged:
      MergeRefusalEntry(
        title: "the undo store is damaged",
        reason: "Its data, its table or its manifest differs from the saved version.",
        remedy: "`--reading salvage` restores the rest of it; the status is then 2.")
    case .undoIsInput:
      MergeRefusalEntry(
        title: "the undo file is the store or the origin",
        reason: "The undo file is written. The store never is, and the origin only by the merge.",
        remedy: "Name a new file.")
    case .undoExists:
      MergeRefusalEntry(
        title: "the undo file exists and is another file",
        reason: "Existing files are never overwritten.", remedy: "Name a new file.")
    case .undoOfOther:
      MergeRefusalEntry(
        title: "the undo file belongs to another merge",
        reason: """
          It was made for another table or another origin, or its merge is finished and the origin \
          has changed since.
          """,
        remedy: "Name a new file; keep the other one, which undoes its merge.")
    case .planUnreadable:
      MergeRefusalEntry(
        title: "the file is not a plan",
        reason: "Its first line is not one that `merge --plan` writes.",
        remedy: "Make a plan with `merge --plan FILE`.")
    case .planEdited:
      MergeRefusalEntry(
        title: "the plan was edited or truncated",
        reason: """
          Its lines have changed since it was written: the last line has a digest of the first and \
          counts the others.
          """,
        remedy: "Make a new plan, and look at it.")
    case .planOutdated:
      MergeRefusalEntry(
        title: "the plan no longer fits the store or the origin",
        reason: "A table or a byte has changed since the plan was made.",
        remedy: "Find out what changed, then make a new plan.")
    default: preconditionFailure("\(rawValue) has its entry elsewhere")
    }
  }

  private var volumeEntry: MergeRefusalEntry {
    switch self {
    case .groupInDoubt:
      MergeRefusalEntry(
        title: "the group's physical volumes are in doubt",
        reason: """
          Two have the same UUID, one is in use by another group, or the current metadata is lost \
          and an older text is used.
          """,
        remedy: "Name only the right physical volumes. \(Self.newImage)")
    case .storeReused:
      MergeRefusalEntry(
        title: "extents of the store were reallocated",
        reason: "They may now hold another volume's data, which would go into the origin.",
        remedy: Self.newImage)
    case .originMoved:
      MergeRefusalEntry(
        title: "the origin has moved",
        reason: """
          The requested version of the metadata maps it to other extents than the newest version \
          does, so a merge would write to extents that now belong to another volume.
          """,
        remedy: Self.newImage)
    case .originIsStore:
      MergeRefusalEntry(
        title: "the origin is a snapshot's store",
        reason: "By the group's metadata, it is another snapshot's store. A store is never"
          + " written.",
        remedy: "Name the snapshot's origin.")
    case .sharedExtents:
      MergeRefusalEntry(
        title: "extents of the origin are used twice",
        reason: """
          By the group's metadata they belong to the store, to another volume, or to the origin in \
          two places: lvm2 makes no such group, and a merge would write to more than the origin.
          """,
        remedy: "Use an older version of the metadata (`lvm list --history`), or `--to`.")
    case .overMetadata:
      MergeRefusalEntry(
        title: "the origin overlaps a label or metadata",
        reason: "By the group's metadata it has extents where the group's own metadata is.",
        remedy: Self.newImage)
    case .severalLegs:
      MergeRefusalEntry(
        title: "the origin has several legs, and they differ",
        reason: """
          An undo file saves one leg. If the legs differ, or only one of them is read, it would \
          not restore the others.
          """,
        remedy:
          "Resynchronise the legs first, or give `--all-legs`: an undo then gives every leg the old"
          + " content of the leg that was read. Or use `--to`.")
    case .degradedArray:
      MergeRefusalEntry(
        title: "only some members of an array would be written",
        reason: "The missing members would keep the old data, and md would not notice.",
        remedy: """
          Give every member with --pv. `--accept degraded-array` writes to those given; rebuild \
          the others from them before you use the array.
          """)
    default: preconditionFailure("\(rawValue) has its entry elsewhere")
    }
  }
}
