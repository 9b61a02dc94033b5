/// The superblock of an ext4 whose metadata has checksums, and the geometry that it gives.
///
/// - Source: Linux `Documentation/filesystems/ext4/super.rst`; `fs/ext4/ext4.h`, `struct
///   ext4_super_block`.
package struct Ext4Superblock: Equatable, Sendable {
  /// Where the primary one is in the file system, in bytes.
  package static let byteOffset = 1024
  /// Its length in bytes.
  package static let byteCount = 1024

  /// How many inodes there are; numbers begin at 1.
  package let inodeCount: UInt32
  /// How many blocks there are.
  package let blockCount: UInt64
  /// The first block that belongs to a group: 1 if blocks have 1024 bytes, otherwise 0.
  package let firstDataBlock: UInt32
  /// The length of a block in bytes, from 1 KiB to 64 KiB.
  package let blockByteCount: Int
  /// How many blocks a group has.
  package let blocksPerGroup: UInt32
  /// How many clusters a group has, a bit each in its bitmap.
  package let clustersPerGroup: UInt32
  /// How many inodes a group has.
  package let inodesPerGroup: UInt32
  /// The length of an inode in bytes, a power of two.
  package let inodeByteCount: Int
  /// The length of a group descriptor in bytes: 32 or 64.
  package let descriptorByteCount: Int
  /// When it was last written, in seconds since 1970.
  package let writeTime: UInt64
  /// How much was written in the file system's life, in KiB.
  package let kilobytesWritten: UInt64
  /// Which group the copy is in; 0 for the primary one.
  package let group: UInt16
  /// The inode of the journal; 0 for none within the file system.
  package let journalInode: UInt32
  /// Features that a kernel may ignore.
  package let compatible: UInt32
  /// Features without which nothing can be read.
  package let incompatible: UInt32
  /// Features without which nothing can be written.
  package let readOnlyCompatible: UInt32
  /// The sixteen bytes that name the file system.
  package let uuid: Ext4UUID
  /// The register with which every checksum of the metadata begins.
  package let seed: UInt32
  /// Blocks with copies of the superblock, with the feature sparse_super2.
  package let backupGroups: (UInt32, UInt32)
  /// The first group of descriptors that lies elsewhere, with the feature meta_bg.
  package let firstMetaGroup: UInt32
  /// Where the journal's inode says its blocks are: a copy of its sixty bytes; nil without one.
  package let journalMap: [UInt8]

  /// Decodes one; nil for bytes that are none, whose checksum is wrong, or whose geometry is
  /// impossible.
  package init?(decoding bytes: Span<UInt8>) {
    guard bytes.count >= Self.byteCount, bytes.little(at: 0x38, as: UInt16.self) == 0xef53 else {
      return nil
    }
    var checksum = CRC32C()
    checksum.add(bytes.extracting(0..<0x3fc))
    guard checksum.register == bytes.little(at: 0x3fc) else { return nil }
    compatible = bytes.little(at: 0x5c)
    incompatible = bytes.little(at: 0x60)
    readOnlyCompatible = bytes.little(at: 0x64)
    let blockShift: UInt32 = bytes.little(at: 0x18)
    let has64Bits = incompatible & 0x80 != 0
    guard readOnlyCompatible & Self.metadataChecksums != 0, blockShift <= 6,
      bytes[0x175] == 1
    else { return nil }
    blockByteCount = 1024 << Int(blockShift)
    inodeCount = bytes.little(at: 0)
    let high: UInt64 = has64Bits ? UInt64(bytes.little(at: 0x150, as: UInt32.self)) << 32 : 0
    blockCount = high | UInt64(bytes.little(at: 0x04, as: UInt32.self))
    firstDataBlock = bytes.little(at: 0x14)
    blocksPerGroup = bytes.little(at: 0x20)
    clustersPerGroup = bytes.little(at: 0x24)
    inodesPerGroup = bytes.little(at: 0x28)
    inodeByteCount = Int(bytes.little(at: 0x58, as: UInt16.self))
    descriptorByteCount = has64Bits ? Int(bytes.little(at: 0xfe, as: UInt16.self)) : 32
    writeTime = UInt64(bytes.little(at: 0x30, as: UInt32.self)) | UInt64(bytes[0x274]) << 32
    kilobytesWritten = bytes.little(at: 0x178)
    group = bytes.little(at: 0x5a)
    journalInode = compatible & 0x4 != 0 ? bytes.little(at: 0xe0) : 0
    uuid = Ext4UUID(bytes, at: 0x68)
    backupGroups = (bytes.little(at: 0x24c), bytes.little(at: 0x250))
    firstMetaGroup = bytes.little(at: 0x104)
    journalMap = bytes[0xfd] == 1 ? (0x10c..<0x148).map { bytes[$0] } : []
    if incompatible & 0x2000 != 0 {
      seed = bytes.little(at: 0x270)
    } else {
      var seed = CRC32C()
      seed.add(bytes.extracting(0x68..<0x78))
      self.seed = seed.register
    }
    let bitsPerBlock = UInt32(8 * blockByteCount)
    guard blockCount > UInt64(firstDataBlock), firstDataBlock <= 1,
      (1...bitsPerBlock).contains(inodesPerGroup), (1...bitsPerBlock).contains(clustersPerGroup),
      blocksPerGroup >= clustersPerGroup, blockCount < 1 << 48,
      inodeByteCount >= 128, inodeByteCount <= blockByteCount,
      inodeByteCount.nonzeroBitCount == 1,
      descriptorByteCount == 32 || descriptorByteCount == 64,
      UInt64(inodesPerGroup) * UInt64(inodeByteCount) % UInt64(blockByteCount) == 0,
      UInt64(inodeCount / inodesPerGroup) == groupCount, inodeCount % inodesPerGroup == 0
    else { return nil }
  }

  private static let metadataChecksums: UInt32 = 0x400

  /// Whether the journal must be read before the file system is whole.
  package var needsRecovery: Bool { incompatible & 0x4 != 0 }

  /// How many groups there are.
  package var groupCount: UInt64 {
    (blockCount - UInt64(firstDataBlock) + UInt64(blocksPerGroup) - 1) / UInt64(blocksPerGroup)
  }

  /// How many inodes a block of an inode table has.
  package var inodesPerBlock: Int { blockByteCount / inodeByteCount }

  /// How many blocks the inode table of a group has.
  package var tableBlockCount: UInt64 {
    UInt64(inodesPerGroup) * UInt64(inodeByteCount) / UInt64(blockByteCount)
  }

  /// How many blocks all group descriptors have.
  package var descriptorBlockCount: UInt64 {
    let perBlock = UInt64(blockByteCount / descriptorByteCount)
    return (groupCount + perBlock - 1) / perBlock
  }

  /// The block with a block of group descriptors, counted from 0; nil with meta_bg, which scatters
  /// them.
  package func block(ofDescriptors index: UInt64) -> UInt64? {
    guard incompatible & 0x10 == 0 || index < UInt64(firstMetaGroup) else { return nil }
    return UInt64(firstDataBlock) + 1 + index
  }

  package static func == (left: Ext4Superblock, right: Ext4Superblock) -> Bool {
    left.uuid == right.uuid && left.writeTime == right.writeTime && left.group == right.group
      && left.kilobytesWritten == right.kilobytesWritten && left.blockCount == right.blockCount
      && left.incompatible == right.incompatible
  }
}

/// Sixteen bytes that name a file system or a journal.
package struct Ext4UUID: Hashable, Sendable {
  private let low: UInt64
  private let high: UInt64

  /// The sixteen bytes there.
  init(_ bytes: Span<UInt8>, at byteOffset: Int) {
    low = bytes.little(at: byteOffset)
    high = bytes.little(at: byteOffset + 8)
  }

  /// Whether all bytes are zero.
  package var isZero: Bool { low == 0 && high == 0 }
}
