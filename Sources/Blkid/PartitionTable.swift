/// The partitions that a whole disk, or the image of one, is divided into.
public struct PartitionTable: Equatable, Sendable {
  /// libblkid's name for the kind of table: "gpt", "dos".
  public var type: String
  /// The disk's identifier, as text: a UUID for "gpt", eight digits for "dos".
  public var identifier: String?
  /// The size of the sectors that the table counts in.
  public var sectorByteCount: Int
  /// The partitions in libblkid's order; for "dos" the primary ones, then the logical ones.
  public var partitions: [Partition]

  /// A table, by default without partitions.
  public init(
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
public struct Partition: Equatable, Sendable {
  /// Its number, as in the name of its device.
  public var number: Int
  /// Where it begins in what was probed.
  public var byteOffset: UInt64
  /// Its length.
  public var byteCount: UInt64
  /// The type as text: a UUID for "gpt", "0x83" for "dos".
  public var type: String
  /// Its name, which only some kinds of tables give.
  public var name: String?
  /// The UUID of the partition; not of the file system in it.
  public var uuid: String?
  /// Whether it only contains logical partitions, which are listed separately.
  public var isExtended: Bool
  /// Its content; nil for an extended partition, for one that begins past the end of the source,
  /// and for those of a table that is itself in a partition.
  public var content: Identity?

  /// A partition, by default one whose content was not examined.
  public init(
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
}
