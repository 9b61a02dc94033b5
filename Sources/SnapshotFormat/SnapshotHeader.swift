/// The first sixteen bytes of a COW store, as on the disk.
///
/// The header is alone in chunk 0. All fields are little-endian and 32 bits wide; Linux writes
/// zeroes into the rest of the chunk and ignores it when it reads.
///
///     offset  size  field
///          0     4  magic         0x70416e53, "SnAp" in memory order
///          4     4  valid         0 once the snapshot overflowed or lost a write
///          8     4  version       1 is the only version in use
///         12     4  chunk size    sectors of 512 bytes, a power of two
///
/// Decoding judges nothing: a header that Linux would refuse is evidence too, and a store whose
/// `valid` is 0 still holds every chunk that was copied before it was invalidated.
///
/// - Source: Linux `drivers/md/dm-snap-persistent.c`, `struct disk_header`.
public struct SnapshotHeader: Hashable, Sendable {
  /// "SnAp", read as a little-endian integer.
  public static let expectedMagic: UInt32 = 0x7041_6e53
  /// The only version of the format that Linux reads.
  public static let supportedVersion: UInt32 = 1
  /// The number of bytes of chunk 0 that Linux interprets.
  public static let byteCount = 16

  /// `expectedMagic` in a store; 0 in one that Linux would format at activation.
  public var magic: UInt32
  /// 0 when the snapshot was invalidated; any other number is valid to Linux, which writes 1.
  public var valid: UInt32
  /// The version of the on-disk format.
  public var version: UInt32
  /// The chunk size in sectors, unchecked; see ``ChunkSize``.
  public var chunkSectors: UInt32

  /// The header of a valid store.
  public init(chunkSize: ChunkSize) {
    magic = Self.expectedMagic
    valid = 1
    version = Self.supportedVersion
    chunkSectors = chunkSize.sectorCount
  }

  /// Decodes the header at the beginning of `bytes`; nil if they are fewer than sixteen.
  public init?(decoding bytes: Span<UInt8>) {
    guard bytes.count >= Self.byteCount else { return nil }
    magic = bytes.littleEndian(at: Field.magic)
    valid = bytes.littleEndian(at: Field.valid)
    version = bytes.littleEndian(at: Field.version)
    chunkSectors = bytes.littleEndian(at: Field.chunkSectors)
  }

  /// Encodes the header into the first sixteen bytes of `bytes` and leaves the others alone.
  ///
  /// - Precondition: `bytes` holds at least sixteen bytes.
  public func encode(into bytes: inout MutableSpan<UInt8>) {
    bytes.store(littleEndian: magic, at: Field.magic)
    bytes.store(littleEndian: valid, at: Field.valid)
    bytes.store(littleEndian: version, at: Field.version)
    bytes.store(littleEndian: chunkSectors, at: Field.chunkSectors)
  }

  /// Whether the first four bytes are "SnAp".
  public var hasMagic: Bool { magic == Self.expectedMagic }

  private enum Field {
    static let magic = 0
    static let valid = 4
    static let version = 8
    static let chunkSectors = 12
  }
}
