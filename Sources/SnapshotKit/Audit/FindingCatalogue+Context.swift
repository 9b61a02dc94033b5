extension FindingCatalogue {
  static func contextEntry(for code: FindingCode) -> FindingEntry {
    switch code {
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
        cause: "A store over space that was used before; a crash with copies under way; or a merge"
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
    default: preconditionFailure("\(code) is another group's")
    }
  }
}
