/// The inode of a btrfs.
///
/// Shape, little-endian, 160 bytes: generation and transaction (u64), size, bytes used, block group
/// (u64), link count, owner, group, mode (u32), device, flags, sequence (u64), four reserved (u64),
/// and four times of seconds (i64) and nanoseconds (u32): accessed, changed, modified, created.
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_inode_item`.
package struct BtrfsInodeItem: Equatable, Sendable {
  /// A moment.
  package struct Time: Equatable, Sendable {
    /// Seconds since 1970.
    package let seconds: Int64
    /// Nanoseconds after that, whatever the disk has.
    package let nanoseconds: UInt32
  }

  /// The number of bytes.
  package static let byteCount = 160
  private static let hasNoDataChecksums: UInt64 = 1

  /// The length of the file.
  package let byteCount: UInt64
  /// The number of names.
  package let linkCount: UInt32
  /// Its owner.
  package let owner: UInt32
  /// The group that owns it.
  package let group: UInt32
  /// Its mode: kind and permissions.
  package let mode: UInt32
  /// The device, as Linux has it in memory: the minor number in 20 bits, the major above.
  package let device: UInt64
  /// Its flags.
  package let flags: UInt64
  /// When it was last read.
  package let accessed: Time
  /// When the inode was last changed.
  package let changed: Time
  /// When its content was last changed.
  package let modified: Time
  /// When it was made.
  package let created: Time

  /// Decodes an inode; nil if there are too few bytes.
  package init?(decoding bytes: Span<UInt8>) {
    guard bytes.count >= Self.byteCount else { return nil }
    func time(_ bytes: Span<UInt8>, at place: Int) -> Time {
      Time(
        seconds: Int64(bitPattern: bytes.little(at: place)),
        nanoseconds: bytes.little(at: place + 8))
    }
    byteCount = bytes.little(at: 16)
    linkCount = bytes.little(at: 40)
    owner = bytes.little(at: 44)
    group = bytes.little(at: 48)
    mode = bytes.little(at: 52)
    device = bytes.little(at: 56)
    flags = bytes.little(at: 64)
    accessed = time(bytes, at: 112)
    changed = time(bytes, at: 124)
    modified = time(bytes, at: 136)
    created = time(bytes, at: 148)
  }

  /// Whether its data has no checksums.
  package var isWithoutDataChecksums: Bool { flags & Self.hasNoDataChecksums != 0 }
}
