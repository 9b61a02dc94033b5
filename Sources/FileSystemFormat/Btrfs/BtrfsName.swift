/// A name in a directory of a btrfs, or an extended attribute.
///
/// Shape, little-endian: key of the named item (17 bytes), transaction (u64), length of the data
/// (u16) and of the name (u16), kind (u8), the name, the data. An item may have several.
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_dir_item`.
package struct BtrfsName: Equatable, Sendable {
  /// The longest name.
  package static let byteCountMax = 255
  static let headByteCount = 30

  /// The key of the named item: an inode, or the root of a subvolume.
  package let location: BtrfsKey
  /// The kind of that file, 1 to 7 as in other file systems of Linux.
  package let kind: UInt8
  /// Whether the name is encrypted.
  package let isEncrypted: Bool
  /// The name.
  package let name: [UInt8]
  /// The value of an attribute.
  package let data: [UInt8]

  /// A name.
  package init(
    _ name: [UInt8], of location: BtrfsKey, kind: UInt8, isEncrypted: Bool = false
  ) {
    (self.name, self.location, self.kind) = (name, location, kind)
    (self.isEncrypted, data) = (isEncrypted, [])
  }

  private init(
    location: BtrfsKey, kind: UInt8, isEncrypted: Bool, name: [UInt8], data: [UInt8]
  ) {
    (self.location, self.kind, self.isEncrypted) = (location, kind, isEncrypted)
    (self.name, self.data) = (name, data)
  }

  /// The offset in the key of a name's item.
  package static func hash(_ name: [UInt8], seed: UInt32 = ~1) -> UInt64 {
    var checksum = CRC32C(register: seed)
    checksum.add(name.span)
    return UInt64(checksum.register)
  }

  /// It as on the disk, but for the transaction.
  package var encoded: [UInt8] {
    var bytes = location.encoded + [UInt8](repeating: 0, count: 13) + name + data
    bytes.put(little: UInt16(data.count), at: 25)
    bytes.put(little: UInt16(name.count), at: 27)
    bytes[29] = kind | (isEncrypted ? 0x80 : 0)
    return bytes
  }

  /// Decodes all names of an item.
  ///
  /// - Returns: The names, and whether that is all there is in the item.
  package static func names(in bytes: Span<UInt8>) -> (names: [BtrfsName], isWhole: Bool) {
    var names: [BtrfsName] = []
    var place = 0
    while place < bytes.count {
      guard headByteCount <= bytes.count - place else { return (names, false) }
      let dataByteCount = Int(bytes.little(at: place + 25, as: UInt16.self))
      let nameByteCount = Int(bytes.little(at: place + 27, as: UInt16.self))
      let start = place + headByteCount
      guard nameByteCount + dataByteCount <= bytes.count - start,
        1...byteCountMax ~= nameByteCount
      else { return (names, false) }
      let kind = bytes[place + 29]
      names.append(
        BtrfsName(
          location: BtrfsKey(decoding: bytes, at: place), kind: kind & 0x7f,
          isEncrypted: kind & 0x80 != 0,
          name: bytes.array(start..<start + nameByteCount),
          data: bytes.array(start + nameByteCount..<start + nameByteCount + dataByteCount)))
      place = start + nameByteCount + dataByteCount
    }
    return (names, true)
  }
}

/// A name of an inode, as the inode has it.
///
/// Shape, little-endian, of the usual kind: index in the directory (u64), length (u16), the name;
/// the directory is the key's offset. Of the extended kind: directory (u64), index (u64), length
/// (u16), the name.
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_inode_ref`,
///   `struct btrfs_inode_extref`.
package struct BtrfsInodeName: Equatable, Sendable {
  /// The inode of the directory.
  package let directory: UInt64
  /// Its number in the directory.
  package let index: UInt64
  /// The name.
  package let name: [UInt8]

  /// A name.
  package init(_ name: [UInt8], in directory: UInt64, index: UInt64) {
    (self.name, self.directory, self.index) = (name, directory, index)
  }

  /// The keys of the two kinds of items that an inode may have it in.
  package func keys(of inode: UInt64) -> [BtrfsKey] {
    let hash = BtrfsName.hash(name, seed: UInt32(truncatingIfNeeded: directory))
    return [
      BtrfsKey(object: inode, type: BtrfsKey.inodeReference, offset: directory),
      BtrfsKey(object: inode, type: BtrfsKey.inodeExtendedReference, offset: hash),
    ]
  }

  /// It as on the disk, in an item of that key.
  package func encoded(for key: BtrfsKey) -> [UInt8] {
    let isExtended = key.type == BtrfsKey.inodeExtendedReference
    let head = isExtended ? 18 : 10
    var bytes = [UInt8](repeating: 0, count: head) + name
    if isExtended { bytes.put(little: directory, at: 0) }
    bytes.put(little: index, at: head - 10)
    bytes.put(little: UInt16(name.count), at: head - 2)
    return bytes
  }

  /// Decodes the names of an item, as far as they are possible.
  package static func names(in bytes: Span<UInt8>, key: BtrfsKey) -> [BtrfsInodeName] {
    let isExtended = key.type == BtrfsKey.inodeExtendedReference
    let headByteCount = isExtended ? 18 : 10
    var names: [BtrfsInodeName] = []
    var place = 0
    while headByteCount <= bytes.count - place {
      let count = Int(bytes.little(at: place + headByteCount - 2, as: UInt16.self))
      let start = place + headByteCount
      guard 1...BtrfsName.byteCountMax ~= count, count <= bytes.count - start else { break }
      names.append(
        BtrfsInodeName(
          bytes.array(start..<start + count),
          in: isExtended ? bytes.little(at: place) : key.offset,
          index: bytes.little(at: start - 10)))
      place = start + count
    }
    return names
  }
}

/// The name of a subvolume within another, as the tree of roots has it.
///
/// Shape, little-endian: inode of the directory (u64), index (u64), length (u16), the name.
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_root_ref`.
package struct BtrfsRootReference: Equatable, Sendable {
  /// The inode of the directory.
  package let directory: UInt64
  /// The name.
  package let name: [UInt8]

  /// Decodes a reference; nil if it is impossible.
  package init?(decoding bytes: Span<UInt8>) {
    guard bytes.count >= 18 else { return nil }
    let count = Int(bytes.little(at: 16, as: UInt16.self))
    guard count <= bytes.count - 18 else { return nil }
    directory = bytes.little(at: 0)
    name = bytes.array(18..<18 + count)
  }
}
