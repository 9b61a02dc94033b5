extension FindingCatalogue {
  static func exceptionEntry(for code: FindingCode) -> FindingEntry {
    switch code {
    case .newInHeader:
      FindingEntry(
        severity: .damage, title: "an exception points to the header",
        meaning: "Its new chunk, without the top byte, is 0.",
        cause: "A damaged exception.",
        consequence: "Linux shows the header as the content of that chunk.",
        remedy: "The chunk's snapshot content is lost, unless another exception names it.")
    case .newInMetadata:
      FindingEntry(
        severity: .damage, title: "an exception points to a metadata area",
        meaning: "Its new chunk is one that holds exceptions.",
        cause: "Linux before 3.12 copied a chunk over an area after an activation with the table"
          + " just full (\"dm snapshot: fix data corruption\", CVE-2013-4299); or a damaged"
          + " exception.",
        consequence: "Either the area or the copied data has overwritten the other.",
        remedy: "Look at that area: if it holds exceptions, the chunk's content is lost; if it"
          + " holds data, the area's exceptions are.")
    case .newBeyondEnd:
      FindingEntry(
        severity: .damage, title: "an exception points past the end of the store",
        meaning: "Its new chunk is not wholly within the store.",
        cause: "A truncated store, or a damaged exception.",
        consequence: "Linux answers reads of that chunk with an error, and its merge stops there.",
        remedy: "If the store was truncated, find the rest of it.")
    case .newDuplicate:
      FindingEntry(
        severity: .damage, title: "two exceptions share a chunk of the store",
        meaning: "Linux gives each chunk of a store to one exception.",
        cause: "A damaged table; device-mapper for Linux 2.4 before 2.4.23 skipped every other area"
          + " at activation and gave chunks out twice.",
        consequence: "One of the two origin chunks shows the other's content.",
        remedy: "Compare both chunks with the expected content.")
    case .oldDuplicate:
      FindingEntry(
        severity: .damage, title: "two exceptions are for the same chunk of the origin",
        meaning: "Linux copies a chunk once.",
        cause: "A damaged table, two generations mixed in one table, or an edited store.",
        consequence: "Which of them Linux shows depends on its version and on their neighbours:"
          + " mostly the first until 6.11, often the last since 6.12 and before 5.2. Its merge"
          + " stops half-way (\"Merge failed\") if one of them is in the middle of a run.",
        remedy: "Look at both chunks and decide.")
    case .oldBeyondOrigin:
      FindingEntry(
        severity: .damage, title: "an exception is for a chunk past the end of the origin",
        meaning: "Its old chunk is not in the given origin.",
        cause: "The wrong origin, a shrunk origin, or a damaged exception.",
        consequence: "The snapshot does not show the exception. Linux's merge stops there (\"Merge"
          + " failed\"), unless the old chunk begins exactly where the origin ends: that exception"
          + " it clears without copying anything.",
        remedy: "Make sure of the origin before you write anything.")
    case .topByte:
      FindingEntry(
        severity: .damage, title: "an exception has a top byte",
        meaning: "Linux keeps a count of consecutive chunks in the top eight bits of a new chunk in"
          + " memory, never writes them, and does not mask them when it reads.",
        cause: "A damaged exception.",
        consequence:
          "Linux maps as many further chunks as the byte says, and shows a wild fill level.",
        remedy: "Without its top byte the exception may be right; compare the data.")
    case .outOfOrder:
      FindingEntry(
        severity: .note, title: "new chunks are out of order",
        meaning: "An exception's new chunk is lower than the one before it in the table.",
        cause: "Linux before 3.13 committed exceptions as their copies ended, not as they began.",
        consequence: "None by itself.",
        remedy: "Nothing to do.")
    case .leakedChunks:
      FindingEntry(
        severity: .note, title: "no exception names some data chunks below the highest",
        meaning: "Linux hands out data chunks in order; these were handed out, but no exception"
          + " names them.",
        cause: "A crash of Linux before 3.13 between the copy and the write of its exception; a"
          + " failed copy before 4.4; exceptions that are lost or damaged.",
        consequence: "They take up space, and may hold copied data of the origin without its"
          + " place.",
        remedy: "Nothing to do for the snapshot; their content may be worth a look.")
    case .unsupported:
      FindingEntry(
        severity: .damage, title: "an exception is not where Linux would have written it",
        meaning: "Linux hands out data chunks in order, so the place of an exception predicts its"
          + " new chunk, apart from chunks that leaked before it. This one has another.",
        cause: "A flipped bit, or other damage to its sixteen bytes.",
        consequence:
          "Linux would show other data for that chunk. The salvage reading drops the exception.",
        remedy: "Compare the orphaned chunk at its place with the expected content.")
    case .orphans:
      FindingEntry(
        severity: .warning, title: "data chunks without an exception",
        meaning: "Linux handed out these chunks, and no surviving exception names them.",
        cause: "Their exceptions are lost or damaged; or they leaked (see"
          + " exception.leaked-chunks).",
        consequence: "They hold copied data whose place is unknown. If they fill the middle of a"
          + " run between the exceptions before and after them, the old chunk is given.",
        remedy: "Chunks that prove their place are used (`dmsnap explain placement`); --place"
          + " likely uses more. `dmsnap salvage --format json` lists the rest.")
    case .inFlight:
      FindingEntry(
        severity: .damage, title: "data chunks were copied, but no exception names them",
        meaning:
          "Linux hands out a data chunk when a copy begins, and writes its exception when the area"
          + " is full or no copy is pending. When it invalidates the snapshot, it drops the"
          + " exceptions not yet written. An overflowed store has handed out every data chunk;"
          + " these have no exception and are not holes of the store's file.",
        cause:
          "The snapshot was invalidated in the middle of a burst of writes. Newer kernels start"
          + " some 2,048 copies at once, and keep up to an area's exceptions in memory; up to 2,942"
          + " chunks were seen in flight. Older kernels set no limit. If a failed write, not an"
          + " overflow, invalidated the snapshot, chunks that were never handed out are counted as"
          + " well.",
        consequence:
          "For that many chunks of the origin, the snapshot's content is in the store, but its"
          + " place is not recorded: the snapshot shows the origin there, which was overwritten"
          + " afterwards. A chunk with an unfinished copy holds older data.",
        remedy:
          "Keep the store. Chunks that prove their place are used (`dmsnap explain placement`), and"
          + " --place likely uses more; `dmsnap salvage --format json` lists the others as orphans."
          + " Without them, this snapshot has gaps: check it, file by file.")
    case .placedLikely:
      FindingEntry(
        severity: .warning, title: "the place of chunks is only likely",
        meaning:
          "No exception names these chunks. Their places follow from the order of the copies, or"
          + " from their neighbours, without proof in the chunks themselves.",
        cause: "--place likely was given.",
        consequence:
          "Nearly all of these places are right. A wrong one shows the content of another chunk"
          + " there.",
        remedy:
          "`dmsnap salvage --format json` lists them under `placements`, and --evidence writes them"
          + " to a file. Check the files that depend on them, or leave them out: --place proven.")
    default: preconditionFailure("\(code) is another group's")
    }
  }
}
