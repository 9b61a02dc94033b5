import BlockIO
import FileSystemFormat

/// Whether Linux would replay the log of a file system before it shows it.
///
/// - Source: Linux `fs/xfs/xfs_log_recover.c`, `xlog_find_head`, `xlog_find_zeroed`,
///   `xlog_find_tail`.
struct XFSLogState {
  /// What to say of it; nil if nothing but the superblock would be replayed.
  let note: String?

  private static let shown = "; what is shown is the state before that"

  /// How much of a log is looked at: what is longer is not clean.
  private static let sectorCountMax: UInt64 = (64 << 20) / 512

  init(_ reader: XFSReader) throws(FileSystemError) {
    guard let log = reader.geometry.log else {
      note = "the log is on another device: whether Linux would replay it is unknown"
      return
    }
    note = try XFSLogWalk(reader, log).note(Self.shown, sectorCountMax: Self.sectorCountMax)
  }
}

/// Finds and reads the records of a log that are not written back.
private struct XFSLogWalk {
  private let reader: XFSReader
  private let log: Range<UInt64>
  private let sectorCount: UInt64

  init(_ reader: XFSReader, _ log: Range<UInt64>) {
    (self.reader, self.log) = (reader, log)
    sectorCount = (log.upperBound - log.lowerBound) / 512
  }

  func note(_ shown: String, sectorCountMax: UInt64) throws(FileSystemError) -> String? {
    guard let head = try head() else { return "the log cannot be read" }
    // All zeroes: it was never used.
    guard head.cycle > 0 else { return nil }
    guard let last = try lastRecord(before: head.sector) else {
      return "the log is damaged: whether Linux would replay it is unknown"
    }
    let end = (last.sector + UInt64(last.sectorCount)) % sectorCount
    if end == head.sector % sectorCount, last.operationCount == 1,
      let operations = try operations(of: last), operations.first?.kind == .unmount
    {
      return nil
    }
    let tail = last.tailLSN & 0xffff_ffff
    guard tail < sectorCount else { return "the log is damaged: it has no beginning" }
    let length = (end + sectorCount - tail) % sectorCount
    guard length <= sectorCountMax, let count = try replayed(from: tail, length) else {
      return "the log is not clean: Linux would replay it\(shown)"
    }
    if count == 0 { return nil }
    return "the log is not clean: Linux would replay \(count) transactions\(shown)"
  }

  // MARK: - Reading

  /// Reads sectors, around the end of the ring; nil if they cannot be read.
  private func sectors(_ first: UInt64, _ count: UInt64) throws(FileSystemError) -> [UInt8]? {
    guard count <= sectorCount else { return nil }
    let start = first % sectorCount
    let one = min(count, sectorCount - start)
    let buffer = IOBuffer(byteCount: Int(count * 512))
    let split = Int(one * 512)
    guard try reader.read(at: log.lowerBound + start * 512, into: buffer, 0..<split) else {
      return nil
    }
    if one < count {
      guard try reader.read(at: log.lowerBound, into: buffer, split..<buffer.byteCount) else {
        return nil
      }
    }
    return buffer.bytes(0..<buffer.byteCount)
  }

  /// In which round a sector was written; nil if it cannot be read.
  private func cycle(_ sector: UInt64) throws(FileSystemError) -> UInt32? {
    let start = log.lowerBound + sector * 512
    guard let bytes = try reader.bytes(start..<start + 512) else { return nil }
    let word: UInt32 = bytes.span.big(at: 0)
    return word == 0xfeed_babe ? bytes.span.big(at: 4) : word
  }

  /// The sector that is written next, and in which round those before it were written.
  private func head() throws(FileSystemError) -> (sector: UInt64, cycle: UInt32)? {
    guard let first = try cycle(0), let last = try cycle(sectorCount - 1) else { return nil }
    if first == last { return (sectorCount, first) }
    // The round changes once: where what was written in the last one ends.
    var (low, high) = (UInt64(0), sectorCount - 1)
    while low < high {
      let middle = low + (high - low) / 2
      guard let cycle = try cycle(middle) else { return nil }
      if cycle == first { low = middle + 1 } else { high = middle }
    }
    return (low, first)
  }

  private func lastRecord(before head: UInt64) throws(FileSystemError) -> XFSLogRecord? {
    // What was written last may be up to eight records, not all of which arrived.
    let count = min(UInt64(8 * XFSLogRecord.sectorCountMax), sectorCount)
    let first = (head + sectorCount - count) % sectorCount
    guard let bytes = try sectors(first, count) else { return nil }
    for index in (0..<Int(count)).reversed() {
      let sector = bytes.span.extracting(index * 512..<index * 512 + 512)
      if let record = XFSLogRecord(sector, of: reader.geometry), !record.isCleared,
        record.sector == (first + UInt64(index)) % sectorCount
      {
        return record
      }
    }
    return nil
  }

  private func operations(
    of record: XFSLogRecord
  ) throws(FileSystemError) -> [XFSLogOperation]? {
    guard let bytes = try sectors(record.sector, UInt64(record.sectorCount)) else { return nil }
    return XFSLogOperation.all(of: record, bytes)
  }

  // MARK: - What would be replayed

  /// How many transactions would be; zero if they log the superblock only, as those of a frozen
  /// file system do; nil if the records do not follow each other.
  private func replayed(from tail: UInt64, _ length: UInt64) throws(FileSystemError) -> Int? {
    var (position, count, isMore, pieces) = (UInt64(0), 0, false, 0)
    while position < length {
      guard let header = try sectors(tail + position, 1),
        let record = XFSLogRecord(header.span, of: reader.geometry),
        record.sector == (tail + position) % sectorCount,
        let operations = try operations(of: record)
      else { return nil }
      for operation in operations {
        switch operation.kind {
        case .start, .header, .unmount: break
        case .commit: count += 1
        case .other where pieces > 0: pieces -= 1
        case .other: isMore = true
        case .buffer(let place, let pieceCount):
          pieces = max(pieceCount, 0)
          if place != 0 { isMore = true }
        }
      }
      position += UInt64(record.sectorCount)
    }
    return isMore ? count : 0
  }
}
