/// An entry of the extended attributes of an inode.
///
/// - Source: Linux `Documentation/filesystems/ext4/attributes.rst`; `fs/ext4/xattr.h`,
///   `struct ext4_xattr_entry`.
package struct Ext4Attribute: Equatable, Sendable {
  /// The namespace of its name.
  package let namespace: UInt8
  /// Its name, without the namespace.
  package let name: [UInt8]
  /// The place of its value among the bytes that offsets count.
  package let value: Range<Int>
  /// The inode that holds its value, with the feature ea_inode; 0 for none.
  package let valueInode: UInt32

  /// The magic of extended attributes, at the beginning of a block and after the fields of an
  /// inode.
  package static let magic: UInt32 = 0xea02_0000

  /// Where the entries of a block begin.
  package static let blockHeaderByteCount = 32

  /// The longest value that Linux reads from an inode of its own.
  private static let byteCountMax = 1 << 24

  /// Decodes entries up to their end.
  ///
  /// - Parameters:
  ///   - bytes: What offsets of values are counted in.
  ///   - start: Where the entries begin in it.
  /// - Returns: What is whole, and whether that is all.
  package static func entries(
    in bytes: Span<UInt8>, from start: Int
  ) -> (entries: [Ext4Attribute], isComplete: Bool) {
    var (entries, position, isComplete) = ([Ext4Attribute](), start, true)
    while position + 4 <= bytes.count, bytes.little(at: position, as: UInt32.self) != 0 {
      let nameStart = position + 16
      guard nameStart <= bytes.count else { return (entries, false) }
      let nameEnd = nameStart + Int(bytes[position])
      guard nameEnd <= bytes.count else { return (entries, false) }
      let offset = Int(bytes.little(at: position + 2, as: UInt16.self))
      let inode: UInt32 = bytes.little(at: position + 4)
      let count = Int(bytes.little(at: position + 8, as: UInt32.self))
      if count <= byteCountMax, inode != 0 || offset + count <= bytes.count {
        entries.append(
          Ext4Attribute(
            namespace: bytes[position + 1], name: (nameStart..<nameEnd).map { bytes[$0] },
            value: inode != 0 ? 0..<count : offset..<offset + count, valueInode: inode))
      } else {
        isComplete = false
      }
      position = (nameEnd + 3) & ~3
    }
    return (entries, isComplete)
  }

  /// Whether it is content of the file, in the inode: `system.data`.
  package var isInlineData: Bool { namespace == 7 && name == Array("data".utf8) }

  /// Whether it is an access control list, which has a form of its own on the disk.
  package var isAccessControlList: Bool { namespace == 2 || namespace == 3 }

  /// Its name as Linux has it; nil if Linux never shows it.
  package var fullName: [UInt8]? {
    switch namespace {
    case 1: Array("user.".utf8) + name
    case 2: Array("system.posix_acl_access".utf8)
    case 3: Array("system.posix_acl_default".utf8)
    case 4: Array("trusted.".utf8) + name
    case 6: Array("security.".utf8) + name
    case 7 where !isInlineData: Array("system.".utf8) + name
    case 8: Array("system.richacl".utf8) + name
    case 10: Array("gnu.".utf8) + name
    default: nil
    }
  }

  /// An access control list in the form in which Linux gives it; nil for bytes that are none.
  ///
  /// - Source: Linux `fs/ext4/acl.c`, `ext4_acl_from_disk`;
  ///   `include/uapi/linux/posix_acl_xattr.h`.
  package static func accessControlList(_ bytes: Span<UInt8>) -> [UInt8]? {
    guard bytes.count >= 4, bytes.little(at: 0, as: UInt32.self) == 1 else { return nil }
    var result: [UInt8] = [2, 0, 0, 0]
    var position = 4
    while position < bytes.count {
      guard position + 4 <= bytes.count else { return nil }
      let tag: UInt16 = bytes.little(at: position)
      // Only a named user and a named group have a number.
      let hasNumber = tag == 2 || tag == 8
      let end = position + (hasNumber ? 8 : 4)
      guard end <= bytes.count, [1, 2, 4, 8, 16, 32].contains(tag) else { return nil }
      for index in position..<end { result.append(bytes[index]) }
      if !hasNumber { result += [255, 255, 255, 255] }
      position = end
    }
    return result
  }
}
