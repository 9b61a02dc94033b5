/// The geometry of an XFS: of version 5, whose metadata names its own place under checksums, or of
/// version 4 where that is asked for.
///
/// Big-endian. The checksum is CRC-32C over a sector, its own field as zero, stored little-endian,
/// as is every checksum of XFS.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_format.h`, `struct xfs_dsb`; `xfs_sb.c`,
///   `xfs_validate_sb_common`.
package struct XFSGeometry: Equatable, Sendable {
  /// The maximum number of bytes of the file system that hold the superblock: the largest sector.
  package static let byteCountMax = 32768

  /// Bytes in a block: 1024 to 65,536, a power of two; 512 in version 4.
  package let blockByteCount: Int
  /// Bytes in a sector: 512 to a block, a power of two.
  package let sectorByteCount: Int
  /// Bytes in a directory block: one file system block or several, at most 65,536.
  package let directoryBlockByteCount: Int
  /// Bytes in an inode: 512 to 2048, a power of two; 256 in version 4.
  package let inodeByteCount: Int
  /// Blocks in the data section.
  package let blockCount: UInt64
  /// Blocks in an allocation group; the last has perhaps fewer.
  package let groupBlockCount: UInt64
  /// The number of allocation groups.
  package let groupCount: UInt64
  /// The number of bits of a block number that select the block of a group.
  package let groupBlockBits: Int
  /// The number of bits of an inode number that select the inode of a block.
  package let blockInodeBits: Int
  /// The first block of the internal log, as a number with a group; zero if the log is elsewhere.
  package let logStart: UInt64
  /// Blocks in the log.
  package let logBlockCount: UInt64
  /// The UUID that the user sees and the log has.
  package let uuid: XFSUUID
  /// The UUID that metadata blocks have.
  package let metaUUID: XFSUUID
  /// Features that a kernel must know to read it.
  package let incompatibleFeatures: UInt32
  /// When it was last logged.
  package let lsn: UInt64

  /// Decodes a superblock; nil unless it is of version 5 and its checksum holds.
  ///
  /// - Parameter bytes: The file system from its beginning on, at least a sector.
  package init?(_ bytes: Span<UInt8>) {
    self.init(ofAnyVersion: bytes)
    guard bytes.big(at: 100, as: UInt16.self) & 0xf == 5, blockByteCount >= 1024,
      inodeByteCount >= 512, bytes.count >= sectorByteCount,
      XFSChecksum.holds(bytes.extracting(0..<sectorByteCount), at: 224)
    else { return nil }
  }

  /// Decodes a superblock of version 4 or 5; nil unless its numbers fit each other.
  ///
  /// No checksum is looked at: one of version 4 has none.
  ///
  /// - Parameter bytes: The file system from its beginning on, at least 512 bytes.
  package init?(ofAnyVersion bytes: Span<UInt8>) {
    guard bytes.count >= 512, bytes.big(at: 0, as: UInt32.self) == XFSMagic.superblock,
      4...5 ~= bytes.big(at: 100, as: UInt16.self) & 0xf
    else { return nil }
    let isNew = bytes.big(at: 100, as: UInt16.self) & 0xf == 5
    let sector = Int(bytes.big(at: 102, as: UInt16.self))
    let block = Int(bytes.big(at: 4, as: UInt32.self))
    let inode = Int(bytes.big(at: 104, as: UInt16.self))
    let directoryBits = Int(bytes[192])
    guard Self.isPowerOfTwo(sector, in: 512...Self.byteCountMax),
      Self.isPowerOfTwo(block, in: 512...65536), sector <= block,
      Self.isPowerOfTwo(inode, in: 256...2048), inode <= block, directoryBits <= 7,
      block << directoryBits <= 65536
    else { return nil }
    (blockByteCount, sectorByteCount, inodeByteCount) = (block, sector, inode)
    directoryBlockByteCount = block << directoryBits
    blockCount = bytes.big(at: 8)
    groupBlockCount = UInt64(bytes.big(at: 84, as: UInt32.self))
    groupCount = UInt64(bytes.big(at: 88, as: UInt32.self))
    groupBlockBits = Int(bytes[124])
    blockInodeBits = (block / inode).trailingZeroBitCount
    logStart = bytes.big(at: 48)
    logBlockCount = UInt64(bytes.big(at: 96, as: UInt32.self))
    uuid = XFSUUID(bytes, at: 32)
    incompatibleFeatures = isNew ? bytes.big(at: 216) : 0
    metaUUID = incompatibleFeatures & 4 != 0 ? XFSUUID(bytes, at: 248) : uuid
    lsn = isNew ? bytes.big(at: 240) : 0
    guard groupBlockCount > 0, groupCount > 0, groupBlockBits <= 31,
      groupBlockCount <= 1 << UInt64(groupBlockBits), blockCount <= groupBlockCount * groupCount,
      blockCount > groupBlockCount * (groupCount - 1), blockCount <= UInt64.max >> 17,
      logBlockCount <= 1 << 31
    else { return nil }
  }

  /// The length of the data section in bytes.
  package var byteCount: UInt64 { blockCount * UInt64(blockByteCount) }

  /// Whether another has the same layout, whenever it was logged.
  package func isSame(as other: XFSGeometry) -> Bool {
    (uuid, metaUUID) == (other.uuid, other.metaUUID)
      && (blockByteCount, sectorByteCount) == (other.blockByteCount, other.sectorByteCount)
      && (directoryBlockByteCount, inodeByteCount)
        == (other.directoryBlockByteCount, other.inodeByteCount)
      && (blockCount, groupBlockCount) == (other.blockCount, other.groupBlockCount)
      && (logStart, logBlockCount) == (other.logStart, other.logBlockCount)
  }

  /// The length of a group in bytes; the last may be shorter.
  package var groupByteCount: UInt64 { groupBlockCount * UInt64(blockByteCount) }

  /// Linux mounts no file system with smaller groups.
  package static let groupByteCountMin: UInt64 = 16 << 20

  /// Where a group begins, in bytes from the beginning of the file system; nil if it has no such
  /// group.
  package func byteOffset(ofGroup group: UInt64) -> UInt64? {
    group < groupCount ? group * groupByteCount : nil
  }

  /// Where a block is, in bytes, by its number with a group.
  package func byteOffset(ofBlock number: UInt64) -> UInt64? {
    let group = number >> UInt64(groupBlockBits)
    let block = number & ((1 << UInt64(groupBlockBits)) - 1)
    guard group < groupCount, block < groupBlockCount else { return nil }
    let index = group * groupBlockCount + block
    return index < blockCount ? index * UInt64(blockByteCount) : nil
  }

  /// Where an inode is, in bytes, by its number.
  package func byteOffset(ofInode number: UInt64) -> UInt64? {
    let index = number & ((1 << UInt64(blockInodeBits)) - 1)
    return byteOffset(ofBlock: number >> UInt64(blockInodeBits))
      .map { $0 + index * UInt64(inodeByteCount) }
  }

  /// The bytes of the internal log; nil if the log is elsewhere.
  package var log: Range<UInt64>? {
    guard logStart != 0, logBlockCount > 0, let start = byteOffset(ofBlock: logStart) else {
      return nil
    }
    let end = start + logBlockCount * UInt64(blockByteCount)
    return end <= byteCount ? start..<end : nil
  }

  private static func isPowerOfTwo(_ value: Int, in range: ClosedRange<Int>) -> Bool {
    range.contains(value) && value & (value - 1) == 0
  }
}

/// Sixteen bytes that name a file system.
package struct XFSUUID: Equatable, Sendable {
  /// The first eight bytes.
  package let high: UInt64
  /// The last eight bytes.
  package let low: UInt64

  /// Reads one; the caller has checked that it is within the span.
  package init(_ bytes: Span<UInt8>, at byteOffset: Int) {
    high = bytes.big(at: byteOffset)
    low = bytes.big(at: byteOffset + 8)
  }
}

/// The checksums of XFS.
package enum XFSChecksum {
  /// Whether the checksum of all of `bytes`, with the four at `byteOffset` as zero, is there.
  ///
  /// - Source: Linux `fs/xfs/libxfs/xfs_cksum.h`.
  package static func holds(_ bytes: Span<UInt8>, at byteOffset: Int) -> Bool {
    guard bytes.count >= byteOffset + 4 else { return false }
    var checksum = CRC32C()
    checksum.add(bytes.extracting(0..<byteOffset))
    checksum.addZeroes(4)
    checksum.add(bytes.extracting(byteOffset + 4..<bytes.count))
    return checksum.inverted == bytes.little(at: byteOffset)
  }

  /// Makes the checksum right; the caller has checked that it is within the bytes.
  package static func seal(_ bytes: inout [UInt8], at byteOffset: Int) {
    bytes.put(big: UInt32(0), at: byteOffset)
    var checksum = CRC32C()
    checksum.add(bytes.span)
    bytes.put(big: checksum.inverted.byteSwapped, at: byteOffset)
  }
}
