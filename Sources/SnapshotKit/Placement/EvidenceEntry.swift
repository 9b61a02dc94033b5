/// What a kind of evidence is: `dmsnap explain placement` and docs/placement.md are made from it.
public struct EvidenceEntry: Sendable {
  /// What names the place, and what is demanded before it is believed.
  public let rule: String
  /// The strengths that it can have.
  public let strengths: [Evidence.Strength]
}

extension PlacementLevel {
  /// What it believes.
  public var rule: String {
    switch self {
    case .none: "Nothing is placed: what no exception names is left out."
    case .proven:
      "The content itself names its place, under a checksum or byte for byte. It is used unless"
        + " --place none is given. Two proofs that contradict each other prove nothing."
    case .likely:
      "Order and neighbourhood name the place, or a checksum that an older version or another use"
        + " of the space could satisfy as well. It is nearly always right and never certain. It is"
        + " used with --place likely only, listed apart, and the status is then 2."
    }
  }
}

extension Evidence.Kind {
  /// Its rule.
  public var entry: EvidenceEntry {
    switch self {
    case .sibling:
      EvidenceEntry(
        rule: "Another snapshot of the same origin holds the same bytes for that chunk, and both"
          + " stores have what was copied before and after it in one order. It is not believed"
          + " before the moment from which on both snapshots existed. It is likely where this store"
          + " has more of the same content there.",
        strengths: [.proven, .likely])
    case .sequence:
      EvidenceEntry(
        rule: "The exceptions before it form a sequence that it continues; or those before and"
          + " after it are the ends of a run whose middle it exactly fills. Where several"
          + " writers took turns, order alone says nothing.",
        strengths: [.likely])
    case .numbering:
      EvidenceEntry(
        rule: "The exceptions that survive show numbers in their content that grow from chunk to"
          + " chunk, as in the pages of a database, and its own numbers go on.",
        strengths: [.likely])
    case .ext4Inode:
      EvidenceEntry(
        rule: "It is a block of an inode table: the checksums of its inodes hold for one place"
          + " only.",
        strengths: [.proven, .likely])
    case .ext4Directory:
      EvidenceEntry(
        rule: "It is a directory block whose checksum holds for one inode, and that inode's map"
          + " has a place for it.",
        strengths: [.proven, .likely])
    case .ext4Extent:
      EvidenceEntry(
        rule: "It is a block of an extent tree whose checksum holds for one inode, which points to"
          + " its place.",
        strengths: [.proven, .likely])
    case .ext4Journal:
      EvidenceEntry(
        rule: "The journal's descriptors name it, under a checksum with their sequence number: as"
          + " a block of the journal, or as one that the journal has a copy of.",
        strengths: [.proven, .likely])
    case .ext4Group:
      EvidenceEntry(
        rule: "It is a superblock, a block of group descriptors or a bitmap, whose checksum a"
          + " descriptor has.",
        strengths: [.proven, .likely])
    case .xfsBlock:
      EvidenceEntry(
        rule: "It is a block of an XFS of version 5, which has its own address and the file"
          + " system's UUID under a checksum.",
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
        rule: "It has the checksum that btrfs' checksum tree demands in one place, where the"
          + " snapshot does not have it without this chunk.",
        strengths: [.proven, .likely])
    case .fileTail:
      EvidenceEntry(
        rule: "It ends with zeroes where a file ends whose last block was written and is missing."
          + " In flight: a file begins with it, by where the only file of that length ends.",
        strengths: [.likely])
    case .neighbours:
      EvidenceEntry(
        rule: "In the store's order it lies between chunks of one file, or of files beside each"
          + " other, and any other order of what is missing fits worse.",
        strengths: [.likely])
    case .rewritten:
      EvidenceEntry(
        rule: "A file was written in place: some of its sectors are what the origin has there, and"
          + " nowhere else.",
        strengths: [.likely])
    }
  }
}
