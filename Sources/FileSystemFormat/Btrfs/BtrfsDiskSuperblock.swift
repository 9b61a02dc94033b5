/// The superblock of a btrfs.
///
/// Its first 4096 bytes, little-endian; the checksum covers all but the first 32.
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_super_block`.
package struct BtrfsDiskSuperblock: Equatable, Sendable {
  /// The number of bytes.
  package static let byteCount = 4096
  /// The places of it and its copies, in bytes of a device.
  package static let places: [UInt64] = [64 << 10, 64 << 20, 256 << 30]
  private static let magic: UInt64 = 0x4d5f_5366_5248_425f  // "_BHRfS_M"
  private static let systemChunksPlace = 0x32b
  private static let systemChunksByteCountMax = 2048
  private static let backupsPlace = 0xb2b
  private static let backupByteCount = 168

  /// The roots of a transaction.
  ///
  /// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_root_backup`.
  package struct Roots: Equatable, Sendable {
    /// The root of the tree of roots.
    package let root: BtrfsPointer
    /// The root of the tree of chunks.
    package let chunkRoot: BtrfsPointer

    /// Those roots.
    package init(root: BtrfsPointer, chunkRoot: BtrfsPointer) {
      (self.root, self.chunkRoot) = (root, chunkRoot)
    }
  }

  /// The place that it states.
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
  /// The file system's UUID as nodes have it.
  package let nodeUUID: BtrfsUUID
  /// The chunks of the tree of chunks.
  package let systemChunks: BtrfsChunkMap
  /// The roots of the last four transactions, of the tree of roots and of that of chunks.
  package let backups: [Roots]
  /// The algorithm of its checksums.
  package let checksum: BtrfsChecksum
  /// The features without which it must not be read.
  package let features: BtrfsFeatures
  /// The length of the device in bytes.
  package let deviceByteCount: UInt64
  /// The number of devices in the file system.
  package let deviceCount: UInt64
  /// The object of the tree of roots that has the name of the default subvolume.
  package let rootDirectory: UInt64

  /// Decodes a superblock; nil if its checksum is wrong, or of another kind than CRC-32C.
  package init?(decoding bytes: Span<UInt8>) {
    self.init(decoding: bytes, checksums: [.crc32c])
  }

  /// Decodes a superblock; nil if its checksum is wrong, or of none of those kinds.
  package init?(decoding bytes: Span<UInt8>, checksums: Set<BtrfsChecksum>) {
    guard bytes.count >= Self.byteCount, bytes.little(at: 0x40) == Self.magic,
      let checksum = BtrfsChecksum(rawValue: bytes.little(at: 0xc4)),
      checksums.contains(checksum),
      checksum.isRight(bytes, for: bytes.extracting(32..<Self.byteCount))
    else { return nil }
    self.checksum = checksum
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
    features = BtrfsFeatures(rawValue: bytes.little(at: 0xbc))
    nodeUUID = BtrfsUUID(
      decoding: bytes, at: features.contains(.metadataUUID) ? 0x23b : 0x20)
    deviceByteCount = bytes.little(at: 0xd1)
    deviceCount = bytes.little(at: 0x88)
    rootDirectory = bytes.little(at: 0x80)
    backups = (0..<4).map { index in
      let place = Self.backupsPlace + index * Self.backupByteCount
      return Roots(
        root: BtrfsPointer(
          address: bytes.little(at: place), generation: bytes.little(at: place + 8),
          level: bytes[place + 152]),
        chunkRoot: BtrfsPointer(
          address: bytes.little(at: place + 16), generation: bytes.little(at: place + 24),
          level: bytes[place + 153]))
    }
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

/// Features of a btrfs that change how it is read.
///
/// - Source: Linux `include/uapi/linux/btrfs.h`, `BTRFS_FEATURE_INCOMPAT_*`.
package struct BtrfsFeatures: OptionSet, Sendable {
  /// The bits, as on the disk.
  package let rawValue: UInt64

  /// The features of those bits.
  package init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Nodes have another UUID than the file system.
  package static let metadataUUID = BtrfsFeatures(rawValue: 1 << 10)
  /// Zones of a zoned device are written in sequence.
  package static let zoned = BtrfsFeatures(rawValue: 1 << 12)
  /// Several extent trees, and other items of extents.
  package static let extentTreeV2 = BtrfsFeatures(rawValue: 1 << 13)
  /// The places of striped data are in a tree.
  package static let stripeTree = BtrfsFeatures(rawValue: 1 << 14)

  /// Features that do not affect reading files, or that are supported here: bits 0 to 12, and
  /// simple quotas.
  package static let readable = BtrfsFeatures(rawValue: 0x1fff | 1 << 16)
}
