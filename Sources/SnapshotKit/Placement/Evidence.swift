/// Evidence that an orphan is a copy of a chunk of the origin.
public struct Evidence: Equatable, Hashable, Sendable {
  /// Its kinds.
  let kinds: Kinds
  /// How far to trust it.
  public let strength: Strength
  /// The orphan, whose bytes are the evidence: a data chunk of the store.
  public let new: UInt64
  /// The chunk of the origin that it names.
  public let old: UInt64

  init(kinds: Kinds, strength: Strength, new: UInt64, old: UInt64) {
    (self.kinds, self.strength, self.new, self.old) = (kinds, strength, new, old)
  }

  init(kind: Kind, strength: Strength, new: UInt64, old: UInt64) {
    self.init(kinds: [kind], strength: strength, new: new, old: old)
  }

  /// It, but not as a proof.
  var atMostLikely: Evidence { Evidence(kinds: kinds, strength: .likely, new: new, old: old) }

  /// The strength of evidence.
  ///
  /// The two never mix.
  public enum Strength: String, Comparable, Sendable {
    /// Order and neighbourhood: right nearly always, and never certain.
    case likely
    /// The content itself names its place, under a checksum or byte for byte.
    case proven

    public static func < (left: Strength, right: Strength) -> Bool {
      left == .likely && right == .proven
    }
  }

  /// The kinds of evidence.
  public enum Kind: String, CaseIterable, Comparable, Sendable {
    /// Another snapshot of the same origin has the same content for that chunk.
    case sibling
    /// The exceptions around it form a sequence.
    case sequence
    /// Its content is numbered, like the pages of a database, and the numbers go on.
    case numbering
    /// Inodes whose checksums hold for one place in an inode table.
    case ext4Inode = "ext4-inode"
    /// A directory block whose checksum holds for one inode.
    case ext4Directory = "ext4-directory"
    /// A block of an extent tree whose checksum holds for one inode.
    case ext4Extent = "ext4-extent"
    /// A block of the journal, or its home by the journal's tags.
    case ext4Journal = "ext4-journal"
    /// A bitmap, group descriptors or a superblock.
    case ext4Group = "ext4-group"
    /// A block of an XFS that has its own address.
    case xfsBlock = "xfs-block"
    /// A record of an XFS log.
    case xfsLog = "xfs-log"
    /// A node of a btrfs tree, which has its own address.
    case btrfsNode = "btrfs-node"
    /// Data that btrfs' checksum tree names.
    case btrfsData = "btrfs-data"
    /// The end of a file: zeroes after its last byte.
    case fileTail = "file-tail"
    /// Its neighbours in a file are placed around it.
    case neighbours
    /// A file was written in place there, and the rest of the chunk is as it was.
    case rewritten

    public static func < (left: Kind, right: Kind) -> Bool { left.rawValue < right.rawValue }
  }

  /// Several kinds, a bit each.
  struct Kinds: Hashable, Sendable, ExpressibleByArrayLiteral {
    private var bits: UInt16 = 0

    init(arrayLiteral kinds: Kind...) {
      for kind in kinds { bits |= Self.bit(kind) }
    }

    /// Whether a kind is among them.
    func contains(_ kind: Kind) -> Bool { bits & Self.bit(kind) != 0 }

    /// Adds kinds.
    mutating func formUnion(_ other: Kinds) { bits |= other.bits }

    /// The kinds, in alphabetical order.
    var all: [Kind] { Self.ordered.filter(contains) }

    private static func bit(_ kind: Kind) -> UInt16 {
      1 << UInt16(ordered.firstIndex(of: kind) ?? 0)
    }

    private static let ordered = Kind.allCases.sorted()
  }
}
