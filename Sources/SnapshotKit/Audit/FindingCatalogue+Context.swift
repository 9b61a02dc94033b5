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
          "None, unless a merge was begun. Then the origin holds the snapshot's content in"
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
    case .originSmaller:
      FindingEntry(
        severity: .damage, title: "the origin is smaller than the table needs",
        meaning: "Exceptions are for chunks shortly behind the origin's end.",
        cause: "The wrong origin, one that was made smaller, or an incomplete copy of it.",
        consequence: "The snapshot's end is missing from what can be shown or merged.",
        remedy: "Find the whole origin before anything is written.")
    case .originLarger:
      FindingEntry(
        severity: .note, title: "the origin is much larger than the table reaches",
        meaning: "Every exception is for a chunk in the first sixty-fourth of the origin.",
        cause: "Nothing was written further behind; or the origin is not the right one.",
        consequence: "None if the origin is the right one. A store does not name its origin.",
        remedy: "Make sure of the origin before anything is written.")
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
    case .originUnchanged:
      FindingEntry(
        severity: .note, title: "the origin was not written since the snapshot was invalidated",
        meaning: "The origin's file system is of a kind that is never written, or was last written"
          + " no later than the snapshot's own copy of it.",
        cause: "An overlay over a read-only image (a live system), or an origin that was not"
          + " mounted for writing again.",
        consequence: "What the table holds, and the origin elsewhere, is the snapshot exactly; only"
          + " the writes that failed are not in it.",
        remedy: "Use it: `dmsnap salvage`, or --reading salvage with export.")
    case .originWritten:
      FindingEntry(
        severity: .warning, title: "the origin was written after the snapshot was taken",
        meaning: "The origin's file system was last written later than the snapshot's copy of it"
          + " was, and the snapshot is invalid.",
        cause: "The origin stayed in use. Whether that went on after the snapshot was invalidated,"
          + " the time of its last write does not tell.",
        consequence: "If it did, chunks that have no exception may be newer than the snapshot: a"
          + " file system in it may be a mixture of two times.",
        remedy: "Salvage it, and check what comes out: the file system, and the files that matter.")
    case .generationOverwritten:
      FindingEntry(
        severity: .damage, title: "a newer table has used the data chunks of an older one",
        meaning: "The exception is of an older generation, and its new chunk is one that a newer"
          + " generation handed out again.",
        cause: "A new store over an older one.",
        consequence: "The older content of those chunks is gone.",
        remedy: "Nothing brings it back; the other chunks of that generation are whole.")
    case .generationAmbiguous:
      FindingEntry(
        severity: .warning, title: "it is in doubt whether two parts are of one table",
        meaning: "Between exceptions lie slots that hold none. Either they were lost, or a newer"
          + " table ends there and an older one shows behind it. They share no old chunk, but might"
          + " do so by chance.",
        cause: "A lost area; or a store made over an older one, with just so many exceptions that"
          + " its last area is full.",
        consequence: "The salvage reading takes what is likelier. Where `inspect` counts exceptions"
          + " as in doubt, it took both parts for one table, and if they are not, chunks of an older"
          + " snapshot are mixed in. Otherwise the other part is the next generation.",
        remedy: "Compare with --reading kernel, which ends before that area, and with the next"
          + " generation.")
    default: preconditionFailure("\(code) is another group's")
    }
  }
}
