/// An operation in a record of a log: a piece of what a transaction logs, or its begin or end.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_log_format.h`, `struct xlog_op_header`,
///   `xfs_trans_header`, `xfs_buf_log_format`; `xfs_log_recover.c`, `xlog_unpack_data`.
package struct XFSLogOperation: Equatable, Sendable {
  /// What it is.
  package enum Kind: Equatable, Sendable {
    /// The begin of a transaction, or the end of one that is to be replayed.
    case start, commit
    /// What the last operation of a log is that was unmounted.
    case unmount
    /// What begins a transaction's items.
    case header
    /// What follows belongs to the buffer there, in sectors of 512 bytes, in so many pieces.
    case buffer(at: UInt64, pieceCount: Int)
    /// Anything else.
    case other
  }

  /// What it is.
  package let kind: Kind

  /// The operations of a record.
  ///
  /// - Parameter bytes: The record: its headers and its data.
  /// - Returns: Nil if they do not fit into it.
  package static func all(
    of record: XFSLogRecord, _ bytes: [UInt8]
  ) -> [XFSLogOperation]? {
    let start = record.headerSectorCount * 512
    guard bytes.count >= start + record.dataByteCount else { return nil }
    let data = unpacked(record, bytes, from: start)
    var (found, position) = ([XFSLogOperation](), 0)
    for _ in 0..<record.operationCount {
      guard position + 12 <= data.count else { return nil }
      let length = Int(data.span.big(at: position + 4, as: UInt32.self))
      guard length <= data.count - position - 12 else { return nil }
      let flags = data[position + 9]
      found.append(
        XFSLogOperation(
          kind: kind(data.span.extracting(position + 12..<position + 12 + length), flags)))
      position += 12 + length
    }
    return found
  }

  /// The data, with the first word of each sector back in its place.
  private static func unpacked(
    _ record: XFSLogRecord, _ bytes: [UInt8], from start: Int
  ) -> [UInt8] {
    var data = Array(bytes[start..<start + record.dataByteCount])
    for sector in 0..<(data.count + 511) / 512 {
      // 64 words are in the header, and as many in each that follows it.
      let word = (sector < 64 ? 44 : sector / 64 * 512 + 4) + sector % 64 * 4
      guard word + 4 <= start, sector * 512 + 4 <= data.count else { break }
      for index in 0..<4 { data[sector * 512 + index] = bytes[word + index] }
    }
    return data
  }

  private static func kind(_ bytes: Span<UInt8>, _ flags: UInt8) -> Kind {
    if flags & 0x20 != 0 { return .unmount }
    if flags & 0x02 != 0 { return .commit }
    if flags & 0x01 != 0 { return .start }
    // What is logged has the byte order of the machine; only little-endian ones are known here.
    if bytes.count == 16, bytes.little(at: 0, as: UInt32.self) == 0x5452_414e { return .header }
    if flags == 0, bytes.count >= 24, bytes.little(at: 0, as: UInt16.self) == 0x123c {
      return .buffer(
        at: bytes.little(at: 8), pieceCount: Int(bytes.little(at: 2, as: UInt16.self)) - 1)
    }
    return .other
  }
}
