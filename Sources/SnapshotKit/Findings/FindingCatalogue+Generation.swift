extension FindingCatalogue {
  static func generationEntry(for code: FindingCode) -> FindingEntry {
    switch code {
    case .generationOverwritten:
      FindingEntry(
        severity: .damage, title: "a newer table has used the data chunks of an older one",
        meaning: "The exception belongs to an older generation, and a newer generation has handed"
          + " out its new chunk again.",
        cause: "A new store over an older one.",
        consequence: "The older content of those chunks is gone.",
        remedy: "It cannot be recovered; the other chunks of that generation are intact.")
    case .generationAmbiguous:
      FindingEntry(
        severity: .warning, title: "two parts may or may not belong to one table",
        meaning: "Between exceptions are empty slots. Either exceptions were lost there, or a newer"
          + " table ends there and an older one follows. The two parts share no old chunk, but that"
          + " may be chance.",
        cause:
          "A lost area, or lost sectors of one; or a store made over an older one, with exactly"
          + " enough exceptions to fill its last area, or a sector of it.",
        consequence: "The salvage reading takes the likelier case. If `inspect` counts exceptions"
          + " as in doubt, it took both parts for one table; if that is wrong, chunks of an older"
          + " snapshot are mixed in. Otherwise the other part is the next generation.",
        remedy: "Compare with --reading kernel, which ends before that area, and with the next"
          + " generation.")
    case .generationEndInDoubt:
      FindingEntry(
        severity: .warning, title: "the table may have continued past its apparent end",
        meaning: "The exceptions end where a sector or an area ends, or the header is lost, so that"
          + " an overflow cannot be ruled out; and the data chunk after them is not empty.",
        cause:
          "Zeroed sectors of the last area; an overflow of a store whose header is now lost; or,"
          + " without any damage, reused space, a completed merge, or a crash with copies under"
          + " way.",
        consequence: "If exceptions are lost there, the origin shows through for their chunks.",
        remedy:
          "If the store was never merged and its space was empty when it was made, treat the data"
          + " after the table as lost data, and copy the medium again. A salvage with --origin and"
          + " --place likely restores chunks that show their place.")
    case .generationMaybeOverwritten:
      FindingEntry(
        severity: .warning, title: "chunks of an older table may have been handed out again",
        meaning: "The exceptions belong to a table that is not in use, and the snapshot is"
          + " invalid.",
        cause:
          "A new store was made over an older one, and overflowed or had a write fail. An"
          + " overflowed store has handed out every chunk, and the exceptions of the last burst"
          + " were never written.",
        consequence: "Any chunk of the older table may hold data of the newer one.",
        remedy:
          "Check the result, file by file. The store does not show which chunks are old.")
    default: preconditionFailure("\(code) is another group's")
    }
  }
}
