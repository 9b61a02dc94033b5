/// A pointer to a node: in its parent, an item of a root, or the superblock.
package struct BtrfsPointer: Hashable, Sendable {
  /// The logical address of the node.
  package let address: UInt64
  /// The transaction that wrote it.
  package let generation: UInt64
  /// Its height above the leaves.
  package let level: UInt8
  /// Its first key, if that is known.
  package var firstKey: BtrfsKey?

  /// A pointer to a node; the first key is nil where it is not known.
  package init(address: UInt64, generation: UInt64, level: UInt8, firstKey: BtrfsKey? = nil) {
    (self.address, self.generation) = (address, generation)
    (self.level, self.firstKey) = (level, firstKey)
  }
}

/// The beginning of a node, which identifies it.
///
/// Shape, little-endian: checksum of the bytes after its 32 bytes, UUID of the file system, logical
/// address (u64), flags (u64), UUID of the tree of chunks, generation (u64), owner (u64), number of
/// items (u32), level (u8).
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_header`.
package struct BtrfsNodeHeader: Equatable, Sendable {
  /// The number of bytes.
  package static let byteCount = 101
  /// The start of the bytes that the checksum covers.
  package static let checkedByteOffset = 32
  /// The highest level of a node.
  package static let levelMax: UInt8 = 7

  /// The checksum of all that follows it in the node.
  package let checksum: UInt32
  /// The UUID of the file system.
  package let uuid: BtrfsUUID
  /// Its own logical address.
  package let address: UInt64
  /// The transaction that wrote it.
  package let generation: UInt64
  /// The tree that it was written for.
  package let owner: UInt64
  /// The number of items or pointers.
  package let itemCount: Int
  /// Its level: 0 for a leaf.
  package let level: UInt8

  /// Decodes a header; nil if there are too few bytes, or its level is impossible.
  package init?(decoding bytes: Span<UInt8>) {
    guard bytes.count >= Self.byteCount, bytes[0x64] <= Self.levelMax else { return nil }
    checksum = bytes.little(at: 0)
    uuid = BtrfsUUID(decoding: bytes, at: 0x20)
    address = bytes.little(at: 0x30)
    generation = bytes.little(at: 0x50)
    owner = bytes.little(at: 0x58)
    itemCount = Int(bytes.little(at: 0x60, as: UInt32.self))
    level = bytes[0x64]
  }

  /// That of a leaf that is nowhere on the disk.
  fileprivate init(ofLeafWithItems count: Int) {
    (checksum, generation, owner, itemCount, level) = (0, 0, 0, count, 0)
    address = .max
    uuid = BtrfsUUID(decoding: [UInt8](repeating: 0, count: 16).span, at: 0)
  }

  /// Whether it is the node that a pointer names.
  package func fits(_ pointer: BtrfsPointer) -> Bool {
    address == pointer.address && generation == pointer.generation && level == pointer.level
  }
}

/// A node whose checksum is right, and whose items are where they may be.
///
/// A leaf has an array of keys, each with the offset (u32, from the end of the header) and the size
/// (u32) of its item; the items go down from the end of the leaf. Any other node has an array of
/// keys, each with the address (u64) and the generation (u64) of a node.
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_item`, `struct btrfs_key_ptr`.
package struct BtrfsNode: Equatable, Sendable {
  private static let itemByteCount = BtrfsKey.byteCount + 8
  private static let pointerByteCount = BtrfsKey.byteCount + 16

  /// Its header.
  package let header: BtrfsNodeHeader
  /// All of its bytes.
  package let bytes: [UInt8]

  /// Checks the bytes of a node, all of them; nil if it is none.
  package init?(checking bytes: [UInt8], by checksum: BtrfsChecksum = .crc32c) {
    guard let header = BtrfsNodeHeader(decoding: bytes.span) else { return nil }
    let checked = bytes.span.extracting(BtrfsNodeHeader.checkedByteOffset..<bytes.count)
    guard checksum.isRight(bytes.span, for: checked) else { return nil }
    (self.header, self.bytes) = (header, bytes)
    guard isOrdered else { return nil }
  }

  /// A leaf of one item, which is nowhere on the disk.
  package init(_ key: BtrfsKey, _ item: [UInt8]) {
    var bytes = [UInt8](repeating: 0, count: BtrfsNodeHeader.byteCount) + key.encoded
    let record = bytes.count
    bytes += [UInt8](repeating: 0, count: 8) + item
    bytes.put(little: UInt32(Self.itemByteCount), at: record)
    bytes.put(little: UInt32(item.count), at: record + 4)
    header = BtrfsNodeHeader(ofLeafWithItems: 1)
    self.bytes = bytes
  }

  /// Whether the keys ascend, and all items are within the node, each directly before the last.
  private var isOrdered: Bool {
    let recordByteCount = header.level == 0 ? Self.itemByteCount : Self.pointerByteCount
    let arrayEnd = bytes.count - BtrfsNodeHeader.byteCount
    guard header.itemCount <= arrayEnd / recordByteCount else { return false }
    var itemEnd = bytes.count
    var last: BtrfsKey?
    for index in 0..<header.itemCount {
      let key = key(at: index)
      if let last, last >= key { return false }
      last = key
      guard header.level == 0 else { continue }
      let item = item(at: index)
      guard item.upperBound == itemEnd else { return false }
      itemEnd = item.lowerBound
    }
    return header.level > 0
      || itemEnd >= BtrfsNodeHeader.byteCount + header.itemCount * recordByteCount
  }

  /// The key of an item or a pointer.
  package func key(at index: Int) -> BtrfsKey {
    let recordByteCount = header.level == 0 ? Self.itemByteCount : Self.pointerByteCount
    return BtrfsKey(
      decoding: bytes.span, at: BtrfsNodeHeader.byteCount + index * recordByteCount)
  }

  /// The first key, if it has any.
  package var firstKey: BtrfsKey? { header.itemCount > 0 ? key(at: 0) : nil }

  /// The bytes of a leaf's item, within the node; empty at 0 if they are not.
  package func item(at index: Int) -> Range<Int> {
    let place = BtrfsNodeHeader.byteCount + index * Self.itemByteCount + BtrfsKey.byteCount
    let start = BtrfsNodeHeader.byteCount + Int(bytes.span.little(at: place, as: UInt32.self))
    let end = start + Int(bytes.span.little(at: place + 4, as: UInt32.self))
    return end <= bytes.count ? start..<end : 0..<0
  }

  /// A pointer to a child, in a node that is no leaf.
  package func pointer(at index: Int) -> BtrfsPointer {
    let place =
      BtrfsNodeHeader.byteCount + index * Self.pointerByteCount + BtrfsKey.byteCount
    return BtrfsPointer(
      address: bytes.span.little(at: place), generation: bytes.span.little(at: place + 8),
      level: header.level &- 1, firstKey: key(at: index))
  }

  /// The root of a tree that an item of a leaf has; nil if it has none.
  ///
  /// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_root_item`.
  package func root(at index: Int) -> BtrfsPointer? {
    let item = item(at: index)
    guard item.count >= 239 else { return nil }
    let span = bytes.span.extracting(item)
    let address: UInt64 = span.little(at: 176)
    guard address != 0, span[238] <= BtrfsNodeHeader.levelMax else { return nil }
    return BtrfsPointer(
      address: address, generation: span.little(at: 160), level: span[238])
  }

  /// The index of the first item or pointer whose key is not below `key`.
  package func firstIndex(notBelow key: BtrfsKey) -> Int {
    var (low, high) = (0, header.itemCount)
    while low < high {
      let middle = low + (high - low) / 2
      if self.key(at: middle) < key { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The chunk that an item of a leaf is; nil if it is none.
  package func chunk(at index: Int) -> BtrfsChunk? {
    BtrfsChunk(
      decoding: bytes.span.extracting(item(at: index)), logical: key(at: index).offset)
  }

  /// The checksums of sectors that an item of a leaf has, of those that follow each other from the
  /// offset of its key on.
  package func dataChecksums(at index: Int) -> [UInt32] {
    let item = item(at: index)
    return (0..<item.count / 4).map { bytes.span.little(at: item.lowerBound + 4 * $0) }
  }
}
