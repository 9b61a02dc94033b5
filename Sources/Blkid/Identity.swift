/// libblkid's findings about a file, a device, or anything else that can be read.
package struct Identity: Equatable, Sendable {
  /// Everything with a known signature, in libblkid's order; several if an older owner's was left,
  /// or is in the data of something else.
  package var signatures: [Signature]
  /// The partition table, if there is one.
  package var partitionTable: PartitionTable?
  /// The byte ranges that could not be read, and were not examined.
  package var unreadable: [Range<UInt64>]

  /// An identity; without arguments, that of something unrecognised.
  package init(
    signatures: [Signature] = [], partitionTable: PartitionTable? = nil,
    unreadable: [Range<UInt64>] = []
  ) {
    self.signatures = signatures
    self.partitionTable = partitionTable
    self.unreadable = unreadable
  }

  /// Whether nothing was recognised.
  package var isEmpty: Bool { signatures.isEmpty && partitionTable == nil }
}

/// One thing that libblkid recognises: a file system, a RAID member, a swap area, a COW store.
///
/// libblkid accepts a COW store by its four bytes of magic; the store's own header gives details.
package struct Signature: Equatable, Sendable {
  /// The purpose of the content, as libblkid classifies it.
  package enum Usage: String, Sendable {
    case filesystem, raid, crypto, other, unknown
  }

  /// libblkid's name for it: "ext4", "LVM2_member", "DM_snapshot_cow".
  package var type: String
  /// Its purpose.
  package var usage: Usage
  /// The name that its owner gave it.
  package var label: String?
  /// Its UUID, or the shorter number that serves as one.
  package var uuid: String?
  /// The version of the format, if it has one.
  package var version: String?
  /// Where the magic is; nil for the few types that have none.
  package var byteOffset: UInt64?
  /// Whether its checksum is wrong; then its other fields may be wrong too.
  package var hasBadChecksum: Bool

  /// A signature of that type.
  package init(
    type: String, usage: Usage, label: String? = nil, uuid: String? = nil,
    version: String? = nil, byteOffset: UInt64? = nil, hasBadChecksum: Bool = false
  ) {
    self.type = type
    self.usage = usage
    self.label = label
    self.uuid = uuid
    self.version = version
    self.byteOffset = byteOffset
    self.hasBadChecksum = hasBadChecksum
  }
}
