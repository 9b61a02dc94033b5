extension FindingCatalogue {
  static func volumeEntry(for code: FindingCode) -> FindingEntry {
    switch code {
    case .pvMissing:
      FindingEntry(
        severity: .damage, title: "a physical volume is missing",
        meaning: "The store or the origin uses a physical volume that none of the files and devices"
          + " given with --pv has.",
        cause: "A disk that failed, or was not given.",
        consequence: "Its data is unreadable, as if its sectors were bad. Everything else is"
          + " readable.",
        remedy: "Give the image of every disk of the group: --pv PATH for each. Commands list"
          + " missing data as lost.")
    case .volumeCutOff:
      FindingEntry(
        severity: .damage, title: "a physical volume ends before its extents do",
        meaning: "The file or device is shorter than the volume group's metadata says.",
        cause: "A truncated image, or an unfinished copy.",
        consequence: "Data past the end is unreadable.",
        remedy: "Copy the whole disk; find out whether the first copy ran out of space.")
    case .volumeStale:
      FindingEntry(
        severity: .warning, title: "a physical volume may be out of date",
        meaning:
          "lvm2 recorded that it was missing, or two have the same UUID, or another group uses it.",
        cause: "A disk that was absent while the others were written; a member of a RAID 1, or a"
          + " copy of a disk, beside the original; a disk since given to another group.",
        consequence: "Its data may be older than the rest.",
        remedy: "Of two copies, give only one with --pv. Check the result: the file system, and the"
          + " files that matter.")
    case .volumeMetadata:
      FindingEntry(
        severity: .warning, title: "the volume group's metadata is damaged",
        meaning: "A label or a metadata area has a wrong checksum or cannot be read, and another"
          + " copy or an older version is used instead.",
        cause: "Bad sectors, or a write to the start of the disk.",
        consequence:
          "None, if the copy in use is the newest. An older version may lack the last changes.",
        remedy:
          "`dmsnap lvm list --history` shows the versions; --seqno takes another; --vgcfg takes a"
          + " file from vgcfgbackup.")
    case .volumeOlder:
      FindingEntry(
        severity: .warning, title: "this is an older version of the volume group",
        meaning: "The group has changed since: the snapshot may have been removed or merged.",
        cause: "--seqno asked for it, or the --vgcfg file is older than the metadata on the disks.",
        consequence: "Nothing was copied to the snapshot after it was removed: chunks without an"
          + " exception show the origin as it is now, which may be newer than the snapshot. A"
          + " completed merge has emptied the table.",
        remedy: "Salvage it, and check the result. A merge in place is refused if the origin has"
          + " moved since.")
    case .volumeReused:
      FindingEntry(
        severity: .warning, title: "extents were reallocated to another volume",
        meaning: "A later version of the metadata gives extents of the store or of the origin to"
          + " another logical volume.",
        cause: "The volume was removed, and its space reused.",
        consequence: "Data written there since is not the snapshot's. The rest is unchanged.",
        remedy: "Use the salvage reading, which drops invalid exceptions, and check the result.")
    case .volumeMerging:
      FindingEntry(
        severity: .note, title: "the snapshot is due to be merged into its origin",
        meaning: "lvm2's metadata lists it as a merging store.",
        cause: "`lvconvert --merge`, which waits for the next activation, or continues at it.",
        consequence: "From the next activation on, the origin shows the snapshot's content.",
        remedy:
          "`dmsnap merge` finishes it as lvm2 would. At the next activation lvm2 finds the same"
          + " data there, and removes the snapshot.")
    case .volumeChunkSize:
      FindingEntry(
        severity: .warning, title: "the header's chunk size differs from lvm2's",
        meaning: "lvm2's metadata has another chunk size for the snapshot than the store itself.",
        cause: "An existing store: attached by `lvconvert --snapshot --zero n`, or adopted by an"
          + " lvm2 before 2.02.106 that did not clear the header of a read-only snapshot.",
        consequence:
          "Linux uses the header's. If the store was adopted, its exceptions are those of an older"
          + " snapshot.",
        remedy: "Unless it was attached on purpose, do not trust exceptions older than the"
          + " snapshot.")
    case .volumeAdopted:
      FindingEntry(
        severity: .warning, title: "an old lvm2 may have adopted an older store",
        meaning: "The snapshot is read-only, and the lvm2 that created it did not clear the header"
          + " of such stores.",
        cause: "lvm2 before 2.02.106, `lvcreate --snapshot --permission r`.",
        consequence:
          "If an older snapshot's store lay on the same extents, its exceptions are taken"
          + " for this one's.",
        remedy:
          "Check whether the store has more exceptions than the origin had writes. The snapshot may"
          + " have to show the origin alone.")
    case .volumeAreaShort:
      FindingEntry(
        severity: .warning, title: "the store is one area too small to fill completely",
        meaning: "It has room for a copy of each chunk of the origin, but not for the empty area"
          + " that Linux needs after the last full one.",
        cause: "lvm2 before 2.02.106, which calculated the largest useful size this way.",
        consequence: "If every chunk of the origin is written, the snapshot becomes invalid with"
          + " the last.",
        remedy: "If it is invalid: `dmsnap salvage`; all but the last exceptions are there. If not:"
          + " extend it by one extent.")
    case .volumeShortened:
      FindingEntry(
        severity: .damage, title: "the store's volume was cut too short for its exceptions",
        meaning: "Exceptions name chunks past the end of the logical volume.",
        cause: "`lvreduce` or `lvresize` of the snapshot, which lvm2 before 2.03.39 allows.",
        consequence: "Those chunks cannot be read through the volume. Their extents may still hold"
          + " them.",
        remedy: "`dmsnap lvm list --history` shows the group's versions from before; --seqno N"
          + " reads the store at its full length.")
    default: preconditionFailure("\(code) is another group's")
    }
  }
}
