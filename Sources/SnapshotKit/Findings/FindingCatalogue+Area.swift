extension FindingCatalogue {
  static func areaEntry(for code: FindingCode) -> FindingEntry {
    switch code {
    case .storeTooShort:
      FindingEntry(
        severity: .damage, title: "the store is shorter than its exceptions",
        meaning: "Exceptions point to chunks that a longer store would have.",
        cause: "A partial copy; a file system's limit (4 GiB on FAT); lvreduce or lvresize of the"
          + " store's volume before LVM 2.03.39.",
        consequence: "Linux loads such a snapshot and answers reads of those chunks with errors."
          + " Their snapshot content is not in this file.",
        remedy: "Find the rest: copy the medium again, or recover the cut extents from LVM's older"
          + " metadata. Until then do not write to that medium.")
    case .storeNextAreaBeyondEnd:
      FindingEntry(
        severity: .damage, title: "the table continues past the end of the store",
        meaning: "Every area that fits is full, so Linux must read the next one, which is missing.",
        cause: "A partial copy, or a truncated store.",
        consequence: "Linux refuses the whole snapshot (\"Failed to read snapshot metadata\"). The"
          + " exceptions of the areas present, if any, are good.",
        remedy:
          "Copy the medium again. If there is no more, `dmsnap salvage` makes a store from the"
          + " rest.")
    case .storePartialChunk:
      FindingEntry(
        severity: .note, title: "the store's last chunk is partial",
        meaning: "The length of the store is not a multiple of its chunk size.",
        cause: "A device of that size. Linux never copies to the partial chunk.",
        consequence: "None, unless an exception points there.",
        remedy: "Nothing to do.")
    case .storeAtBoundary:
      FindingEntry(
        severity: .warning, title: "the store ends where the next area would begin",
        meaning: "The last area that fits is full but for its last slots, and the device has room"
          + " for all the data of that area but not for the next area.",
        cause: "Linux clears the next area before it writes the last slot of this one. That write"
          + " fails here, and the snapshot is invalidated although it had room. LVM before 2.02.106"
          + " made stores of \"100%\" this size.",
        consequence: "The exceptions of the last write before that are not in the table, although"
          + " their data is in the store's last chunks.",
        remedy: "Enlarge the store before you use it again.")
    case .storeFull:
      FindingEntry(
        severity: .note, title: "the store is full",
        meaning: "The chunk that Linux would copy to next is not wholly within the store.",
        cause: "The store is full to the last chunk.",
        consequence: "The next write that needs a copy overflows it: Linux invalidates the"
          + " snapshot, or fails the write if it was activated with PO.",
        remedy: "Enlarge the store before you use the snapshot again.")
    case .storeShifted:
      FindingEntry(
        severity: .damage, title: "the copy lost or gained bytes",
        meaning: "An area, and everything after it, is some sectors before or after its place: the"
          + " copy lost or gained bytes between the last area in its place and that one.",
        cause: "`dd conv=noerror` without `sync`, which skips unreadable bytes; a copy that was"
          + " resumed at the wrong place; a store carved from a fragmented file.",
        consequence:
          "Linux, and every program unaware of it, takes everything after that place for other"
          + " chunks. The exact place between the two areas is unknown, so the data between them is"
          + " in doubt, and listed as lost.",
        remedy: "If the medium can still be read, copy it again with GNU ddrescue. Otherwise"
          + " `dmsnap salvage` reads the copy as if the bytes were there. `STORE,gap=AT:BYTES` does"
          + " so by hand, for any command: if dd's log has the place, nothing is in doubt.")
    case .storeUnconfirmed:
      FindingEntry(
        severity: .warning, title: "the place of the data is unconfirmed",
        meaning: "The next area, or its end, is not in its place, and none was found after it or"
          + " nearby.",
        cause: "An overwritten area; or a copy that lost bytes, or a fragmented file, in which"
          + " everything after it is elsewhere.",
        consequence:
          "The data of the exceptions before that area may be other data, shifted. They are used,"
          + " and count as in doubt.",
        remedy: "Find out how the copy was made, and whether the file was contiguous. If the place"
          + " and the number of lost bytes are known, give STORE,gap=AT:BYTES.")
    case .areaUnreadable:
      FindingEntry(
        severity: .damage, title: "an area cannot be read",
        meaning: "The medium failed in a metadata area that is part of the table.",
        cause: "A bad sector.",
        consequence: "Linux refuses the whole snapshot. The exceptions of that area (one for each"
          + " sixteen lost bytes), and by Linux's rules all after it, are out of reach.",
        remedy: "Image the medium with GNU ddrescue and work on the image; --map tells dmsnap which"
          + " sectors are bad, --wanted lists those worth another try, --reading salvage works"
          + " around them."
      )
    case .areaHole:
      FindingEntry(
        severity: .damage, title: "exceptions follow the end of the table, in its last area",
        meaning: "An exception with new chunk 0 ends the table, but the rest of that area is not"
          + " zero.",
        cause: "A torn write of the area (power loss), a lost sector, or an edited store. Linux"
          + " itself never leaves one.",
        consequence:
          "Linux does not see the exceptions after the hole. Worse, when a new exception fills the"
          + " hole, all of them come alive at the next activation.",
        remedy:
          "Do not write to the snapshot. The salvage reading uses the exceptions after the hole"
          + " that are in their place: `dmsnap salvage`.")
    case .areaStale:
      FindingEntry(
        severity: .note, title: "areas of an older use of the space follow the table",
        meaning: "Areas that Linux will not read hold exceptions that fit the store.",
        cause: "A store made over an older one: nightly LVM snapshots on the same extents, a live"
          + " system's overlay that was reset; or activation erased area 0 after the magic was"
          + " wiped. Linux clears an area only when the one before it fills.",
        consequence:
          "None if this snapshot is new. Data of the older snapshot there, or of this one before"
          + " its area 0 was erased, may still be readable.",
        remedy: "If that data matters, copy the store before activating it or writing to it again."
          + " `dmsnap inspect` lists the tables; --generation reads an older one.")
    case .areaImplausible:
      FindingEntry(
        severity: .damage, title: "an area holds something other than exceptions",
        meaning: "More than half of the area's exceptions are impossible in this store.",
        cause: "A copy that lost bytes, or a fragmented file read as if it were contiguous. File"
          + " data in the area: Linux before 3.12 wrote data over an area after an activation with"
          + " the table just full (CVE-2013-4299); Linux 3.14-rc1 to rc5 wrote random memory; Linux"
          + " up to 2.6.28 could lose the clearing of a new area in a crash; a bad copy.",
        consequence: "Linux maps it regardless: those chunks of the snapshot read as other data or"
          + " fail to read.",
        remedy: "Do not mount the snapshot for writing. `dmsnap salvage` keeps the contents of the"
          + " sound areas.")
    case .areaHeaderImage:
      FindingEntry(
        severity: .damage, title: "a metadata area begins with a header",
        meaning: "The area begins with \"SnAp\".",
        cause: "Linux up to 2.6.31 built the header in the area's buffer while it invalidated a"
          + " snapshot; or another store was copied into this one.",
        consequence: "The header and the zeroes after it have overwritten the area's own"
          + " exceptions.",
        remedy: "Use --reading salvage, which continues after that area.")
    case .areaLost:
      FindingEntry(
        severity: .damage, title: "an area of the table is lost",
        meaning:
          "The area holds no plausible exception, and the table continues after it, or began before"
          + " it.",
        cause: "Bad sectors; file data that Linux before 3.12 wrote over the area; a reset, which"
          + " erases the first area or areas; another program that wrote there.",
        consequence:
          "Up to as many exceptions as an area holds are lost. Linux ends the table there or"
          + " refuses the store; the salvage reading continues after it. If the exceptions before"
          + " and after it determine which chunks are missing, those are listed.",
        remedy:
          "If the medium can be read again, `--wanted FILE` lists the sectors worth reading."
          + " Otherwise use the rest: `dmsnap salvage`, or --reading salvage with export.")
    case .areaDamaged:
      FindingEntry(
        severity: .damage, title: "an area has lost exceptions",
        meaning: "Between plausible exceptions, or before them, are zeroes, other data, or"
          + " unreadable sectors.",
        cause: "A torn write of the area (power loss); bad sectors; Linux 3.14-rc1 to rc5, which"
          + " wrote random memory before the newest exceptions.",
        consequence: "Those exceptions are lost; the salvage reading uses the others.",
        remedy: "As for area.lost: read the medium again (`--wanted FILE`), or use the rest"
          + " (`dmsnap salvage`).")
    default: preconditionFailure("\(code) is another group's")
    }
  }
}
