internal import Compression
internal import FileSystemFormat

/// An extent that btrfs compressed by LZO.
///
/// Shape, little-endian: the length of it all (u32), then for each sector of the file the length of
/// its stream (u32) and that. A length is never parted by the end of a sector of the extent: it
/// begins the next one.
///
/// - Source: Linux `fs/btrfs/lzo.c`.
enum BtrfsLZO {
  private static let lengthByteCount = 4

  /// Decompresses an extent; nil if it is damaged.
  static func decompress(
    _ input: Span<UInt8>, sectorByteCount: Int, into output: inout MutableSpan<UInt8>
  ) -> Int? {
    guard input.count >= lengthByteCount else { return nil }
    let end = Int(input.little(at: 0, as: UInt32.self))
    guard end <= input.count else { return nil }
    var (position, count) = (lengthByteCount, 0)
    while position < end, count < output.count {
      let rest = sectorByteCount - position % sectorByteCount
      if rest < lengthByteCount { position += rest }
      guard lengthByteCount <= end - position else { return nil }
      let length = Int(input.little(at: position, as: UInt32.self))
      position += lengthByteCount
      guard length <= end - position else { return nil }
      let sectorEnd = min(output.count, count + sectorByteCount)
      guard
        let added = Compression.lzo.decompress(
          input.extracting(position..<position + length), into: &output,
          count..<sectorEnd)
      else { return nil }
      count += added
      position += length
    }
    return count
  }
}
