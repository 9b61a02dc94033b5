/// An extended attribute of XFS, or where its value is.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_da_format.h`, `struct xfs_attr_sf_hdr`,
///   `xfs_attr_sf_entry`, `xfs_attr_leafblock`, `xfs_attr3_leafblock`,
///   `xfs_attr_leaf_name_local`, `xfs_attr_leaf_name_remote`.
package struct XFSAttribute: Equatable, Sendable {
  /// The place of its value.
  package enum Value: Equatable, Sendable {
    case here([UInt8])
    /// In the fork, from that block on, and that many bytes.
    case blocks(UInt64, byteCount: Int)
  }

  /// The longest value.
  package static let byteCountMax = 65536

  /// Its name, without a namespace.
  package let name: [UInt8]
  /// The namespace, and the other `XFS_ATTR_` flags.
  package let flags: UInt8
  /// Its value.
  package let value: Value

  /// Whether programs see it: it is complete, and no parent pointer.
  package var isVisible: Bool { flags & 0x88 == 0 }

  /// The namespace, with its dot.
  package var prefix: String {
    flags & 2 != 0 ? "trusted." : flags & 4 != 0 ? "security." : "user."
  }

  /// Reads the attributes that fit into an inode.
  ///
  /// - Returns: What is whole of them, and whether that is all.
  package static func short(_ bytes: Span<UInt8>) -> ([XFSAttribute], isComplete: Bool) {
    var found: [XFSAttribute] = []
    guard bytes.count >= 4 else { return ([], false) }
    let end = Int(bytes.big(at: 0, as: UInt16.self))
    guard end >= 4, end <= bytes.count else { return ([], false) }
    var position = 4
    for _ in 0..<bytes[2] {
      guard position + 3 <= end else { return (found, false) }
      let (nameCount, valueCount) = (Int(bytes[position]), Int(bytes[position + 1]))
      let nameEnd = position + 3 + nameCount
      guard nameCount > 0, nameEnd + valueCount <= end else { return (found, false) }
      found.append(
        XFSAttribute(
          name: bytes.array(position + 3..<nameEnd), flags: bytes[position + 2],
          value: .here(bytes.array(nameEnd..<nameEnd + valueCount))))
      position = nameEnd + valueCount
    }
    return (found, true)
  }

  /// Reads the attributes of a leaf.
  ///
  /// - Returns: What is whole of them, and whether that is all.
  package static func leaf(
    _ bytes: Span<UInt8>, hasChecksums: Bool
  ) -> ([XFSAttribute], isComplete: Bool) {
    let (header, countOffset) = hasChecksums ? (80, 56) : (32, 12)
    guard bytes.count >= 512 else { return ([], false) }
    let count = Int(bytes.big(at: countOffset, as: UInt16.self))
    guard count <= (bytes.count - header) / 8 else { return ([], false) }
    var (found, isComplete) = ([XFSAttribute](), true)
    // Names and values may not overlap: no block gives more bytes than it has.
    var room = bytes.count
    for index in 0..<count {
      let entry = header + index * 8
      let start = Int(bytes.big(at: entry + 4, as: UInt16.self))
      guard let attribute = nameValue(bytes, at: start, flags: bytes[entry + 6]) else {
        isComplete = false
        continue
      }
      room -= attribute.storedByteCount
      guard room >= 0 else { return (found, false) }
      found.append(attribute)
    }
    return (found, isComplete)
  }

  private static func nameValue(
    _ bytes: Span<UInt8>, at start: Int, flags: UInt8
  ) -> XFSAttribute? {
    guard start + 9 <= bytes.count || flags & 1 != 0 && start + 3 <= bytes.count else {
      return nil
    }
    if flags & 1 != 0 {
      let valueCount = Int(bytes.big(at: start, as: UInt16.self))
      let nameEnd = start + 3 + Int(bytes[start + 2])
      guard nameEnd + valueCount <= bytes.count else { return nil }
      return XFSAttribute(
        name: bytes.array(start + 3..<nameEnd), flags: flags,
        value: .here(bytes.array(nameEnd..<nameEnd + valueCount)))
    }
    let nameEnd = start + 9 + Int(bytes[start + 8])
    let valueCount = Int(bytes.big(at: start + 4, as: UInt32.self))
    guard nameEnd <= bytes.count, valueCount <= byteCountMax else { return nil }
    return XFSAttribute(
      name: bytes.array(start + 9..<nameEnd), flags: flags,
      value: .blocks(UInt64(bytes.big(at: start, as: UInt32.self)), byteCount: valueCount))
  }

  private var storedByteCount: Int {
    if case .here(let bytes) = value { name.count + bytes.count } else { name.count }
  }

  /// The kind of a block in a fork of attributes, by its beginning; nil if it is neither.
  package static func kind(_ bytes: Span<UInt8>) -> XFSBlock.Kind? {
    switch bytes.big(at: 8, as: UInt16.self) {
    case 0xfbee, 0x3bee: .attributeLeaf
    case 0xfebe, 0x3ebe: .node
    default: nil
    }
  }

  /// The blocks that a node leads to, and its level; nil if it cannot hold its stated number of
  /// entries.
  package static func children(
    ofNode bytes: Span<UInt8>, hasChecksums: Bool
  ) -> (level: Int, blocks: [UInt64])? {
    let (header, countOffset) = hasChecksums ? (64, 56) : (16, 12)
    guard bytes.count >= 512 else { return nil }
    let count = Int(bytes.big(at: countOffset, as: UInt16.self))
    guard count <= (bytes.count - header) / 8 else { return nil }
    return (
      Int(bytes.big(at: countOffset + 2, as: UInt16.self)),
      (0..<count).map { UInt64(bytes.big(at: header + $0 * 8 + 4, as: UInt32.self)) }
    )
  }

  /// An access control list in the form of `getxattr`; nil if it is none.
  ///
  /// - Parameter value: The value of `SGI_ACL_FILE` or `SGI_ACL_DEFAULT`.
  /// - Source: Linux `fs/xfs/libxfs/xfs_format.h`, `struct xfs_acl`;
  ///   `include/uapi/linux/posix_acl_xattr.h`.
  package static func accessControlList(_ value: [UInt8]) -> [UInt8]? {
    let bytes = value.span
    guard bytes.count >= 4 else { return nil }
    let count = Int(bytes.big(at: 0, as: UInt32.self))
    guard count <= (bytes.count - 4) / 12 else { return nil }
    var list: [UInt8] = [2, 0, 0, 0]
    for index in 0..<count {
      let start = 4 + index * 12
      let tag: UInt32 = bytes.big(at: start)
      let permissions: UInt16 = bytes.big(at: start + 8)
      // Only named users and groups have a number.
      let number: UInt32 = tag == 2 || tag == 8 ? bytes.big(at: start + 4) : .max
      for shift in [0, 8] { list.append(UInt8(truncatingIfNeeded: tag >> UInt32(shift))) }
      for shift in [0, 8] { list.append(UInt8(truncatingIfNeeded: permissions >> UInt16(shift))) }
      for shift in [0, 8, 16, 24] {
        list.append(UInt8(truncatingIfNeeded: number >> UInt32(shift)))
      }
    }
    return list
  }
}

/// The header of a block with a value of an attribute, or with the target of a symbolic link, in
/// version 5.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_da_format.h`, `struct xfs_attr3_rmt_hdr`; `xfs_format.h`,
///   `struct xfs_dsymlink_hdr`.
package struct XFSRemoteHeader: Equatable, Sendable {
  /// Its size.
  package static let byteCount = 56

  /// The start of its bytes.
  package let start: UInt32
  /// The number of bytes.
  package let count: UInt32

  /// Reads a header; the caller has checked that it is within the span.
  package init(_ bytes: Span<UInt8>) {
    start = bytes.big(at: 4)
    count = bytes.big(at: 8)
  }
}
