/// The description of a kind of evidence, for `dmsnap explain placement`.
public struct EvidenceEntry: Sendable {
  /// The evidence, and the conditions for trusting it.
  public let rule: String
  /// The strengths that it can have.
  public let strengths: [Evidence.Strength]
}

extension PlacementLevel {
  /// The evidence that it accepts.
  public var rule: String {
    switch self {
    case .none: "Nothing is placed: chunks without an exception are left out."
    case .proven:
      "The content itself names its place, under a checksum or byte for byte. It is used unless"
        + " --place none is given. Two proofs that contradict each other prove nothing."
    case .likely:
      "Order and neighbours indicate the place, or a checksum that an older version or another use"
        + " of the space could also satisfy. It is nearly always right and never certain. It is"
        + " used only with --place likely, listed separately, and the status is then 2."
    }
  }
}

extension Evidence.Kind {
  /// The description of this kind.
  public var entry: EvidenceEntry {
    switch self {
    case .sibling:
      EvidenceEntry(
        rule: "Another snapshot of the same origin holds the same bytes for that chunk, and both"
          + " stores have the copies before and after it in the same order. Copies made before both"
          + " snapshots existed do not count. It is likely where this store has more of the same"
          + " content there.",
        strengths: [.proven, .likely])
    case .sequence:
      EvidenceEntry(
        rule: "The exceptions before it form a sequence that it continues; or those before and"
          + " after it are the ends of a run whose middle it exactly fills. Where several writers"
          + " took turns, order alone is no evidence.",
        strengths: [.likely])
    case .numbering:
      EvidenceEntry(
        rule: "The content of the surviving exceptions carries numbers that grow from chunk to"
          + " chunk, as in the pages of a database, and its own numbers continue them.",
        strengths: [.likely])
    case .ext4Inode:
      EvidenceEntry(
        rule: "It is a block of an inode table: the checksums of its inodes fit one place only.",
        strengths: [.proven, .likely])
    case .ext4Directory:
      EvidenceEntry(
        rule: "It is a directory block whose checksum fits one inode, and that inode's map has a"
          + " place for it.",
        strengths: [.proven, .likely])
    case .ext4Extent:
      EvidenceEntry(
        rule: "It is a block of an extent tree whose checksum fits one inode, which points to its"
          + " place.",
        strengths: [.proven, .likely])
    case .ext4Journal:
      EvidenceEntry(
        rule: "The journal's descriptors name it, under a checksum with their sequence number: as a"
          + " block of the journal, or as the home of a block copied in the journal.",
        strengths: [.proven, .likely])
    case .ext4Group:
      EvidenceEntry(
        rule: "It is a superblock, a block of group descriptors or a bitmap, and a descriptor has"
          + " its checksum.",
        strengths: [.proven, .likely])
    case .xfsBlock:
      EvidenceEntry(
        rule: "It is a block of XFS version 5, which has its own address and the file system's UUID"
          + " under a checksum.",
        strengths: [.proven, .likely])
    case .xfsLog:
      EvidenceEntry(
        rule: "It belongs to the log: its record has its own place, under a checksum.",
        strengths: [.proven, .likely])
    case .btrfsNode:
      EvidenceEntry(
        rule: "It is a part of a node of a btrfs tree, which has its own address under a checksum,"
          + " and the node above points to it with the same generation.",
        strengths: [.proven, .likely])
    case .btrfsData:
      EvidenceEntry(
        rule: "It has the checksum that btrfs's checksum tree requires at one place, which the"
          + " snapshot does not match without this chunk.",
        strengths: [.proven, .likely])
    case .fileTail:
      EvidenceEntry(
        rule: "It ends with zeroes exactly where a file with a written and missing last block ends."
          + " In flight: it starts the only file whose length fits the next such end.",
        strengths: [.likely])
    case .neighbours:
      EvidenceEntry(
        rule: "In the store's order it lies between chunks of one file, or of adjacent files, and"
          + " any other order of the missing chunks fits worse.",
        strengths: [.likely])
    case .rewritten:
      EvidenceEntry(
        rule: "A file was written in place: some of its sectors match the origin there, and nowhere"
          + " else.",
        strengths: [.likely])
    }
  }
}
