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
        severity: .damage, title: "the table goes on beyond the end of the store",
        meaning: "Every area that fits is full, so Linux must read the next one, which is not"
          + " there.",
        cause: "A partial copy, or a store that was cut.",
        consequence: "Linux refuses the whole snapshot (\"Failed to read snapshot metadata\")."
          + " The exceptions of the areas that are there, if any, are good.",
        remedy:
          "Copy the medium again. If there is no more, `dmsnap salvage` makes a store of what is"
          + " left.")
    case .storePartialChunk:
      FindingEntry(
        severity: .note, title: "the store's last chunk is partial",
        meaning: "The length of the store is no multiple of its chunk size.",
        cause: "A device of that size. Linux never copies to the partial chunk.",
        consequence: "None, unless an exception points there.",
        remedy: "Nothing to do.")
    case .storeAtBoundary:
      FindingEntry(
        severity: .warning, title: "the store ends where the next area would begin",
        meaning: "The last area that fits is full but for its last slots, and the device has room"
          + " for all the data of that area but none for the area behind it.",
        cause: "Linux clears the next area before it writes the last slot of this one. That write"
          + " fails here, and the snapshot is invalidated although it had room. LVM before 2.02.106"
          + " made stores of \"100%\" this size.",
        consequence: "The exceptions of the last write before that are not in the table, although"
          + " their data is in the store's last chunks.",
        remedy: "Enlarge the store before it is used again.")
    case .storeFull:
      FindingEntry(
        severity: .note, title: "the store is full",
        meaning: "The chunk that Linux would copy to next does not lie wholly in the store.",
        cause: "The store is full to the last chunk.",
        consequence: "The next write that needs a copy overflows it: Linux invalidates the"
          + " snapshot, or fails the write if it was activated with PO.",
        remedy: "Enlarge the store before the snapshot is used again.")
    case .storeShifted:
      FindingEntry(
        severity: .damage, title: "the copy lost bytes, or has some too many",
        meaning: "An area, and what follows it, stands some sectors before or behind its place. So"
          + " the copy lost bytes between the last area in its place and that one, or has some too"
          + " many there.",
        cause: "`dd conv=noerror` without `sync`, which leaves out what it cannot read; a copy that"
          + " was resumed at the wrong place; a store carved from a file in fragments.",
        consequence:
          "Linux, and every program that does not know of it, takes everything behind that"
          + " place for other chunks. Of the data between the two areas nothing tells where the place"
          + " is: it is doubted, and listed as lost.",
        remedy: "Copy the medium again, with GNU ddrescue, if it still can be read. Otherwise"
          + " `dmsnap salvage` reads the copy as if the bytes were there. `STORE,gap=AT:BYTES` does"
          + " so by hand, for any command: where dd's log has the place, nothing need be doubted.")
    case .storeUnconfirmed:
      FindingEntry(
        severity: .warning, title: "nothing confirms where data lies",
        meaning: "An area that should follow, or its end, is not in its place, and none is found"
          + " behind it or near.",
        cause: "An area that was overwritten; or a copy that lost bytes, or a file in fragments, in"
          + " which everything behind lies elsewhere.",
        consequence:
          "The data of the exceptions before that area may be other data, shifted. They are"
          + " used, and counted as in doubt.",
        remedy: "Find out how the copy was made, and whether the file lay in one piece. Where the"
          + " place and the number of lost bytes are known, say STORE,gap=AT:BYTES.")
    case .areaUnreadable:
      FindingEntry(
        severity: .damage, title: "an area cannot be read",
        meaning: "The medium failed in a metadata area that is part of the table.",
        cause: "A bad sector.",
        consequence: "Linux refuses the whole snapshot. The exceptions of that area, one for each"
          + " sixteen bytes that are lost, and by Linux's rules all behind it, are out of reach.",
        remedy: "Image the medium with GNU ddrescue and work on the image; --map tells dmsnap which"
          + " sectors are bad, --wanted which are worth another try, --reading salvage goes around them."
      )
    case .areaHole:
      FindingEntry(
        severity: .damage, title: "exceptions stand behind the end of the table, in its last area",
        meaning: "An exception with new chunk 0 ends the table, but the rest of that area is not"
          + " zero.",
        cause: "A torn write of the area (power loss), a lost sector, or an edited store. Linux"
          + " itself never leaves one.",
        consequence:
          "Linux does not see the exceptions behind the hole. Worse, when a new exception"
          + " fills the hole, all of them come alive at the next activation.",
        remedy:
          "Do not write to the snapshot. The salvage reading uses the exceptions behind the hole"
          + " that stand in their place: `dmsnap salvage`.")
    case .areaStale:
      FindingEntry(
        severity: .note, title: "areas of an older use of the space stand behind the table",
        meaning: "Areas that Linux will not read hold exceptions that fit the store.",
        cause: "A store made over an older one: nightly LVM snapshots on the same extents, a live"
          + " system's overlay that was reset; or area 0 was erased by activation after the magic was"
          + " wiped. Linux clears an area only when the one before fills.",
        consequence:
          "None if this snapshot is new. What the older one held there, or this one before"
          + " its area 0 was erased, may still be readable.",
        remedy: "If that matters, copy the store before it is activated or written to again."
          + " `dmsnap inspect` lists the tables; --generation reads an older one.")
    case .areaImplausible:
      FindingEntry(
        severity: .damage, title: "an area holds something other than exceptions",
        meaning: "More than half of the area's exceptions are impossible in this store.",
        cause: "A copy that lost bytes, or a file in fragments, read as if it were in one piece."
          + " File data in the area: Linux before 3.12 put data over an area after an activation"
          + " with the table just full (CVE-2013-4299); Linux 3.14-rc1 to rc5 wrote random memory;"
          + " Linux up to 2.6.28 could lose the clearing of a new area in a crash; a bad copy.",
        consequence: "Linux maps the nonsense: those chunks of the snapshot read as other data or"
          + " fail to read.",
        remedy: "Do not mount the snapshot for writing. `dmsnap salvage` keeps what the sound areas"
          + " hold.")
    case .areaHeaderImage:
      FindingEntry(
        severity: .damage, title: "a header stands in a metadata area",
        meaning: "The area begins with \"SnAp\".",
        cause: "Linux up to 2.6.31 built the header in the area's buffer while it invalidated a"
          + " snapshot; or another store was copied into this one.",
        consequence: "The area's own exceptions are overwritten by the header and the zeroes"
          + " behind it.",
        remedy: "Use --reading salvage, which goes on behind that area.")
    case .areaLost:
      FindingEntry(
        severity: .damage, title: "an area of the table is lost",
        meaning:
          "The area holds no exception that can be believed, and the table goes on behind it,"
          + " or began before it.",
        cause: "Bad sectors; file data that Linux before 3.12 wrote over the area; a reset, which"
          + " erases the first area or areas; space that another program wrote to.",
        consequence:
          "Up to as many exceptions as an area holds are lost. Linux ends the table there"
          + " or refuses the store; the salvage reading goes on behind it. Where those before and"
          + " behind tell which chunks are missing, they are listed.",
        remedy:
          "If the medium can be read again, `--wanted FILE` writes what is worth it. Otherwise"
          + " use what is left: `dmsnap salvage`, or --reading salvage with export.")
    case .areaDamaged:
      FindingEntry(
        severity: .damage, title: "an area has lost exceptions",
        meaning: "Between exceptions that can be believed, or before them, stands something else:"
          + " zeroes, other data, or sectors that cannot be read.",
        cause: "A torn write of the area (power loss); bad sectors; Linux 3.14-rc1 to rc5, which"
          + " wrote random memory before the newest exceptions.",
        consequence: "Those exceptions are lost, the others are used by the salvage reading.",
        remedy: "As for an area that is lost.")
    default: preconditionFailure("\(code) is another group's")
    }
  }
}
