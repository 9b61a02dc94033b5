/// The superblock of a btrfs.
///
/// Its first 4096 bytes, little-endian, under a checksum of what follows the first 32.
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_super_block`.
package struct BtrfsDiskSuperblock: Equatable, Sendable {
  /// How many bytes it has.
  package static let byteCount = 4096
  /// Where it and its copies are, in bytes of a device.
  package static let places: [UInt64] = [64 << 10, 64 << 20, 256 << 30]
  private static let magic: UInt64 = 0x4d5f_5366_5248_425f  // "_BHRfS_M"
  private static let systemChunksPlace = 0x32b
  private static let systemChunksByteCountMax = 2048
  private static let hasMetadataUUID: UInt64 = 1 << 10

  /// Where it says that it is.
  package let byteOffset: UInt64
  /// The number of the transaction that wrote it.
  package let generation: UInt64
  /// The root of the tree of roots.
  package let root: BtrfsPointer
  /// The root of the tree of chunks.
  package let chunkRoot: BtrfsPointer
  /// The root of the tree of logs, if there is one.
  package let logRoot: BtrfsPointer?
  /// The length of a sector, for which data has a checksum, in bytes.
  package let sectorByteCount: Int
  /// The length of a node in bytes.
  package let nodeByteCount: Int
  /// The number of the device that it is on.
  package let device: UInt64
  /// What nodes have for the file system's UUID.
  package let nodeUUID: BtrfsUUID
  /// The chunks of the tree of chunks.
  package let systemChunks: BtrfsChunkMap

  /// Decodes a superblock; nil if its checksum is wrong, or of another kind than CRC-32C.
  package init?(decoding bytes: Span<UInt8>) {
    guard bytes.count >= Self.byteCount, bytes.little(at: 0x40) == Self.magic,
      bytes.little(at: 0xc4, as: UInt16.self) == 0
    else { return nil }
    var checksum = CRC32C()
    checksum.add(bytes.extracting(32..<Self.byteCount))
    guard bytes.little(at: 0) == checksum.inverted else { return nil }
    byteOffset = bytes.little(at: 0x30)
    generation = bytes.little(at: 0x48)
    root = BtrfsPointer(
      address: bytes.little(at: 0x50), generation: generation, level: bytes[0xc6])
    chunkRoot = BtrfsPointer(
      address: bytes.little(at: 0x58), generation: bytes.little(at: 0xa4), level: bytes[0xc7])
    let log: UInt64 = bytes.little(at: 0x60)
    logRoot =
      log == 0
      ? nil : BtrfsPointer(address: log, generation: generation &+ 1, level: bytes[0xc8])
    let sizes = [bytes.little(at: 0x90, as: UInt32.self), bytes.little(at: 0x94, as: UInt32.self)]
    guard sizes.allSatisfy({ $0.nonzeroBitCount == 1 && 512...65536 ~= $0 }), sizes[1] >= 4096
    else { return nil }
    (sectorByteCount, nodeByteCount) = (Int(sizes[0]), Int(sizes[1]))
    device = bytes.little(at: 0xc9)
    let features: UInt64 = bytes.little(at: 0xbc)
    nodeUUID = BtrfsUUID(
      decoding: bytes, at: features & Self.hasMetadataUUID != 0 ? 0x23b : 0x20)
    let count = Int(bytes.little(at: 0xa0, as: UInt32.self))
    guard count <= Self.systemChunksByteCountMax else { return nil }
    systemChunks = Self.chunks(
      in: bytes.extracting(Self.systemChunksPlace..<Self.systemChunksPlace + count))
  }

  /// Decodes keys, each with its chunk, as far as they are possible.
  private static func chunks(in bytes: Span<UInt8>) -> BtrfsChunkMap {
    var map = BtrfsChunkMap()
    var place = 0
    while place + BtrfsKey.byteCount <= bytes.count {
      let key = BtrfsKey(decoding: bytes, at: place)
      let rest = bytes.extracting(place + BtrfsKey.byteCount..<bytes.count)
      guard key.type == BtrfsKey.chunkItem, let byteCount = BtrfsChunk.byteCount(of: rest) else {
        break
      }
      if let chunk = BtrfsChunk(decoding: rest, logical: key.offset) { map.insert(chunk) }
      place += BtrfsKey.byteCount + byteCount
    }
    return map
  }
}

/// Sixteen bytes that name a file system.
package struct BtrfsUUID: Hashable, Sendable {
  private let first: UInt64
  private let second: UInt64

  /// Decodes those at a byte; the caller has checked that they are within the span.
  init(decoding bytes: Span<UInt8>, at place: Int) {
    first = bytes.little(at: place)
    second = bytes.little(at: place + 8)
  }
}
