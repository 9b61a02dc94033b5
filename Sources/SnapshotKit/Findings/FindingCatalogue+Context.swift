extension FindingCatalogue {
  static func contextEntry(for code: FindingCode) -> FindingEntry {
    switch code {
    case .dataUnreadable:
      FindingEntry(
        severity: .damage, title: "data that exceptions name was not read",
        meaning: "A map of bad sectors says so of sectors that hold the snapshot's content.",
        cause: "Bad sectors, or a copy of the medium that is not finished.",
        consequence: "Those sectors of the snapshot are lost, and listed by whatever reads them.",
        remedy:
          "`--wanted FILE` writes a mapfile by which ddrescue tries them again. Until then use"
          + " --map with every command: the image has zeroes there, or whatever was there before.")
    case .dataIdentical:
      FindingEntry(
        severity: .note, title: "exceptions hold what the origin holds",
        meaning: "The copied chunk equals the origin's chunk.",
        cause: "A write of the same data; a merge that was cut short after its copy; a copy of the"
          + " whole chunk for a write that did not reach it.",
        consequence: "None: with or without them the snapshot is the same.",
        remedy: "Nothing to do.")
    case .mergeInterrupted:
      FindingEntry(
        severity: .note, title: "data stands behind the table",
        meaning: "The data chunks that Linux would hand out next are not empty.",
        cause:
          "A store over space that was used before; a crash with copies under way; the end of a"
          + " table that was erased; or a merge"
          + " that was cut short: Linux merges from the last exception to the first and clears each"
          + " from its area when it is done, but leaves the data.",
        consequence:
          "None after a crash: Linux acknowledges a write, or lets it reach the origin, only when the"
          + " exception is on the medium, so that what was being copied is still in the origin. If a"
          + " merge was begun, the origin holds the snapshot's content in"
          + " the chunks that are gone from the table already, and the rest is still to be merged.",
        remedy:
          "Only if a merge was begun and did not end, finish it: `dmsnap merge`. What is in the"
          + " table is all that is left to do.")
    case .mergeResidue:
      FindingEntry(
        severity: .note, title: "the table is empty, the data chunks are not",
        meaning: "There is no exception, yet the first data chunk holds data.",
        cause:
          "A completed merge, which leaves its data chunks; a new store over space that was used"
          + " before; or a table that was erased: by activation after the magic was wiped, or by a"
          + " reset. The store does not tell which.",
        consequence:
          "To Linux the snapshot equals the origin. If it was neither merged nor new, its"
          + " first exceptions are lost, but the data chunks are still there.",
        remedy:
          "If you did not merge it, keep the store as it is: do not activate it, do not write to"
          + " it, and copy it before anything else.")
    case .inUse:
      FindingEntry(
        severity: .warning, title: "the device or file is in use",
        meaning: "It is mounted, or another device lies on it.",
        cause: "The snapshot, its origin or a file system in it is active.",
        consequence: "What is read may change while it is read, so that findings may be of a state"
          + " that never was.",
        remedy: "Deactivate it, or work on a copy.")
    case .sameUUID:
      FindingEntry(
        severity: .note, title: "the snapshot's file system has the origin's UUID",
        meaning: "libblkid finds the same file system UUID in the snapshot and in the origin.",
        cause: "A snapshot is a copy, UUID and all.",
        consequence: "Mounting both may be refused (XFS), or mixes them up (btrfs), and a mount by"
          + " UUID may take the wrong one.",
        remedy: "Mount one at a time, or with nouuid on XFS; never both on btrfs.")
    case .dataZeroBlock:
      FindingEntry(
        severity: .note, title: "a block of zeroes begins or ends within data",
        meaning: "An aligned block of the store is zero, across the bounds of chunks that have"
          + " nothing to do with one another, or of an area.",
        cause:
          "`dd conv=noerror,sync` writes a block of zeroes for each that it cannot read. Chunks"
          + " may also be zero by themselves.",
        consequence: "If so, that data is lost, and nothing else says so.",
        remedy:
          "Look whether the copy was made so. If the medium can still be read, copy it with GNU"
          + " ddrescue, and name its mapfile with --map.")
    case .insideFilesystem:
      FindingEntry(
        severity: .warning, title: "the store lies within a file system",
        meaning:
          "The bytes that were named lie in a file system, or in a partition with one, so that"
          + " the store is a file of it, or was.",
        cause:
          "A store that was found by `carve` in the image of a disk, as a live system's overlay"
          + " on its stick.",
        consequence: "A file may lie in fragments: then other files' data stands behind the first,"
          + " and is taken for the store's.",
        remedy: "Mount the file system read-only and name the file; if it was deleted, compare what"
          + " comes out with what should.")
    default: preconditionFailure("\(code) is another group's")
    }
  }
}
