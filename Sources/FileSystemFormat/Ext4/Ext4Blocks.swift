/// The blocks of directories, extent trees and extended attributes: the checksum of each begins
/// with its owner.
///
/// The functions that give a register run the checksum backwards: it is the register before the
/// block's first byte, after the number and the generation of the inode that the block belongs to.
/// For bytes that are no such block they give nil, or any register.
///
/// - Source: Linux `Documentation/filesystems/ext4/checksums.rst`; `fs/ext4/namei.c`,
///   `ext4_dirblock_csum`, `ext4_dx_csum`; `fs/ext4/extents.c`, `ext4_extent_block_csum`;
///   `fs/ext4/xattr.c`, `ext4_xattr_block_csum`.
package enum Ext4Block {
  /// The register before a block of directory entries, which ends in a tail of twelve bytes.
  package static func register(ofDirectory bytes: Span<UInt8>) -> UInt32? {
    let end = bytes.count - 12
    guard end >= 12, bytes.little(at: end, as: UInt32.self) == 0,
      bytes.little(at: end + 4, as: UInt32.self) == 0xde00_000c
    else { return nil }
    return register(before: bytes.little(at: end + 8), bytes.extracting(0..<end))
  }

  /// The register before the root or an inner node of a directory's hash tree.
  ///
  /// It has the form of a block with one or two entries that take up all of it.
  package static func register(ofHashTree bytes: Span<UInt8>) -> UInt32? {
    guard bytes.count >= 1024 else { return nil }
    let whole = bytes.count == 65536 ? 65535 : bytes.count
    let limitOffset: Int
    if bytes.little(at: 4, as: UInt16.self) == whole, bytes.little(at: 0, as: UInt32.self) == 0 {
      limitOffset = 8
    } else if bytes.little(at: 4, as: UInt16.self) == 12, bytes[8] == 0x2e,
      Int(bytes.little(at: 16, as: UInt16.self)) == whole - 12, bytes[29] == 8
    {
      limitOffset = 32
    } else {
      return nil
    }
    let limit = Int(bytes.little(at: limitOffset, as: UInt16.self))
    let count = Int(bytes.little(at: limitOffset + 2, as: UInt16.self))
    let tail = limitOffset + limit * 8
    guard count >= 1, count <= limit, tail + 8 <= bytes.count else { return nil }
    var checksum = CRC32C(register: bytes.little(at: tail + 4))
    checksum.removeZeroes(4)
    checksum.remove(bytes.extracting(tail..<tail + 4))
    checksum.remove(bytes.extracting(0..<limitOffset + count * 8))
    return checksum.register
  }

  /// The register before a block of an extent tree.
  package static func register(ofExtents bytes: Span<UInt8>) -> UInt32? {
    guard let header = Ext4ExtentHeader(decoding: bytes) else { return nil }
    let end = 12 + header.limit * 12
    guard end + 4 <= bytes.count else { return nil }
    return register(before: bytes.little(at: end), bytes.extracting(0..<end))
  }

  /// The number of the block for which the checksum of a block of extended attributes holds, if it
  /// is below 2^32.
  package static func number(ofAttributes bytes: Span<UInt8>, seed: UInt32) -> UInt32? {
    guard bytes.count >= 1024, bytes.little(at: 0, as: UInt32.self) == 0xea02_0000 else {
      return nil
    }
    var checksum = CRC32C(register: bytes.little(at: 0x10))
    checksum.remove(bytes.extracting(0x14..<bytes.count))
    checksum.removeZeroes(4)
    checksum.remove(bytes.extracting(0..<0x10))
    checksum.removeZeroes(4)
    return CRC32C.integer(from: seed, to: checksum.register)
  }

  private static func register(before end: UInt32, _ bytes: Span<UInt8>) -> UInt32 {
    var checksum = CRC32C(register: end)
    checksum.remove(bytes)
    return checksum.register
  }
}

/// The header before the entries of a node of an extent tree.
///
/// - Source: Linux `Documentation/filesystems/ext4/ifork.rst`; `fs/ext4/ext4_extents.h`.
package struct Ext4ExtentHeader: Equatable, Sendable {
  /// The number of entries in use.
  package let count: Int
  /// The number of entries that there is room for.
  package let limit: Int
  /// The number of levels below: 0 if the entries are extents.
  package let depth: Int

  /// Decodes it, and checks that its entries are within `bytes`.
  package init?(decoding bytes: Span<UInt8>) {
    guard bytes.count >= 12, bytes.little(at: 0, as: UInt16.self) == 0xf30a else { return nil }
    count = Int(bytes.little(at: 2, as: UInt16.self))
    limit = Int(bytes.little(at: 4, as: UInt16.self))
    depth = Int(bytes.little(at: 6, as: UInt16.self))
    guard count <= limit, 12 + limit * 12 <= bytes.count, depth <= 5 else { return nil }
  }

  /// The extent in a place, of a node without levels below.
  package func extent(_ index: Int, of bytes: Span<UInt8>) -> Ext4Extent {
    let entry = 12 + index * 12
    let length: UInt16 = bytes.little(at: entry + 4)
    // An extent that was never written has its length above 32768.
    return Ext4Extent(
      logical: bytes.little(at: entry),
      physical: UInt64(bytes.little(at: entry + 8, as: UInt32.self))
        | UInt64(bytes.little(at: entry + 6, as: UInt16.self)) << 32,
      count: UInt32(length > 0x8000 ? length - 0x8000 : length), isWritten: length <= 0x8000)
  }

  /// The block of the node below in a place, of a node with levels below.
  package func child(_ index: Int, of bytes: Span<UInt8>) -> UInt64 {
    let entry = 12 + index * 12
    return UInt64(bytes.little(at: entry + 4, as: UInt32.self))
      | UInt64(bytes.little(at: entry + 8, as: UInt16.self)) << 32
  }
}

/// Consecutive blocks of a file that are consecutive blocks of the file system.
package struct Ext4Extent: Equatable, Sendable {
  /// The first block, within the file.
  package let logical: UInt32
  /// The first block, within the file system.
  package let physical: UInt64
  /// The number of blocks; may be 0 on a damaged disk.
  package let count: UInt32
  /// Whether it has content; otherwise it reads as zeroes.
  package let isWritten: Bool
}
