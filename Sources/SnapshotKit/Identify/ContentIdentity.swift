public import Blkid

/// What a device holds, in three words: the type, label and UUID that `mount` goes by.
///
/// Of several signatures the first file system counts, then what may hold one, then anything else;
/// of a whole disk its partition table. A signature with a wrong checksum does not count.
public struct ContentIdentity: Equatable, Sendable {
  /// libblkid's name for it: "ext4", "crypto_LUKS", "gpt".
  public var type: String
  /// The name that its owner gave it.
  public var label: String?
  /// Its UUID, or the shorter number that serves as one.
  public var uuid: String?

  /// The identity of those three words.
  public init(type: String, label: String? = nil, uuid: String? = nil) {
    self.type = type
    self.label = label
    self.uuid = uuid
  }

  /// The most telling part of what libblkid found, or nil when it found nothing.
  public init?(_ identity: Identity) {
    if let signature = Self.signature(of: identity) {
      self.init(type: signature.type, label: signature.label, uuid: signature.uuid)
    } else if let table = identity.partitionTable {
      self.init(type: table.type, uuid: table.identifier)
    } else {
      return nil
    }
  }

  /// The most telling of the signatures.
  static func signature(of identity: Identity) -> Signature? {
    let ranks: [Signature.Usage] = [.filesystem, .crypto, .raid, .other, .unknown]
    return ranks.lazy.compactMap { usage in
      identity.signatures.first { $0.usage == usage && !$0.hasBadChecksum }
    }.first
  }
}

/// What a snapshot holds, beside what its origin holds.
///
/// A snapshot is a copy, UUID and all: whoever mounts both, or mounts by UUID, is in for a
/// surprise.
public struct ContentComparison: Equatable, Sendable {
  /// What the snapshot holds, as its view shows it.
  public var snapshot: ContentIdentity?
  /// What the origin holds.
  public var origin: ContentIdentity?

  /// The comparison of those two.
  public init(snapshot: ContentIdentity?, origin: ContentIdentity?) {
    self.snapshot = snapshot
    self.origin = origin
  }

  /// The UUID that both have, so that it does not tell them apart; nil when they differ.
  public var sharedUUID: String? {
    // Whatever the types are: an ext3 that became an ext4 since is still found by one UUID.
    snapshot?.uuid == origin?.uuid ? snapshot?.uuid : nil
  }
}
