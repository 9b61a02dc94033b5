/// A moment as an inode of XFS has it.
package struct XFSTime: Equatable, Sendable {
  /// Seconds since 1970, UTC.
  package let seconds: Int64
  /// Nanoseconds after that, less than a billion.
  package let nanoseconds: UInt32

  /// Reads eight bytes; the caller has checked that they are within the span.
  ///
  /// - Parameter isLarge: Whether they are nanoseconds since 1901 (`bigtime`).
  /// - Source: Linux `fs/xfs/libxfs/xfs_format.h`, `xfs_timestamp_t`.
  init(_ bytes: Span<UInt8>, at byteOffset: Int, isLarge: Bool) {
    if isLarge {
      let value: UInt64 = bytes.big(at: byteOffset)
      seconds = Int64(value / 1_000_000_000) - (1 << 31)
      nanoseconds = UInt32(value % 1_000_000_000)
    } else {
      seconds = Int64(Int32(bitPattern: bytes.big(at: byteOffset)))
      nanoseconds = min(bytes.big(at: byteOffset + 4), 999_999_999)
    }
  }
}

/// The data or the attributes of an inode: how they are found.
package struct XFSFork: Equatable, Sendable {
  /// The way to find them.
  package enum Format: UInt8, Sendable {
    /// A number of a device, the bytes themselves, extents, the root of a tree of extents.
    case device, local, extents, btree
  }

  /// How.
  package let format: Format
  /// The number of extents.
  package let extentCount: UInt64
  /// Its place in the inode.
  package let bytes: Range<Int>
}

/// An inode: its kind, its owner, its length, and the places of its blocks.
///
/// Of version 1, 2 (version 4 of the file system) or 3 (version 5).
///
/// - Source: Linux `fs/xfs/libxfs/xfs_format.h`, `struct xfs_dinode`.
package struct XFSInode: Equatable, Sendable {
  /// Type and permissions, as in POSIX; zero if it is free.
  package let mode: UInt16
  /// Its owner.
  package let owner: UInt32
  /// The group that owns it.
  package let group: UInt32
  /// The number of names.
  package let linkCount: UInt32
  /// Its length in bytes.
  package let byteCount: UInt64
  /// When it was last read.
  package let accessed: XFSTime
  /// When its content was last changed.
  package let modified: XFSTime
  /// When it was last changed.
  package let changed: XFSTime
  /// When it was made; nil before version 3.
  package let created: XFSTime?
  /// Whether its content is on the real-time device.
  package let isRealTime: Bool
  /// Whether it may share blocks with other files: it was cloned, or is a clone.
  package let mayShareBlocks: Bool
  /// Its content.
  package let data: XFSFork
  /// Its extended attributes; nil if it has none.
  package let attributes: XFSFork?
  /// Where the data begins.
  package let literalStart: Int
  /// The major number of a device.
  package let majorDevice: UInt32
  /// The minor number of a device.
  package let minorDevice: UInt32

  /// Decodes an inode; nil if it is none, or its parts do not fit into it.
  ///
  /// Checksum, number and UUID are ``XFSBlock``'s to check.
  ///
  /// - Parameter version: That of the file system, 4 or 5.
  package init?(_ bytes: Span<UInt8>, version: Int) {
    guard bytes.count >= 256, bytes.big(at: 0, as: UInt16.self) == XFSMagic.inode else {
      return nil
    }
    let own = bytes[4]
    guard version == 5 ? own == 3 : own == 1 || own == 2 else { return nil }
    mode = bytes.big(at: 2)
    owner = bytes.big(at: 8)
    group = bytes.big(at: 12)
    linkCount = own == 1 ? UInt32(bytes.big(at: 6, as: UInt16.self)) : bytes.big(at: 16)
    byteCount = bytes.big(at: 56)
    let more: UInt64 = own == 3 ? bytes.big(at: 120) : 0
    let isLarge = more & 8 != 0
    accessed = XFSTime(bytes, at: 32, isLarge: isLarge)
    modified = XFSTime(bytes, at: 40, isLarge: isLarge)
    changed = XFSTime(bytes, at: 48, isLarge: isLarge)
    created = own == 3 ? XFSTime(bytes, at: 144, isLarge: isLarge) : nil
    isRealTime = mode & 0xf000 == 0x8000 && bytes.big(at: 90, as: UInt16.self) & 1 != 0
    mayShareBlocks = more & 2 != 0
    literalStart = own == 3 ? 176 : 100
    let hasLargeCounts = more & 0x10 != 0
    let attributeStart = bytes[82] == 0 ? bytes.count : literalStart + Int(bytes[82]) * 8
    guard byteCount < 1 << 63, attributeStart <= bytes.count,
      let format = XFSFork.Format(rawValue: mode == 0 ? 2 : bytes[5])
    else { return nil }
    data = XFSFork(
      format: format,
      extentCount: hasLargeCounts
        ? bytes.big(at: 24) : UInt64(bytes.big(at: 76, as: UInt32.self)),
      bytes: literalStart..<attributeStart)
    if attributeStart < bytes.count {
      guard let format = XFSFork.Format(rawValue: bytes[83]), format != .device else {
        return nil
      }
      attributes = XFSFork(
        format: format,
        extentCount: hasLargeCounts
          ? UInt64(bytes.big(at: 76, as: UInt32.self))
          : UInt64(bytes.big(at: 80, as: UInt16.self)),
        bytes: attributeStart..<bytes.count)
    } else {
      attributes = nil
    }
    let device: UInt32 = format == .device ? bytes.big(at: literalStart) : 0
    (majorDevice, minorDevice) = (device >> 18, device & 0x3_ffff)
  }
}
