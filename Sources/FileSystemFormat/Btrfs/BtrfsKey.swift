/// The key of an item: nodes are sorted by it.
///
/// Shape, little-endian: object (u64), type (u8), offset (u64).
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_disk_key`.
package struct BtrfsKey: Comparable, Hashable, Sendable {
  /// The number of bytes on the disk.
  package static let byteCount = 17

  /// The number of its object.
  package let object: UInt64
  /// The kind of its item.
  package let type: UInt8
  /// A third number, whose meaning depends on the kind.
  package let offset: UInt64

  /// A key of those numbers.
  package init(object: UInt64, type: UInt8, offset: UInt64) {
    (self.object, self.type, self.offset) = (object, type, offset)
  }

  /// Decodes the key at a byte; the caller has checked that it is within the span.
  init(decoding bytes: Span<UInt8>, at place: Int) {
    object = bytes.little(at: place)
    type = bytes[place + 8]
    offset = bytes.little(at: place + 9)
  }

  /// It as on the disk.
  var encoded: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Self.byteCount)
    bytes.put(little: object, at: 0)
    bytes[8] = type
    bytes.put(little: offset, at: 9)
    return bytes
  }

  package static func < (left: BtrfsKey, right: BtrfsKey) -> Bool {
    (left.object, left.type, left.offset) < (right.object, right.type, right.offset)
  }

  // MARK: - Types of items

  /// An inode.
  package static let inodeItem: UInt8 = 1
  /// Names of an inode in one directory.
  package static let inodeReference: UInt8 = 12
  /// Names of an inode, if they are too many.
  package static let inodeExtendedReference: UInt8 = 13
  /// Extended attributes whose names have one hash.
  package static let attribute: UInt8 = 24
  /// Names in a directory that have one hash.
  package static let directoryItem: UInt8 = 84
  /// A name in a directory, by its number.
  package static let directoryIndex: UInt8 = 96
  /// In a log: for which numbers of a directory the log has all names.
  package static let directoryLogIndex: UInt8 = 72
  /// Where bytes of a file are.
  package static let fileExtent: UInt8 = 108
  /// An extent that is in use.
  package static let extentItem: UInt8 = 168
  /// A node that is in use.
  package static let metadataItem: UInt8 = 169
  /// A subvolume within another.
  package static let rootReference: UInt8 = 156
  /// The root of a tree.
  package static let rootItem: UInt8 = 132
  /// Checksums of data.
  package static let dataChecksums: UInt8 = 128
  /// A chunk.
  package static let chunkItem: UInt8 = 228
}
