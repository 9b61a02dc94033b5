/// The superblock of an ext2, ext3 or ext4, and the geometry that it gives.
///
/// - Source: Linux `Documentation/filesystems/ext4/super.rst`; `fs/ext4/ext4.h`, `struct
///   ext4_super_block`.
package struct Ext4Superblock: Equatable, Sendable {
  /// The place of the primary superblock in the file system, in bytes.
  package static let byteOffset = 1024
  /// Its length in bytes.
  package static let byteCount = 1024

  /// The number of inodes; numbers begin at 1.
  package let inodeCount: UInt32
  /// The number of blocks.
  package let blockCount: UInt64
  /// The first block that belongs to a group: 1 if blocks have 1024 bytes, otherwise 0.
  package let firstDataBlock: UInt32
  /// The length of a block in bytes, from 1 KiB to 64 KiB.
  package let blockByteCount: Int
  /// The number of blocks in a group.
  package let blocksPerGroup: UInt32
  /// The number of clusters in a group, a bit each in its bitmap.
  package let clustersPerGroup: UInt32
  /// The number of inodes in a group.
  package let inodesPerGroup: UInt32
  /// The length of an inode in bytes, a power of two.
  package let inodeByteCount: Int
  /// The length of a group descriptor in bytes: 32 or 64.
  package let descriptorByteCount: Int
  /// When it was last written, in seconds since 1970.
  package let writeTime: UInt64
  /// The amount written in the file system's life, in KiB.
  package let kilobytesWritten: UInt64
  /// The group of the copy; 0 for the primary one.
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
  /// The map of the journal's inode: a copy of its sixty bytes; nil without one.
  package let journalMap: [UInt8]
  /// The number of blocks in a cluster, the unit of allocation: 1 without the feature bigalloc.
  package let blocksPerCluster: UInt32
  /// The first inode that is not reserved.
  package let firstInode: UInt32
  /// The number of blocks after the group descriptors that are reserved for more of them.
  package let reservedDescriptorBlockCount: UInt16
  /// The block that hosts mark while they have it mounted, with the feature mmp; 0 for none.
  package let mountProtectionBlock: UInt64
  /// The inodes of quotas and of the list of orphans; 0 for none.
  package let hiddenInodes: [UInt32]
  /// Whether its own checksum is right, or it has none.
  package let isChecksumRight: Bool

  /// Decodes one of an ext4 whose metadata has checksums; nil for bytes that are none, whose
  /// checksum is wrong, or whose geometry is impossible.
  package init?(decoding bytes: Span<UInt8>) {
    self.init(ofAny: bytes)
    guard hasMetadataChecksums, isChecksumRight, bytes[0x175] == 1 else { return nil }
  }

  /// Decodes one of any ext2, ext3 or ext4, with or without checksums; nil for bytes that are none,
  /// or whose geometry is impossible.
  package init?(ofAny bytes: Span<UInt8>) {
    guard bytes.count >= Self.byteCount, bytes.little(at: 0x38, as: UInt16.self) == 0xef53 else {
      return nil
    }
    compatible = bytes.little(at: 0x5c)
    incompatible = bytes.little(at: 0x60)
    readOnlyCompatible = bytes.little(at: 0x64)
    let blockShift: UInt32 = bytes.little(at: 0x18)
    let clusterShift: UInt32 = bytes.little(at: 0x1c)
    let has64Bits = incompatible & 0x80 != 0
    let hasClusters = readOnlyCompatible & 0x200 != 0
    var checksum = CRC32C()
    checksum.add(bytes.extracting(0..<0x3fc))
    isChecksumRight =
      readOnlyCompatible & Self.metadataChecksums == 0
      || checksum.register == bytes.little(at: 0x3fc)
    guard blockShift <= 6, !hasClusters || (blockShift...blockShift + 20).contains(clusterShift)
    else { return nil }
    blocksPerCluster = hasClusters ? 1 << (clusterShift - blockShift) : 1
    blockByteCount = 1024 << Int(blockShift)
    inodeCount = bytes.little(at: 0)
    let high: UInt64 = has64Bits ? UInt64(bytes.little(at: 0x150, as: UInt32.self)) << 32 : 0
    blockCount = high | UInt64(bytes.little(at: 0x04, as: UInt32.self))
    firstDataBlock = bytes.little(at: 0x14)
    blocksPerGroup = bytes.little(at: 0x20)
    clustersPerGroup = bytes.little(at: hasClusters ? 0x24 : 0x20)
    inodesPerGroup = bytes.little(at: 0x28)
    // The first revision has neither features nor a choice.
    let isFirstRevision = bytes.little(at: 0x4c, as: UInt32.self) == 0
    inodeByteCount = isFirstRevision ? 128 : Int(bytes.little(at: 0x58, as: UInt16.self))
    firstInode = isFirstRevision ? 11 : bytes.little(at: 0x54)
    reservedDescriptorBlockCount = compatible & 0x10 != 0 ? bytes.little(at: 0xce) : 0
    mountProtectionBlock = incompatible & 0x100 != 0 ? bytes.little(at: 0x168) : 0
    let hasQuota = readOnlyCompatible & 0x100 != 0
    let quotas: [UInt32] =
      hasQuota ? [0x240, 0x244, 0x26c].map { bytes.little(at: $0) } : []
    let orphans: [UInt32] = compatible & 0x1000 != 0 ? [bytes.little(at: 0x280)] : []
    hiddenInodes = (quotas + orphans).filter { $0 != 0 }
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
      UInt64(blocksPerGroup) == UInt64(clustersPerGroup) * UInt64(blocksPerCluster),
      blockCount < 1 << 48,
      inodeByteCount >= 128, inodeByteCount <= blockByteCount,
      inodeByteCount.nonzeroBitCount == 1,
      descriptorByteCount == 32 || descriptorByteCount == 64,
      UInt64(inodesPerGroup) * UInt64(inodeByteCount) % UInt64(blockByteCount) == 0,
      UInt64(inodeCount / inodesPerGroup) == groupCount, inodeCount % inodesPerGroup == 0
    else { return nil }
  }

  private static let metadataChecksums: UInt32 = 0x400

  /// Whether its metadata has checksums, CRC-32C.
  package var hasMetadataChecksums: Bool { readOnlyCompatible & Self.metadataChecksums != 0 }

  /// Whether its group descriptors have checksums of either kind.
  package var hasDescriptorChecksums: Bool {
    readOnlyCompatible & (Self.metadataChecksums | 0x10) != 0
  }

  /// Whether the journal must be read before the file system is whole.
  package var needsRecovery: Bool { incompatible & 0x4 != 0 }

  /// The number of groups.
  package var groupCount: UInt64 {
    (blockCount - UInt64(firstDataBlock) + UInt64(blocksPerGroup) - 1) / UInt64(blocksPerGroup)
  }

  /// The number of inodes in a block of an inode table.
  package var inodesPerBlock: Int { blockByteCount / inodeByteCount }

  /// The number of blocks in the inode table of a group.
  package var tableBlockCount: UInt64 {
    UInt64(inodesPerGroup) * UInt64(inodeByteCount) / UInt64(blockByteCount)
  }

  /// The number of blocks in all group descriptors.
  package var descriptorBlockCount: UInt64 {
    let perBlock = UInt64(blockByteCount / descriptorByteCount)
    return (groupCount + perBlock - 1) / perBlock
  }

  /// The first block of a group.
  package func firstBlock(ofGroup group: UInt64) -> UInt64 {
    UInt64(firstDataBlock) + group * UInt64(blocksPerGroup)
  }

  /// Whether a group has a copy of the superblock.
  package func hasSuperblock(_ group: UInt64) -> Bool {
    if group == 0 { return true }
    if compatible & 0x200 != 0 {
      return group == UInt64(backupGroups.0) || group == UInt64(backupGroups.1)
    }
    if group == 1 || readOnlyCompatible & 1 == 0 { return true }
    return [UInt64]([3, 5, 7]).contains { base in
      var power = base
      while power < group { power *= base }
      return power == group
    }
  }

  /// The block with a block of group descriptors, counted from 0, and the blocks with its copies.
  package func blocks(ofDescriptors index: UInt64) -> [UInt64] {
    let superblockBlock: UInt64 = blockByteCount == 1024 ? 1 : 0
    if incompatible & 0x10 == 0 || index < UInt64(firstMetaGroup) {
      let copies = Self.backupGroups.filter { $0 < groupCount && hasSuperblock($0) }
      return [superblockBlock + 1 + index] + copies.map { firstBlock(ofGroup: $0) + 1 + index }
    }
    let perBlock = UInt64(blockByteCount / descriptorByteCount)
    let first = index * perBlock
    return [first, first + 1, first + perBlock - 1].filter { $0 < groupCount }.map { group in
      // The superblock is not in the first of its blocks if that is the boot block.
      let shift: UInt64 = group == 0 && superblockBlock > UInt64(firstDataBlock) ? 1 : 0
      return firstBlock(ofGroup: group) + (hasSuperblock(group) ? 1 : 0) + shift
    }
  }

  /// Groups that may have copies of the superblock and the group descriptors, and soon.
  package static let backupGroups: [UInt64] = [1, 3, 5, 7, 9, 25, 27, 49]

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
