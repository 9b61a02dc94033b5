/// An entry of a directory.
///
/// - Source: Linux `Documentation/filesystems/ext4/directory.rst`; `fs/ext4/ext4.h`,
///   `struct ext4_dir_entry_2`, `ext4_rec_len_from_disk`.
package struct Ext4DirectoryEntry: Equatable, Sendable {
  /// The inode; 0 if the entry is not in use.
  package let inode: UInt32
  /// The kind of file, from 1 to 7; 0 if the entry does not state it.
  package let kind: UInt8
  /// Where its name is.
  package let name: Range<Int>
  /// Where the next entry begins.
  package let end: Int

  /// Decodes the entry at `byteOffset` of a block, or of the inline part in an inode.
  ///
  /// - Returns: nil if it is none, or does not end within `bytes`.
  package init?(decoding bytes: Span<UInt8>, at byteOffset: Int) {
    guard byteOffset + 8 <= bytes.count else { return nil }
    let length: UInt16 = bytes.little(at: byteOffset + 4)
    inode = bytes.little(at: byteOffset)
    kind = bytes[byteOffset + 7]
    let nameStart = byteOffset + 8
    name = nameStart..<nameStart + Int(bytes[byteOffset + 6])
    // A block of 64 KiB is longer than the number can hold.
    let isWhole = bytes.count == 1 << 16 && (length == 0 || length == 0xffff)
    end =
      byteOffset
      + (isWhole ? bytes.count : Int(length & 0xfffc) | Int(length & 3) << 16)
    let isLong = bytes.count == 1 << 16
    guard isLong || length & 3 == 0, end >= byteOffset + 12, name.upperBound <= end,
      end <= bytes.count
    else { return nil }
  }

  /// Whether it is the entry that ends a block with a checksum.
  package var isTail: Bool { inode == 0 && name.isEmpty && kind == 0xde }

  /// The entry that seems to have been at `byteOffset`, within bytes no longer in use.
  ///
  /// - Returns: nil if nothing there looks like one.
  package init?(
    deletedIn bytes: Span<UInt8>, at byteOffset: Int, before limit: Int,
    inodes: ClosedRange<UInt32>
  ) {
    guard byteOffset + 12 <= limit else { return nil }
    let length = Int(bytes.little(at: byteOffset + 4, as: UInt16.self))
    inode = bytes.little(at: byteOffset)
    kind = bytes[byteOffset + 7]
    let start = byteOffset + 8
    name = start..<start + Int(bytes[byteOffset + 6])
    end = start + (name.count + 3) & ~3
    guard inodes.contains(inode), !name.isEmpty, name.upperBound <= limit, kind <= 7,
      length & 3 == 0, length >= end - byteOffset
    else { return nil }
    for index in name where bytes[index] == 0 || bytes[index] == 0x2f { return nil }
    if bytes[start] == 0x2e, name.count == 1 || name.count == 2 && bytes[start + 1] == 0x2e {
      return nil
    }
  }
}

extension Ext4Block {
  /// Whether the checksum of a block of a directory is right, from the register of the directory's
  /// inode.
  ///
  /// - Returns: nil if the block has none where it must be.
  package static func isRight(directory bytes: Span<UInt8>, from start: UInt32) -> Bool? {
    // A block that became a node of the tree of hashes may still have the end of its old content.
    if let register = register(ofHashTree: bytes) { return register == start }
    let end = bytes.count - 12
    guard end >= 12, bytes.little(at: end, as: UInt32.self) == 0,
      bytes.little(at: end + 4, as: UInt32.self) == 0xde00_000c
    else { return nil }
    var checksum = CRC32C(register: start)
    checksum.add(bytes.extracting(0..<end))
    return checksum.register == bytes.little(at: end + 8)
  }

  /// Whether the checksum of a block of an extent tree holds, from the register of its inode.
  package static func isRight(
    extents bytes: Span<UInt8>, _ header: Ext4ExtentHeader, from start: UInt32
  ) -> Bool {
    let end = 12 + header.limit * 12
    guard end + 4 <= bytes.count else { return false }
    var checksum = CRC32C(register: start)
    checksum.add(bytes.extracting(0..<end))
    return checksum.register == bytes.little(at: end)
  }

  /// Whether the checksum of a block of extended attributes matches a block's number.
  package static func isRight(
    attributes bytes: Span<UInt8>, block: UInt64, seed: UInt32
  ) -> Bool {
    guard bytes.count >= 1024 else { return false }
    var checksum = CRC32C(register: seed)
    checksum.add(UInt32(truncatingIfNeeded: block))
    checksum.add(UInt32(truncatingIfNeeded: block >> 32))
    checksum.add(bytes.extracting(0..<0x10))
    checksum.addZeroes(4)
    checksum.add(bytes.extracting(0x14..<bytes.count))
    return checksum.register == bytes.little(at: 0x10)
  }
}
