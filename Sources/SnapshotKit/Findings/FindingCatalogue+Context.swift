extension FindingCatalogue {
  static func contextEntry(for code: FindingCode) -> FindingEntry {
    switch code {
    case .dataUnreadable:
      FindingEntry(
        severity: .damage, title: "data of exceptions was not read",
        meaning: "The map of bad sectors lists sectors that hold the snapshot's content.",
        cause: "Bad sectors, or an unfinished copy of the medium.",
        consequence: "Those sectors of the snapshot are lost, and every command that reads them"
          + " lists them.",
        remedy:
          "`--wanted FILE` writes a mapfile with which ddrescue tries them again. Until then give"
          + " --map to every command: the image has zeroes or old data there.")
    case .dataIdentical:
      FindingEntry(
        severity: .note, title: "exceptions hold the same data as the origin",
        meaning: "The copied chunk equals the origin's chunk.",
        cause: "A write of the same data; a merge interrupted after its copy; a copy of the whole"
          + " chunk for a write that never reached it.",
        consequence: "None: the snapshot is the same with or without them.",
        remedy: "Nothing to do.")
    case .mergeInterrupted:
      FindingEntry(
        severity: .note, title: "data follows the table",
        meaning: "The data chunks that Linux would hand out next are not empty.",
        cause:
          "A store over reused space; a crash with copies under way; a table with an erased end; or"
          + " an interrupted merge: Linux merges from the last exception to the first and clears"
          + " each from its area when it is done, but leaves the data.",
        consequence:
          "None after a crash: Linux acknowledges a write, or lets it reach the origin, only when"
          + " the exception is on the medium, so the origin still has the data being copied. If a"
          + " merge was started, the origin holds the snapshot's content in the chunks already gone"
          + " from the table, and the rest is still to be merged.",
        remedy:
          "Only if a merge was started and did not finish: complete it with `dmsnap merge`. The"
          + " table has the rest of the work.")
    case .mergeResidue:
      FindingEntry(
        severity: .note, title: "the table is empty, the data chunks are not",
        meaning: "There is no exception, yet the first data chunk holds data.",
        cause:
          "A completed merge, which leaves its data chunks; a new store over reused space; or a"
          + " table erased by activation after the magic was wiped, or by a reset. The store does"
          + " not show which.",
        consequence:
          "To Linux the snapshot equals the origin. If it was neither merged nor new, its"
          + " first exceptions are lost, but the data chunks are still there.",
        remedy:
          "If you did not merge it, keep the store as it is: do not activate it, do not write to"
          + " it, and copy it before anything else.")
    case .inUse:
      FindingEntry(
        severity: .warning, title: "the device or file is in use",
        meaning: "It is mounted, or another device uses it.",
        cause: "The snapshot, its origin or a file system in it is active.",
        consequence: "Data may change while it is read, and findings may describe a state that"
          + " never existed.",
        remedy: "Deactivate it, or work on a copy.")
    case .sameUUID:
      FindingEntry(
        severity: .note, title: "the snapshot's file system has the origin's UUID",
        meaning: "libblkid finds the same file system UUID in the snapshot and in the origin.",
        cause: "A snapshot is a copy, UUID and all.",
        consequence: "Mounting both may be refused (XFS), or mixes them up (btrfs), and a mount by"
          + " UUID may pick the wrong one.",
        remedy: "Mount one at a time, or with nouuid on XFS; never both on btrfs.")
    case .dataZeroBlock:
      FindingEntry(
        severity: .note, title: "a block of zeroes starts or ends within data",
        meaning: "An aligned block of the store is zero, across the bounds of unrelated chunks, or"
          + " of an area.",
        cause:
          "`dd conv=noerror,sync` writes a block of zeroes for each unreadable block. Chunks may"
          + " also contain zeroes legitimately.",
        consequence: "If dd wrote it, that data is lost, and there is no other sign of it.",
        remedy:
          "Find out whether the copy was made this way. If the medium can still be read, copy it"
          + " with GNU ddrescue, and give its mapfile with --map.")
    case .insideFilesystem:
      FindingEntry(
        severity: .warning, title: "the store is inside a file system",
        meaning:
          "The given bytes are in a file system, or in a partition with one: the store is, or was,"
          + " one of its files.",
        cause:
          "`carve` found the store in the image of a disk, such as a live system's overlay on its"
          + " stick.",
        consequence: "A file may be fragmented: then other files' data follows the first fragment,"
          + " and is taken for the store's.",
        remedy: "Mount the file system read-only and give the file; if it was deleted, check the"
          + " result against known data.")
    default: preconditionFailure("\(code) is another group's")
    }
  }
}
