/// The place of consecutive bytes of a file; the offset of the first is that of the key.
///
/// Shape, little-endian: generation (u64), bytes once decompressed (u64), compression (u8),
/// encryption (u8), other encoding (u16), kind (u8). Of the inline kind the data follows; of the
/// others the logical address of the extent (u64, 0 for a hole) and its length (u64), where in it,
/// decompressed, the bytes begin (u64), and how many they are (u64).
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_file_extent_item`.
package struct BtrfsFileExtent: Equatable, Sendable {
  /// The kind of place.
  package enum Kind: Equatable, Sendable {
    /// In the item, from `inlineOffset` on.
    case inline
    /// In an extent.
    case regular
    /// In an extent that reads as zeroes.
    case preallocated
  }

  /// The compression of an extent: 0 none, 1 zlib, 2 lzo, 3 zstd.
  package let compression: UInt8
  /// Whether the data is encrypted or encoded in a way that nothing does yet.
  package let isEncoded: Bool
  /// The kind of place.
  package let kind: Kind
  /// The length of the whole extent once decompressed.
  package let decompressedByteCount: UInt64
  /// The logical address of the extent; 0 for a hole.
  package let address: UInt64
  /// The length of the extent on the disk.
  package let diskByteCount: UInt64
  /// The start of the bytes in the decompressed extent.
  package let extentOffset: UInt64
  /// Their number of bytes in the file.
  package let byteCount: UInt64

  /// Where inline data begins in the item.
  package static let inlineOffset = 21
  private static let byteCountOfOthers = 53

  /// Decodes an item; nil if it is impossible.
  package init?(decoding bytes: Span<UInt8>) {
    guard bytes.count >= Self.inlineOffset else { return nil }
    decompressedByteCount = bytes.little(at: 8)
    compression = bytes[16]
    isEncoded = bytes[17] != 0 || bytes[18] != 0 || bytes[19] != 0
    switch bytes[20] {
    case 0:
      kind = .inline
      (address, extentOffset) = (0, 0)
      diskByteCount = UInt64(bytes.count - Self.inlineOffset)
      byteCount = compression == 0 ? diskByteCount : decompressedByteCount
      return
    case 1: kind = .regular
    case 2: kind = .preallocated
    default: return nil
    }
    guard bytes.count >= Self.byteCountOfOthers else { return nil }
    address = bytes.little(at: 21)
    diskByteCount = bytes.little(at: 29)
    extentOffset = bytes.little(at: 37)
    byteCount = bytes.little(at: 45)
  }

  /// Whether it is a hole.
  package var isHole: Bool { address == 0 && kind != .inline }
}
