extension FindingCatalogue {
  static func originEntry(for code: FindingCode) -> FindingEntry {
    switch code {
    case .originSmaller:
      FindingEntry(
        severity: .damage, title: "the origin is smaller than the table needs",
        meaning: "Exceptions are for chunks shortly past the origin's end.",
        cause: "The wrong origin; a shrunk one; an incomplete copy of it; or one extended by a zero"
          + " target, as for an overlay larger than its image.",
        consequence: "The snapshot's end can be neither shown nor merged. The store still has those"
          + " chunks, but with this origin --reading salvage and `dmsnap salvage` drop them.",
        remedy: "Find the whole origin. If there is no more of it, extend a copy of it with zeroes"
          + " (`truncate --size BYTES COPY`; the finding's requirement gives the size) and use"
          + " that: then nothing in the store is lost.")
    case .originLarger:
      FindingEntry(
        severity: .note, title: "the origin is much larger than the table reaches",
        meaning: "Every exception is for a chunk in the first sixty-fourth of the origin.",
        cause: "Nothing was written past that point; or the origin is the wrong one.",
        consequence: "None if the origin is the right one. A store does not name its origin.",
        remedy: "Make sure of the origin before you write anything.")
    case .originUnchanged:
      FindingEntry(
        severity: .note, title: "the origin cannot have been written",
        meaning: "The snapshot is invalid, and its origin holds squashfs, iso9660, erofs, cramfs or"
          + " romfs and nothing else: no partition, and no writable data after it.",
        cause: "An overlay over a read-only image, such as that of a live system.",
        consequence: "Chunks without an exception are as they were when the snapshot became"
          + " invalid. Only data written to the snapshot without an exception is missing.",
        remedy: "Use it: `dmsnap salvage`, or --reading salvage with export.")
    case .originWritten:
      FindingEntry(
        severity: .warning, title: "the origin was written after the snapshot was taken",
        meaning: "The snapshot is invalid, and the origin's own record of its writes (times,"
          + " mounts, journal or log, generation) is ahead of the store's copy; or copies were"
          + " under way when the snapshot became invalid.",
        cause: "The origin stayed in use. Linux stopped copying when the snapshot became invalid,"
          + " and went on writing.",
        consequence: "Chunks that have no exception may be newer than the snapshot: a file system"
          + " in it may be a mixture of two times.",
        remedy: "Salvage it, and check the result: the file system, and the files that matter.")
    case .originUnknown:
      FindingEntry(
        severity: .warning, title: "it is unknown whether the origin was written since",
        meaning: "The snapshot is invalid, and there is no evidence of writes to its origin. That"
          + " proves nothing: most writes leave no record of their time.",
        cause: "An origin that was no longer used, or one whose writes leave no trace.",
        consequence: "Assume that it was written: chunks that have no exception may be newer than"
          + " the snapshot.",
        remedy: "Salvage it, and check the result: the file system, and the files that matter.")
    case .unrelatedOrigin:
      FindingEntry(
        severity: .warning, title: "the origin does not match the store",
        meaning: "The store has the superblock of another file system than the origin's; or the"
          + " origin's file system shares no sector with the store's copies.",
        cause: "Another image or volume, such as the next release of a live system; an origin, or a"
          + " snapshot, that was formatted since; or, if no sector is shared, an origin whose"
          + " copied chunks were all rewritten.",
        consequence: "With a wrong origin, everything outside the table belongs to another file"
          + " system, and the image is useless. A store does not name its origin.",
        remedy: "Find the right origin. `dmsnap merge` refuses this one without `--accept"
          + " unrelated-origin`.")
    case .originIsDisk:
      FindingEntry(
        severity: .warning, title: "the origin is a whole disk, the store is a partition's",
        meaning: "One of the disk's partitions has the file system whose superblock or chunks the"
          + " store holds, at exactly the places that the table names.",
        cause: "The image of a disk was given, but the snapshot was taken of a partition.",
        consequence: "Every exception lands in the wrong place: the image is useless.",
        remedy: "Give the partition: the finding has its PATH,offset=BYTES,length=BYTES.")
    case .originIsStore:
      FindingEntry(
        severity: .warning, title: "the origin is a COW store itself",
        meaning: "It begins with \"SnAp\", or is the store itself.",
        cause: "Store and origin were mixed up, or one was given twice. LVM calls the store"
          + " NAME-cow and the origin NAME-real.",
        consequence: "The result is not the snapshot, unless the snapshot was taken of a store.",
        remedy: "Give the device or image that the snapshot was taken of.")
    default: preconditionFailure("\(code) is another group's")
    }
  }
}
