extension FindingCatalogue {
  static func headerEntry(for code: FindingCode) -> FindingEntry {
    switch code {
    case .headerUnreadable:
      FindingEntry(
        severity: .damage, title: "the header cannot be read",
        meaning: "The medium failed at the first sector of the store.",
        cause: "A bad sector, or a file shorter than sixteen bytes.",
        consequence: "Linux refuses the snapshot. Areas and data after the header may be intact.",
        remedy: "Image the medium with GNU ddrescue and work on the image.")
    case .headerMagicErased:
      FindingEntry(
        severity: .damage, title: "the magic is erased, the other fields are sane",
        meaning: "The first four bytes are zero, but valid, version and chunk size look right.",
        cause: "wipefs, or LVM when it makes a new volume over an old signature: both erase the"
          + " magic only.",
        consequence: "Nothing is lost yet. But Linux takes the store for new: ACTIVATING IT ERASES"
          + " AREA 0, the first exceptions of the table.",
        remedy:
          "Do not activate it. `dmsnap salvage` makes a valid store of it, and --reading salvage"
          + " lets `export` read it as it is.")
    case .headerZeroed:
      FindingEntry(
        severity: .damage, title: "the header is zero, the areas are not",
        meaning: "The first sector is zero, but exceptions are where area 0 would be.",
        cause:
          "A reset of the first sector, or, with larger chunks, of the first kilobytes.",
        consequence: "Linux takes the store for new: ACTIVATING IT ERASES AREA 0. The table is as"
          + " good as the remaining areas.",
        remedy: "Do not activate it. `dmsnap salvage` makes a valid store of it. The areas reveal"
          + " the chunk size; if they cannot, give it with --chunk-size.")
    case .headerForeign:
      FindingEntry(
        severity: .damage, title: "other data is in the header's place",
        meaning: "The first bytes are neither \"SnAp\" nor zero, but exceptions are where area 0"
          + " would be.",
        cause: "Linux up to 2.6.31 could write exceptions over the header when it invalidated a"
          + " snapshot (fixed by \"dm snapshot: fix header corruption race on invalidation\"); or"
          + " another program wrote there.",
        consequence: "Linux refuses the store (\"Invalid or corrupt snapshot\"). The table is as"
          + " good as the remaining areas.",
        remedy: "`dmsnap salvage` makes a valid store of it. The areas reveal the chunk size; if"
          + " they cannot, give it with --chunk-size.")
    case .headerInvalid:
      FindingEntry(
        severity: .damage, title: "the snapshot is marked invalid",
        meaning: "The header's valid field is 0.",
        cause: "The store was full when a chunk had to be copied, or a write to it failed. Linux"
          + " then writes this flag and nothing else.",
        consequence:
          "Linux answers every read with an error. The exceptions written before are in the table,"
          + " and their data in the store. Those of the last burst of writes are not: see"
          + " exception.in-flight. Writes to the origin go on, so chunks that are not in the table"
          + " may be newer than the snapshot; the store does not show whether they are.",
        remedy:
          "Do not remove the snapshot. `dmsnap export --reading salvage` writes the chunks in the"
          + " table. With --origin, `dmsnap inspect` shows evidence of later writes to the origin."
      )
    case .headerValidOdd:
      FindingEntry(
        severity: .note, title: "the valid field is neither 0 nor 1",
        meaning: "Linux writes 1 and treats any number but 0 as valid.",
        cause: "An edited header, or a flipped bit.",
        consequence: "None for the data.",
        remedy: "Look at the other findings for more such damage.")
    case .headerVersion:
      FindingEntry(
        severity: .damage, title: "the version is unknown",
        meaning: "The header's version is not 1, the only one in use.",
        cause: "A damaged header. Prototypes of 2001, with the same magic and another layout, also"
          + " left a power of two here.",
        consequence:
          "Linux refuses the store (\"unable to handle snapshot disk version\"), even one"
          + " that is marked invalid.",
        remedy: "Use --reading salvage, which ignores the version.")
    case .headerChunkSize:
      FindingEntry(
        severity: .damage, title: "the chunk size is impossible",
        meaning: "The header's chunk size is not a power of two between 1 and 2097152 sectors.",
        cause: "A damaged header; Linux up to 2.6.31 could leave exceptions in its place.",
        consequence: "Linux refuses the store (\"invalid on-disk chunk size\"). Areas and data"
          + " may be whole.",
        remedy: "`dmsnap salvage` finds the true one from the areas. If it cannot, give it with"
          + " --chunk-size: LVM keeps it in the group's metadata as chunk_size; live systems use 8."
      )
    case .headerChunkSizeContradicted:
      FindingEntry(
        severity: .damage, title: "the areas contradict the header's chunk size",
        meaning: "There is no sound area where the header's chunk size puts area 0, but there is"
          + " one where another chunk size puts it.",
        cause: "An edited or damaged header; a new, empty store over an old one of another chunk"
          + " size; Linux up to 2.6.31 activating with a wrong chunk size.",
        consequence: "By the header's chunk size the table is empty or nonsense.",
        remedy:
          "`dmsnap inspect` shows the result of each chunk size. The salvage reading takes the"
          + " best; --chunk-size takes another. LVM's metadata has the true one as chunk_size.")
    case .headerTail:
      FindingEntry(
        severity: .warning, title: "the rest of the header's chunk is not zero",
        meaning: "Linux writes the header chunk whole, sixteen bytes and then zeroes.",
        cause: "Another program wrote there, Linux up to 2.6.31 raced while it invalidated the"
          + " snapshot, or the true chunk size is smaller and this is area 0.",
        consequence: "None by itself; Linux ignores these bytes.",
        remedy: "Look for findings on the chunk size and on areas.")
    default: preconditionFailure("\(code) is another group's")
    }
  }
}
