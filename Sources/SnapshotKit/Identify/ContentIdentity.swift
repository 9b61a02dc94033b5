package import Blkid

/// The content of a device: the type, label and UUID that `mount` uses.
///
/// Of several signatures, the first file system counts, then containers of one, then anything else;
/// of a whole disk, its partition table. A signature with a wrong checksum does not count.
public struct ContentIdentity: Equatable, Sendable {
  /// libblkid's name for it: "ext4", "crypto_LUKS", "gpt".
  public var type: String
  /// The name that its owner gave it.
  public var label: String?
  /// Its UUID, or the shorter number that serves as one.
  public var uuid: String?

  /// An identity of that type, label and UUID.
  package init(type: String, label: String? = nil, uuid: String? = nil) {
    self.type = type
    self.label = label
    self.uuid = uuid
  }

  /// The most significant part of libblkid's result; nil if it found nothing.
  package init?(_ identity: Identity) {
    if let signature = Self.signature(of: identity) {
      self.init(type: signature.type, label: signature.label, uuid: signature.uuid)
    } else if let table = identity.partitionTable {
      self.init(type: table.type, uuid: table.identifier)
    } else {
      return nil
    }
  }

  /// The most significant of the signatures.
  static func signature(of identity: Identity) -> Signature? {
    let ranks: [Signature.Usage] = [.filesystem, .crypto, .raid, .other, .unknown]
    return ranks.lazy.compactMap { usage in
      identity.signatures.first { $0.usage == usage && !$0.hasBadChecksum }
    }.first
  }
}

/// The content of a snapshot, compared with its origin's.
///
/// A snapshot is a copy, UUID and all: mounting both, or mounting by UUID, may go wrong.
public struct ContentComparison: Equatable, Sendable {
  /// The content of the snapshot, as its view shows it.
  public var snapshot: ContentIdentity?
  /// The content of the origin.
  public var origin: ContentIdentity?

  /// The comparison of those two.
  package init(snapshot: ContentIdentity?, origin: ContentIdentity?) {
    self.snapshot = snapshot
    self.origin = origin
  }

  /// The UUID that both have, and that does not distinguish them; nil if they differ.
  package var sharedUUID: String? {
    // Regardless of the types: an ext3 that has become an ext4 keeps its UUID.
    snapshot?.uuid == origin?.uuid ? snapshot?.uuid : nil
  }
}
