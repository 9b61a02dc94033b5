internal import BlockIO
internal import SnapshotFormat

/// dm-mirror's record on disk of the regions that are the same on all legs.
///
/// - Source: Linux `drivers/md/dm-log.c`, `struct log_header_disk`, `LOG_OFFSET`.
enum MirrorLog {
  /// "MiRr", as a little-endian number.
  private static let magic: UInt32 = 0x4d69_5272
  private static let bitsByteOffset: UInt64 = 1024

  /// Whether a log marks all regions as in step; false if it cannot be read.
  static func isInSync(_ source: any BlockSource) throws(BlockIOError) -> Bool {
    guard source.byteCount > bitsByteOffset else { return false }
    let header = IOBuffer(byteCount: 512)
    guard try source.readAround(at: 0, into: header, 0..<512).isEmpty else { return false }
    let (found, regions) = header.withBytes(0..<512) {
      ($0.littleEndian(at: 0, as: UInt32.self), $0.littleEndian(at: 8, as: UInt64.self))
    }
    // A log without regions proves nothing.
    guard found == magic, regions > 0, (regions - 1) / 8 < source.byteCount - bitsByteOffset else {
      return false
    }
    var regionCount = regions
    let bits = IOBuffer(byteCount: 65536)
    var position = bitsByteOffset
    while regionCount > 0 {
      let byteCount = min((regionCount + 7) / 8, UInt64(bits.byteCount))
      guard try source.readAround(at: position, into: bits, 0..<Int(byteCount)).isEmpty
      else { return false }
      let count = min(regionCount, byteCount * 8)
      let isSet = bits.withBytes(0..<Int(byteCount)) { bytes in
        (0..<Int(count)).allSatisfy { bytes[$0 / 8] & 1 << ($0 % 8) != 0 }
      }
      guard isSet else { return false }
      position += byteCount
      regionCount -= count
    }
    return true
  }
}
