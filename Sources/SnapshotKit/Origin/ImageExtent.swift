internal import BlockIO

/// The extent of a file system that cannot be written.
struct ImageExtent {
  /// The number of bytes after an image searched for anything but zeroes.
  private static let searchedByteCountMax: UInt64 = 64 << 20

  let byteCount: UInt64

  /// The extent by the superblock; nil if that cannot be read.
  ///
  /// - Source: Linux `fs/squashfs/squashfs_fs.h`, `fs/erofs/erofs_fs.h`,
  ///   `include/uapi/linux/cramfs_fs.h`, `Documentation/filesystems/romfs.rst`; ECMA-119, 8.4.
  init?(_ type: String, in origin: any BlockSource) throws(BlockIOError) {
    let place: UInt64 = type == "iso9660" ? 16 * 2048 : type == "erofs" ? 1024 : 0
    guard let record = try DiskRecord(256, at: place, of: origin) else { return nil }
    switch type {
    case "squashfs": byteCount = record.little(at: 40)
    case "iso9660":
      let (blocks, size): (UInt32, UInt16) = (record.little(at: 80), record.little(at: 128))
      byteCount = UInt64(blocks) * UInt64(size)
    case "erofs":
      let (blocks, shift): (UInt32, UInt8) = (record.little(at: 36), record.little(at: 12))
      guard shift < 32 else { return nil }
      byteCount = UInt64(blocks) << UInt64(shift)
    case "cramfs":
      let isLittle = record.little(at: 0, as: UInt32.self) == 0x28cd_3d45
      byteCount = UInt64(isLittle ? record.little(at: 4) : record.big(at: 4, as: UInt32.self))
    case "romfs": byteCount = UInt64(record.big(at: 8, as: UInt32.self))
    default: return nil
    }
  }

  /// Whether the image is everything: only zeroes follow it.
  ///
  /// After a squashfs in flash memory, or on a stick, something else may begin.
  func isAll(of origin: any BlockSource) throws(BlockIOError) -> Bool {
    guard byteCount > 0, byteCount <= origin.byteCount else { return false }
    let buffer = IOBuffer(byteCount: 1 << 20)
    var position = byteCount
    var searchedByteCount: UInt64 = 0
    while let data = try origin.nextData(from: position) {
      let count = Int(min(data.upperBound - data.lowerBound, UInt64(buffer.byteCount)))
      searchedByteCount += UInt64(count)
      guard searchedByteCount <= Self.searchedByteCountMax,
        try origin.readAround(at: data.lowerBound, into: buffer, 0..<count).isEmpty,
        buffer.isZero(0..<count)
      else { return false }
      position = data.lowerBound + UInt64(count)
    }
    return true
  }
}
