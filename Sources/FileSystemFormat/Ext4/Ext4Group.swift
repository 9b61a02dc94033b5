/// A group descriptor: where a group's bitmaps and inode table are.
///
/// - Source: Linux `Documentation/filesystems/ext4/group_descr.rst`; `fs/ext4/super.c`,
///   `ext4_group_desc_csum`.
package struct Ext4GroupDescriptor: Equatable, Sendable {
  /// The block with the bitmap of blocks.
  package let blockBitmap: UInt64
  /// The block with the bitmap of inodes.
  package let inodeBitmap: UInt64
  /// The first block of the inode table.
  package let inodeTable: UInt64
  /// The checksum of the bitmap of blocks: the lower half alone if descriptors have 32 bytes.
  package let blockBitmapChecksum: UInt32
  /// The checksum of the bitmap of inodes, likewise.
  package let inodeBitmapChecksum: UInt32
  /// Whether the checksums of the bitmaps are complete.
  package let hasWholeChecksums: Bool
  /// Whether the bitmap of inodes, and the table, were never written.
  package let isInodeTableUnused: Bool
  /// Whether the unused part of the inode table is zeroes.
  package let isTableZeroed: Bool
  /// Whether the bitmap of blocks was never written.
  package let isBlockBitmapUnused: Bool

  /// The number of inodes at the end of the table that were never used.
  package let unusedInodeCount: UInt32

  /// Decodes 32 or 64 bytes.
  package init(decoding bytes: Span<UInt8>) {
    hasWholeChecksums = bytes.count >= 64
    func joined(_ low: Int, _ high: Int) -> UInt64 {
      let upper: UInt32 = bytes.count >= 64 ? bytes.little(at: high) : 0
      return UInt64(bytes.little(at: low, as: UInt32.self)) | UInt64(upper) << 32
    }
    func checksum(_ low: Int, _ high: Int) -> UInt32 {
      let upper: UInt16 = bytes.count >= 64 ? bytes.little(at: high) : 0
      return UInt32(bytes.little(at: low, as: UInt16.self)) | UInt32(upper) << 16
    }
    blockBitmap = joined(0x00, 0x20)
    inodeBitmap = joined(0x04, 0x24)
    inodeTable = joined(0x08, 0x28)
    let flags: UInt16 = bytes.little(at: 0x12)
    isInodeTableUnused = flags & 1 != 0
    isBlockBitmapUnused = flags & 2 != 0
    isTableZeroed = flags & 4 != 0
    unusedInodeCount = checksum(0x1c, 0x32)
    blockBitmapChecksum = checksum(0x18, 0x38)
    inodeBitmapChecksum = checksum(0x1a, 0x3a)
  }

  /// Whether a descriptor's checksum matches a group.
  package static func isRight(_ bytes: Span<UInt8>, group: UInt32, seed: UInt32) -> Bool {
    var checksum = CRC32C(register: seed)
    checksum.add(group)
    checksum.add(bytes.extracting(0..<0x1e))
    checksum.addZeroes(2)
    checksum.add(bytes.extracting(0x20..<max(bytes.count, 0x20)))
    return UInt16(truncatingIfNeeded: checksum.register) == bytes.little(at: 0x1e)
  }

  /// Whether a descriptor's checksum of the older kind, CRC-16, matches a group.
  ///
  /// - Parameter uuid: The sixteen bytes that name the file system.
  package static func isRightByCRC16(
    _ bytes: Span<UInt8>, group: UInt32, uuid: Span<UInt8>
  ) -> Bool {
    var checksum: UInt16 = ~0
    func add(_ byte: UInt8) {
      checksum ^= UInt16(byte)
      for _ in 0..<8 { checksum = checksum & 1 != 0 ? checksum >> 1 ^ 0xa001 : checksum >> 1 }
    }
    for index in uuid.indices { add(uuid[index]) }
    for shift: UInt32 in [0, 8, 16, 24] { add(UInt8(truncatingIfNeeded: group >> shift)) }
    for index in 0..<0x1e { add(bytes[index]) }
    for index in 0x20..<max(bytes.count, 0x20) { add(bytes[index]) }
    return checksum == bytes.little(at: 0x1e)
  }

  /// Whether the checksum of a bitmap holds, by the CRC-32C of its bytes from the file system's
  /// seed.
  package func isRight(_ checksum: UInt32, ofInodes: Bool) -> Bool {
    let stored = ofInodes ? inodeBitmapChecksum : blockBitmapChecksum
    return hasWholeChecksums ? checksum == stored : checksum & 0xffff == stored
  }
}
