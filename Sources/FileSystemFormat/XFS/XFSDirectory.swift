/// A name in a directory of XFS.
package struct XFSDirectoryName: Equatable, Sendable {
  /// The name, as it is on the disk.
  package let name: [UInt8]
  /// The inode that it names.
  package let inode: UInt64
  /// The kind of file, one of `XFS_DIR3_FT_`; nil if the directory does not state it.
  package let fileType: UInt8?
  /// Whether it was removed, and only its bytes are left.
  package let isDeleted: Bool

  /// The type in a POSIX mode that it stands for; zero if unknown.
  package var mode: UInt16 {
    switch fileType {
    case 1: 0x8000
    case 2: 0x4000
    case 3: 0x2000
    case 4: 0x6000
    case 5: 0x1000
    case 6: 0xc000
    case 7: 0xa000
    default: 0
    }
  }
}

/// The blocks of a directory that have its names, and the form of one that fits into its inode.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_da_format.h`, `struct xfs_dir2_data_hdr`,
///   `xfs_dir3_data_hdr`, `xfs_dir2_data_entry`, `xfs_dir2_data_unused`, `xfs_dir2_block_tail`,
///   `xfs_dir2_sf_hdr`, `xfs_dir2_sf_entry`.
package enum XFSDirectory {
  /// The start of the blocks of a directory that only have hashes.
  package static let leafStart: UInt64 = 1 << 35

  /// The kind of a block of version 4, by its beginning; nil if it has no names.
  package static func oldKind(_ bytes: Span<UInt8>) -> XFSBlock.Kind? {
    switch bytes.big(at: 0, as: UInt32.self) {
    case 0x5844_3242: .directory  // XD2B
    case 0x5844_3244: .directoryData  // XD2D
    default: nil
    }
  }

  /// Calls `body` with each name in a block, `.` and `..` included, until it returns false.
  ///
  /// Removed names are recognised by their remains: the end of each entry has its place in the
  /// block. The upper half of their inode's number is overwritten, and taken from the directory's.
  ///
  /// - Parameters:
  ///   - kind: What the block is, `directory` or `directoryData`.
  ///   - own: The inode of the directory.
  /// - Returns: Where the block is first not as it must be, nil if it is; false if `body` ended it.
  package static func forEachName<Failure: Error>(
    in bytes: Span<UInt8>, kind: XFSBlock.Kind, of own: UInt64, hasChecksums: Bool,
    hasFileTypes: Bool, _ body: (XFSDirectoryName) throws(Failure) -> Bool
  ) throws(Failure) -> (problem: Int?, goesOn: Bool) {
    var (end, problem) = (bytes.count, Int?.none)
    if kind == .directory {
      let count = Int(bytes.big(at: end - 8, as: UInt32.self))
      let header = hasChecksums ? 64 : 16
      if count <= (end - 8 - header) / 8 { end -= 8 + count * 8 } else { problem = end - 8 }
    }
    var position = hasChecksums ? 64 : 16
    while position + 8 <= end {
      if bytes.big(at: position, as: UInt16.self) == 0xffff {
        let length = Int(bytes.big(at: position + 2, as: UInt16.self))
        guard length >= 8, length % 8 == 0, length <= end - position,
          Int(bytes.big(at: position + length - 2, as: UInt16.self)) == position & 0xffff
        else {
          problem = problem ?? position
          position += 8
          continue
        }
        for start in stride(from: position, to: position + length, by: 8) {
          guard
            let (name, _) = entry(
              in: bytes, at: start, end: position + length, own, hasFileTypes, isDeleted: true)
          else { continue }
          if try !body(name) { return (problem, false) }
        }
        position += length
        continue
      }
      guard
        let (name, length) = entry(
          in: bytes, at: position, end: end, own, hasFileTypes, isDeleted: false)
      else {
        // After damage the next entry is found by its place, which it has at its end.
        problem = problem ?? position
        position += 8
        continue
      }
      if try !body(name) { return (problem, false) }
      position += length
    }
    return (problem, true)
  }

  private static func entry(
    in bytes: Span<UInt8>, at start: Int, end: Int, _ own: UInt64, _ hasFileTypes: Bool,
    isDeleted: Bool
  ) -> (XFSDirectoryName, Int)? {
    guard start + 16 <= end else { return nil }
    let count = Int(bytes[start + 8])
    let length = (9 + count + (hasFileTypes ? 1 : 0) + 2 + 7) / 8 * 8
    guard count > 0, length <= end - start,
      Int(bytes.big(at: start + length - 2, as: UInt16.self)) == start & 0xffff
    else { return nil }
    var inode: UInt64 = bytes.big(at: start)
    if isDeleted, inode >> 48 == 0xffff { inode = inode & 0xffff_ffff | (own & ~0xffff_ffff) }
    if isDeleted, inode == 0 { return nil }
    let type = hasFileTypes ? bytes[start + 9 + count] : nil
    let name = XFSDirectoryName(
      name: bytes.array(start + 9..<start + 9 + count), inode: inode, fileType: type,
      isDeleted: isDeleted)
    return (name, length)
  }

  /// Calls `body` with each name of a directory that fits into its inode, until it returns false.
  ///
  /// - Parameter bytes: The data of the inode, as long as the directory's inode says.
  /// - Returns: Whether all of it is as it must be.
  package static func forEachName<Failure: Error>(
    short bytes: Span<UInt8>, hasFileTypes: Bool,
    _ body: (XFSDirectoryName) throws(Failure) -> Bool
  ) throws(Failure) -> Bool {
    guard bytes.count >= 6 else { return false }
    let (count, isLong) = (Int(bytes[0]), bytes[1] != 0)
    let numberByteCount = isLong ? 8 : 4
    var position = 2 + numberByteCount
    for _ in 0..<max(count, Int(bytes[1])) {
      guard position + 3 <= bytes.count else { return false }
      let length = Int(bytes[position])
      let nameEnd = position + 3 + length
      let numberStart = nameEnd + (hasFileTypes ? 1 : 0)
      guard length > 0, numberStart + numberByteCount <= bytes.count else { return false }
      let name = XFSDirectoryName(
        name: bytes.array(position + 3..<nameEnd),
        inode: isLong
          ? bytes.big(at: numberStart) : UInt64(bytes.big(at: numberStart, as: UInt32.self)),
        fileType: hasFileTypes ? bytes[nameEnd] : nil, isDeleted: false)
      if try !body(name) { return true }
      position = numberStart + numberByteCount
    }
    return true
  }
}
