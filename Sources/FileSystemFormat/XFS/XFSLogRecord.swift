/// The first sector of a record of an XFS log.
///
/// A log is a ring of sectors of 512 bytes. Each begins with the number of the round in which it
/// was written, its *cycle*; a record's own first four bytes are elsewhere in its header. A mount
/// clears the sectors ahead of the log's end: each becomes an empty record of the round before.
/// Big-endian; the checksum is little-endian.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_log_format.h`, `struct xlog_rec_header`; `xfs_log.c`,
///   `xlog_cksum`, `xlog_pack_data`; `xfs_log_recover.c`, `xlog_clear_stale_blocks`.
package struct XFSLogRecord: Equatable, Sendable {
  /// The number that each begins with.
  package static let magic: UInt32 = 0xfeed_babe
  /// The longest record: the size of a log buffer at most, with its headers.
  package static let sectorCountMax = (256 << 10) / 512 + 8

  /// The round in which it was written.
  package let cycle: UInt32
  /// The sector of the log at which it begins.
  package let sector: UInt64
  /// The oldest round and sector that recovery needed then.
  package let tailLSN: UInt64
  /// The bytes of data after its headers.
  package let dataByteCount: Int
  /// The sectors of its headers.
  package let headerSectorCount: Int
  /// The number of operations in its data.
  package let operationCount: UInt32
  /// Its checksum; zero if it has none.
  package let checksum: UInt32
  /// Whether the logged data has the byte order of a little-endian machine.
  package let isLittleEndian: Bool
  /// The size of the log's buffers when it was written, in sectors.
  package let bufferSectorCount: Int
  /// Whether it is the record that a mount clears sectors with.
  package let isCleared: Bool

  /// Decodes a header; nil unless it is one of this file system's log.
  package init?(_ bytes: Span<UInt8>, of geometry: XFSGeometry) {
    guard bytes.count >= 512, bytes.big(at: 0, as: UInt32.self) == Self.magic,
      XFSUUID(bytes, at: 304) == geometry.uuid
    else { return nil }
    let version: UInt32 = bytes.big(at: 8)
    let length: UInt32 = bytes.big(at: 12)
    let lsn: UInt64 = bytes.big(at: 16)
    let size: UInt32 = bytes.big(at: 320)
    cycle = bytes.big(at: 4)
    sector = lsn & 0xffff_ffff
    tailLSN = bytes.big(at: 24)
    checksum = bytes.little(at: 32)
    operationCount = bytes.big(at: 40)
    guard version & ~3 == 0, version != 0, lsn >> 32 == UInt64(cycle), length <= 256 << 10,
      size <= 256 << 10,
      sector < geometry.logBlockCount * UInt64(geometry.blockByteCount / 512)
    else { return nil }
    dataByteCount = Int(length)
    let period = Self.cycleDataByteCount
    headerSectorCount =
      version & 2 != 0 && Int(size) > period ? (Int(size) + period - 1) / period : 1
    isLittleEndian = bytes.big(at: 300, as: UInt32.self) == 1
    bufferSectorCount = Int(max(size, UInt32(period))) / 512
    isCleared =
      length == 0 && checksum == 0 && Self.isZero(bytes, 36..<300) && Self.isZero(bytes, 320..<512)
  }

  /// The sectors of the headers and of the data.
  package var sectorCount: Int { headerSectorCount + (dataByteCount + 511) / 512 }

  /// The data of a record, with the first word of each sector back in its place.
  ///
  /// - Parameter bytes: The record: its headers and its data.
  /// - Returns: Nil if they are less than it has.
  package func data(_ bytes: [UInt8]) -> [UInt8]? {
    let start = headerSectorCount * 512
    guard bytes.count >= start + dataByteCount else { return nil }
    var data = Array(bytes[start..<start + dataByteCount])
    for sector in 0..<(data.count + 511) / 512 {
      // 64 words are in the header, and as many in each that follows it.
      let word = (sector < 64 ? 44 : sector / 64 * 512 + 4) + sector % 64 * 4
      guard word + 4 <= start, sector * 512 + 4 <= data.count else { break }
      for index in 0..<4 { data[sector * 512 + index] = bytes[word + index] }
    }
    return data
  }

  /// Whether the checksum of a record holds.
  ///
  /// - Parameter bytes: The record: its headers and its data.
  package func isIntact(_ bytes: Span<UInt8>) -> Bool {
    let start = headerSectorCount * 512
    guard checksum != 0, bytes.count >= start + dataByteCount else { return false }
    // The header is 324 bytes long, and 328 where eight bytes are aligned to eight.
    for headerByteCount in [328, 324] {
      var sum = CRC32C()
      sum.add(bytes.extracting(0..<32))
      sum.addZeroes(4)
      sum.add(bytes.extracting(36..<headerByteCount))
      let extra = (dataByteCount + Self.cycleDataByteCount - 1) / Self.cycleDataByteCount
      if extra > 1 {
        for index in 1..<extra {
          guard index * 512 + 260 <= bytes.count else { return false }
          sum.add(bytes.extracting(index * 512..<index * 512 + 260))
        }
      }
      sum.add(bytes.extracting(start..<start + dataByteCount))
      if sum.inverted == checksum { return true }
    }
    return false
  }

  /// The amount of data whose displaced first words fit into a header.
  private static let cycleDataByteCount = 32 << 10

  private static func isZero(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    for index in range where bytes[index] != 0 { return false }
    return true
  }
}
