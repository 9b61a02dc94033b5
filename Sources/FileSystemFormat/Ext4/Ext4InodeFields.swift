/// The fields of an inode other than the places of its blocks.
///
/// - Source: Linux `Documentation/filesystems/ext4/inodes.rst`; `fs/ext4/ext4.h`,
///   `struct ext4_inode`, `ext4_decode_extra_time`; `include/linux/kdev_t.h`.
package struct Ext4InodeFields: Sendable {
  /// The kind of file, and its permissions.
  package let mode: UInt16
  /// Its owner.
  package let owner: UInt32
  /// The group that owns it.
  package let group: UInt32
  /// The number of names.
  package let linkCount: UInt16
  /// The lower and the upper half of its length; the upper is something else for directories of
  /// older file systems.
  package let byteCount: (low: UInt32, high: UInt32)
  /// When it was deleted, in seconds since 1970, or the next inode in the list of orphans.
  package let deletionTime: UInt32
  /// Its flags.
  package let flags: Flags
  /// The generation of the inode's use.
  package let generation: UInt32
  /// The block with extended attributes; 0 for none.
  package let attributeBlock: UInt64
  /// The number of bytes beyond the first 128 that are fields; 0 if the number is impossible.
  package let extraByteCount: Int

  /// The special properties of an inode.
  package struct Flags: OptionSet, Sendable {
    /// The bits, as on the disk.
    package let rawValue: UInt32

    /// The flags of those bits.
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Blocks of it are compressed, by patches that Linux never had.
    package static let hasCompressedBlocks = Flags(rawValue: 0x200)
    /// Its content, or the names in it, are encrypted.
    package static let isEncrypted = Flags(rawValue: 0x800)
    /// It is a directory with a tree of hashes.
    package static let hasHashTree = Flags(rawValue: 0x1000)
    /// Its blocks are found through a tree of extents.
    package static let hasExtents = Flags(rawValue: 0x8_0000)
    /// It holds the value of an extended attribute.
    package static let isAttributeValue = Flags(rawValue: 0x20_0000)
    /// Its content is in the inode itself.
    package static let hasInlineData = Flags(rawValue: 0x1000_0000)
  }

  /// Decodes an inode of 128 bytes or more.
  package init(decoding bytes: Span<UInt8>) {
    func joined(_ low: Int, _ high: Int) -> UInt32 {
      UInt32(bytes.little(at: low, as: UInt16.self))
        | UInt32(bytes.little(at: high, as: UInt16.self)) << 16
    }
    mode = bytes.little(at: 0)
    owner = joined(0x02, 0x78)
    group = joined(0x18, 0x7a)
    linkCount = bytes.little(at: 0x1a)
    byteCount = (bytes.little(at: 0x04), bytes.little(at: 0x6c))
    deletionTime = bytes.little(at: 0x14)
    flags = Flags(rawValue: bytes.little(at: 0x20))
    generation = bytes.little(at: 0x64)
    attributeBlock =
      UInt64(bytes.little(at: 0x68, as: UInt32.self))
      | UInt64(bytes.little(at: 0x76, as: UInt16.self)) << 32
    let extra = bytes.count > 0x80 ? Int(bytes.little(at: 0x80, as: UInt16.self)) : 0
    extraByteCount = extra % 4 == 0 && 0x80 + extra <= bytes.count ? extra : 0
  }

  /// A moment that an inode has.
  package enum Moment: Sendable {
    case accessed, changed, modified, created

    fileprivate var fields: (base: Int, extra: Int) {
      switch self {
      case .accessed: (0x08, 0x8c)
      case .changed: (0x0c, 0x84)
      case .modified: (0x10, 0x88)
      case .created: (0x90, 0x94)
      }
    }
  }

  /// A moment of an inode: seconds since 1970, and nanoseconds; nil if it has no room for it.
  package func time(
    _ moment: Moment, of bytes: Span<UInt8>
  ) -> (seconds: Int64, nanoseconds: UInt32)? {
    let (base, extra) = moment.fields
    let end = 0x80 + extraByteCount
    if moment == .created, base + 4 > end { return nil }
    let seconds = Int64(Int32(bitPattern: bytes.little(at: base)))
    guard extra + 4 <= end else { return (seconds, 0) }
    let more: UInt32 = bytes.little(at: extra)
    // Two bits go on where the seconds end, in 2038; the rest are nanoseconds.
    return (seconds + Int64(more & 3) << 32, min(more >> 2, 999_999_999))
  }

  /// The numbers of a device, of the inode of one.
  package static func device(_ bytes: Span<UInt8>) -> (major: UInt32, minor: UInt32) {
    let old: UInt32 = bytes.little(at: 0x28)
    if old != 0 { return (old >> 8 & 0xff, old & 0xff) }
    let new: UInt32 = bytes.little(at: 0x2c)
    return (new >> 8 & 0xfff, new & 0xff | new >> 12 & 0xf_ff00)
  }
}
