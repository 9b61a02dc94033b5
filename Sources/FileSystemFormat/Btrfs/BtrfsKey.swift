/// The key of an item: nodes are sorted by it.
///
/// Shape, little-endian: object (u64), type (u8), offset (u64).
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_disk_key`.
package struct BtrfsKey: Comparable, Hashable, Sendable {
  /// How many bytes it has on the disk.
  package static let byteCount = 17

  /// The number of what it is about.
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

  package static func < (left: BtrfsKey, right: BtrfsKey) -> Bool {
    (left.object, left.type, left.offset) < (right.object, right.type, right.offset)
  }

  // MARK: - Types of items

  /// The root of a tree.
  package static let rootItem: UInt8 = 132
  /// Checksums of data.
  package static let dataChecksums: UInt8 = 128
  /// A chunk.
  package static let chunkItem: UInt8 = 228
}
