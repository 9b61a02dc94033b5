extension FindingCatalogue {
  static func generationEntry(for code: FindingCode) -> FindingEntry {
    switch code {
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
        cause:
          "A lost area, or lost sectors of one; or a store made over an older one, with exactly as"
          + " many exceptions as fill its last area, or a sector of it.",
        consequence: "The salvage reading takes what is likelier. Where `inspect` counts exceptions"
          + " as in doubt, it took both parts for one table, and if they are not, chunks of an older"
          + " snapshot are mixed in. Otherwise the other part is the next generation.",
        remedy: "Compare with --reading kernel, which ends before that area, and with the next"
          + " generation.")
    case .generationEndInDoubt:
      FindingEntry(
        severity: .warning, title: "the table may have gone on where it seems to end",
        meaning: "The exceptions end where a sector or an area does, or nobody knows whether the"
          + " snapshot overflowed because the header is lost; and the data chunk behind them is not"
          + " empty.",
        cause:
          "Sectors of the last area that were zeroed; an overflow of a store whose header is lost"
          + " now; or, without any damage, space that was used before, a merge that came to its end,"
          + " or a crash with copies under way.",
        consequence: "If exceptions are lost there, the origin shows through for their chunks.",
        remedy:
          "If the store was never merged and its space was empty when it was made, take the data"
          + " behind the table for lost data, and copy the medium again.")
    case .generationMaybeOverwritten:
      FindingEntry(
        severity: .warning, title: "chunks of an older table may have been handed out again",
        meaning: "The exceptions are of a table that is not in use, and the snapshot is invalid.",
        cause:
          "A new store over an older one, which overflowed or failed to be written. An overflowed"
          + " store has handed out every chunk, and the exceptions of the last burst were never"
          + " written.",
        consequence: "Any chunk of the older table may hold data of the newer one.",
        remedy:
          "Check what comes out, file by file. Nothing in the store tells which chunks are old.")
    default: preconditionFailure("\(code) is another group's")
    }
  }
}
