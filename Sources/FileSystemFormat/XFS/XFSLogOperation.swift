/// An operation in a record of a log: a piece of a transaction's data, or its begin or end.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_log_format.h`, `struct xlog_op_header`;
///   `xfs_log_recover.c`, `xlog_recovery_process_trans`.
package struct XFSLogOperation: Equatable, Sendable {
  /// Its kind.
  package enum Kind: Equatable, Sendable {
    /// The begin of a transaction, or the end of one that is to be replayed.
    case start, commit
    /// The last operation of a log that was unmounted.
    case unmount
    /// A region of logged data, or the part that the one before lacks.
    case region, rest
    /// Anything else.
    case other
  }

  /// The transaction that it belongs to.
  package let transaction: UInt32
  /// Its kind.
  package let kind: Kind
  /// Its bytes in the data of the record.
  package let bytes: Range<Int>

  /// The operations of a record.
  ///
  /// - Parameter data: What ``XFSLogRecord/data(_:)`` gives.
  /// - Returns: Nil if they do not fit into it, or have an unknown author.
  package static func all(of record: XFSLogRecord, _ data: [UInt8]) -> [XFSLogOperation]? {
    let span = data.span
    var (found, position, rest) = ([XFSLogOperation](), 0, record.operationCount)
    while position < data.count, rest > 0 {
      guard position + 12 <= data.count else { return nil }
      let length = Int(span.big(at: position + 4, as: UInt32.self))
      let client = data[position + 8]
      guard length <= data.count - position - 12, client == 0x69 || client == 0xaa else {
        return nil
      }
      found.append(
        XFSLogOperation(
          transaction: span.big(at: position), kind: kind(data[position + 9]),
          bytes: position + 12..<position + 12 + length))
      position += 12 + length
      rest -= 1
    }
    return found
  }

  private static func kind(_ flags: UInt8) -> Kind {
    // Flags for a region that is continued, or ends here, can be ignored.
    switch flags & (flags & 0x08 != 0 ? ~0x14 : ~0x10) {
    case 0, 0x04: .region
    case 0x01: .start
    case 0x02: .commit
    case 0x08: .rest
    case 0x20: .unmount
    default: .other
    }
  }
}
