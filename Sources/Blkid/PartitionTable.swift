/// The partitions that a whole disk, or the image of one, is divided into.
package struct PartitionTable: Equatable, Sendable {
  /// libblkid's name for the kind of table: "gpt", "dos".
  package var type: String
  /// The disk's identifier, as text: a UUID for "gpt", eight digits for "dos".
  package var identifier: String?
  /// The size of the sectors that the table counts in.
  package var sectorByteCount: Int
  /// The partitions in libblkid's order; for "dos" the primary ones, then the logical ones.
  package var partitions: [Partition]

  /// A table, by default without partitions.
  package init(
    type: String, identifier: String? = nil, sectorByteCount: Int = 512,
    partitions: [Partition] = []
  ) {
    self.type = type
    self.identifier = identifier
    self.sectorByteCount = sectorByteCount
    self.partitions = partitions
  }
}

/// One partition, as its table describes it, and its content.
///
/// The table is not checked: partitions may overlap, or end past the end of a truncated image.
package struct Partition: Equatable, Sendable {
  /// Its number, as in the name of its device.
  package var number: Int
  /// Its start within the probed source.
  package var byteOffset: UInt64
  /// Its length.
  package var byteCount: UInt64
  /// The type as text: a UUID for "gpt", "0x83" for "dos".
  package var type: String
  /// Its name, which only some kinds of tables give.
  package var name: String?
  /// The UUID of the partition; not of the file system in it.
  package var uuid: String?
  /// Whether it only contains logical partitions, which are listed separately.
  package var isExtended: Bool
  /// Its content; nil for an extended partition, for one that begins past the end of the source,
  /// and for those of a table that is itself in a partition.
  package var content: Identity?

  /// A partition, by default one whose content was not examined.
  package init(
    number: Int, byteOffset: UInt64, byteCount: UInt64, type: String, name: String? = nil,
    uuid: String? = nil, isExtended: Bool = false, content: Identity? = nil
  ) {
    self.number = number
    self.byteOffset = byteOffset
    self.byteCount = byteCount
    self.type = type
    self.name = name
    self.uuid = uuid
    self.isExtended = isExtended
    self.content = content
  }

  /// Its bytes in a source of that length, as far as that has them; nil if there are none, and for
  /// a partition that only contains others.
  package func bytes(inSourceOf sourceByteCount: UInt64) -> Range<UInt64>? {
    guard !isExtended, byteOffset < sourceByteCount, byteCount > 0 else { return nil }
    return byteOffset..<byteOffset + min(byteCount, sourceByteCount - byteOffset)
  }
}
