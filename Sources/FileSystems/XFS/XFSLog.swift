import BlockIO
import FileSystemFormat

/// A log: a ring of sectors of 512 bytes, with records from its tail to its head.
///
/// The last writes may be up to eight records that were in flight at once, not all of which
/// arrived: the head is before the first that did not.
///
/// - Source: Linux `fs/xfs/xfs_log_recover.c`, `xlog_find_head`, `xlog_find_zeroed`,
///   `xlog_find_tail`, `xlog_verify_head`, `xlog_verify_tail`.
struct XFSLog {
  /// The part to be replayed.
  struct Stretch {
    /// The sector that the oldest record begins at.
    var tail: UInt64
    /// In which round that was written.
    var cycle: UInt32
    /// The number of sectors from there to the head.
    var length: UInt64
    /// Whether records after the head did not arrive completely.
    let isTorn: Bool

    /// A sector of the log, that many after the tail, and in which round it was written.
    func place(_ position: UInt64, in sectorCount: UInt64) -> (sector: UInt64, cycle: UInt32) {
      let sector = tail + position
      return sector >= sectorCount ? (sector - sectorCount, cycle &+ 1) : (sector, cycle)
    }
  }

  /// The state in which a log was left.
  enum State {
    /// There is nothing to replay.
    case clean
    /// There is.
    case dirty(Stretch)
    /// It is unknown; the text is the reason.
    case unknown(String)
  }

  /// The maximum number of records in flight at once.
  private static let inFlightMax = 8
  /// More than any log has, in bytes.
  private static let byteCountMax: UInt64 = 1 << 31

  private let reader: XFSReader
  private let range: Range<UInt64>
  private let sectorCount: UInt64

  /// Nil if the log is longer than any.
  init?(_ reader: XFSReader, _ range: Range<UInt64>) {
    guard range.upperBound - range.lowerBound <= Self.byteCountMax else { return nil }
    (self.reader, self.range) = (reader, range)
    sectorCount = (range.upperBound - range.lowerBound) / 512
  }

  /// Its length in bytes.
  var byteCount: UInt64 { sectorCount * 512 }

  // MARK: - Reading

  /// Reads sectors, around the end of the ring; nil if they cannot be read.
  private func sectors(_ first: UInt64, _ count: UInt64) throws(FileSystemError) -> [UInt8]? {
    guard count > 0, count <= sectorCount, range.upperBound <= reader.source.byteCount else {
      return nil
    }
    let start = first % sectorCount
    let one = min(count, sectorCount - start)
    let buffer = IOBuffer(byteCount: Int(count * 512))
    let split = Int(one * 512)
    guard try reader.read(at: range.lowerBound + start * 512, into: buffer, 0..<split) else {
      return nil
    }
    if one < count {
      guard try reader.read(at: range.lowerBound, into: buffer, split..<buffer.byteCount) else {
        return nil
      }
    }
    return buffer.bytes(0..<buffer.byteCount)
  }

  /// In which round a sector was written.
  private static func cycle(_ bytes: Span<UInt8>, _ index: Int) -> UInt32 {
    let word: UInt32 = bytes.big(at: index * 512)
    return word == XFSLogRecord.magic ? bytes.big(at: index * 512 + 4) : word
  }

  private func cycle(_ sector: UInt64) throws(FileSystemError) -> UInt32? {
    guard let bytes = try sectors(sector, 1) else { return nil }
    return Self.cycle(bytes.span, 0)
  }

  /// The first sector of a range that was written in a round; nil if there is none.
  private func first(
    in range: Range<UInt64>, of cycle: UInt32
  ) throws(FileSystemError) -> UInt64? {
    guard !range.isEmpty, let bytes = try sectors(range.lowerBound, UInt64(range.count)) else {
      return nil
    }
    for index in 0..<range.count where Self.cycle(bytes.span, index) == cycle {
      return range.lowerBound + UInt64(index)
    }
    return nil
  }

  /// A record, which begins at a sector; nil if there is none.
  private func header(_ sector: UInt64) throws(FileSystemError) -> XFSLogRecord? {
    guard let bytes = try sectors(sector, 1),
      let record = XFSLogRecord(bytes.span, of: reader.geometry),
      record.sector == sector % sectorCount
    else { return nil }
    return record
  }

  /// A record's bytes if its checksum holds; before version 5 it may have none.
  private func bytes(of record: XFSLogRecord) throws(FileSystemError) -> [UInt8]? {
    guard let bytes = try sectors(record.sector, UInt64(record.sectorCount)),
      record.isIntact(bytes.span)
        || record.checksum == 0 && (!reader.superblock.hasChecksums || record.dataByteCount == 0)
    else { return nil }
    return bytes
  }

  // MARK: - Head and tail

  /// Finds the start and the end of the part to be replayed.
  func state() throws(FileSystemError) -> State {
    guard let start = try cycle(0), let found = try head(start) else {
      return .unknown("cannot be read")
    }
    // It was never used.
    if start == 0 { return .clean }
    var head = found
    guard var last = try record(before: head) else { return .unknown("has no last record") }
    // A record that is not whole ends it.
    if (last.sector + UInt64(last.sectorCount)) % sectorCount != head % sectorCount {
      head = last.sector
      guard let other = try record(before: head) else { return .unknown("has no last record") }
      last = other
    }
    if try isUnmount(last) { return .clean }
    var isTorn = false
    if let bad = try firstTorn(before: last) {
      (head, isTorn) = (bad.sector, true)
      guard let other = try record(before: head) else { return .unknown("has no last record") }
      last = other
      if try isUnmount(last) { return .clean }
    }
    return try stretch(before: head % sectorCount, last, isTorn)
  }

  /// The sector that is written next, according to the rounds; nil if that cannot be read.
  private func head(_ start: UInt32) throws(FileSystemError) -> UInt64? {
    guard let end = try cycle(sectorCount - 1) else { return nil }
    var head = sectorCount
    // The round changes once, at the end of the writes of the last one.
    var stop = end &- 1
    if start != end {
      var low: UInt64 = 0
      head = sectorCount - 1
      while head - low > 1 {
        let middle = low + (head - low) / 2
        guard let cycle = try cycle(middle) else { return nil }
        if cycle == end { head = middle } else { low = middle }
      }
      stop = end
    }
    // Records that did not arrive left a hole, of the round before.
    let window = min(sectorCount, UInt64(Self.inFlightMax * XFSLogRecord.sectorCountMax))
    if head >= window { return try first(in: head - window..<head, of: stop) ?? head }
    if let hole = try first(in: sectorCount - (window - head)..<sectorCount, of: stop &- 1) {
      return hole
    }
    return try first(in: 0..<head, of: stop) ?? head
  }

  /// The last record that begins before a sector.
  private func record(before head: UInt64) throws(FileSystemError) -> XFSLogRecord? {
    let count = min(UInt64(XFSLogRecord.sectorCountMax), sectorCount)
    let first = (head + sectorCount - count) % sectorCount
    guard let bytes = try sectors(first, count) else { return nil }
    for index in (0..<Int(count)).reversed() {
      let sector = bytes.span.extracting(index * 512..<index * 512 + 512)
      guard sector.big(at: 0, as: UInt32.self) == XFSLogRecord.magic else { continue }
      guard let record = XFSLogRecord(sector, of: reader.geometry),
        record.sector == (first + UInt64(index)) % sectorCount
      else { return nil }
      return record
    }
    return nil
  }

  private func isUnmount(_ record: XFSLogRecord) throws(FileSystemError) -> Bool {
    // Without its checksum, as Linux does: mkfs.xfs and xfs_repair write none.
    guard record.operationCount == 1,
      let bytes = try sectors(record.sector, UInt64(record.sectorCount)),
      let data = record.data(bytes)
    else { return false }
    return XFSLogOperation.all(of: record, data)?.first?.kind == .unmount
  }

  /// The first of the last records whose checksum is wrong.
  private func firstTorn(before last: XFSLogRecord) throws(FileSystemError) -> XFSLogRecord? {
    let tail = last.tailLSN & 0xffff_ffff
    var (record, torn, count) = (last, XFSLogRecord?.none, 0)
    while true {
      if try bytes(of: record) == nil, try !isUnmount(record) { torn = record }
      count += 1
      guard count < Self.inFlightMax, record.sector != tail,
        let other = try self.record(before: record.sector)
      else { return torn }
      record = other
    }
  }

  private func stretch(
    before head: UInt64, _ last: XFSLogRecord, _ isTorn: Bool
  ) throws(FileSystemError) -> State {
    let tail = last.tailLSN & 0xffff_ffff
    let cycle = UInt32(last.tailLSN >> 32)
    let isWrapped = tail > last.sector
    guard tail < sectorCount, isWrapped ? cycle == last.cycle &- 1 : cycle == last.cycle else {
      return .unknown("has no beginning")
    }
    var stretch = Stretch(
      tail: tail, cycle: cycle, length: (head + sectorCount - tail) % sectorCount, isTorn: isTorn)
    try skipOverwritten(&stretch, within: UInt64(Self.inFlightMax * last.bufferSectorCount))
    return .dirty(stretch)
  }

  /// Moves the tail past overwritten sectors: records that did not arrive completely, after the
  /// head, may have reached it.
  ///
  /// - Parameter room: How far from the head that may be, in sectors.
  private func skipOverwritten(
    _ stretch: inout Stretch, within room: UInt64
  ) throws(FileSystemError) {
    var position: UInt64 = 0
    while position < stretch.length, sectorCount - stretch.length + position <= room {
      let (sector, cycle) = stretch.place(position, in: sectorCount)
      if let record = try header(sector), record.cycle == cycle,
        UInt64(record.sectorCount) <= stretch.length - position, try bytes(of: record) != nil
      {
        position += UInt64(record.sectorCount)
        continue
      }
      var next = position + 1
      while next < stretch.length, sectorCount - stretch.length + next <= room,
        try header(stretch.place(next, in: sectorCount).sector) == nil
      { next += 1 }
      (stretch.tail, stretch.cycle) = stretch.place(next, in: sectorCount)
      (stretch.length, position) = (stretch.length - next, 0)
    }
  }

  // MARK: - Records

  /// Calls `body` with each record and its operations, from the tail to the head, until it returns
  /// a problem with one.
  ///
  /// - Returns: What is wrong, if anything: nothing after that was looked at.
  func forEachRecord(
    in stretch: Stretch,
    _ body: (XFSLogRecord, [UInt8], [XFSLogOperation]) throws(FileSystemError) -> String?
  ) throws(FileSystemError) -> String? {
    var position: UInt64 = 0
    while position < stretch.length {
      let (sector, cycle) = stretch.place(position, in: sectorCount)
      guard let record = try header(sector), record.cycle == cycle,
        UInt64(record.sectorCount) <= stretch.length - position
      else { return "no record at its sector \(sector)" }
      guard record.isLittleEndian else { return "it was written by a big-endian machine" }
      guard let bytes = try bytes(of: record), let data = record.data(bytes),
        let operations = XFSLogOperation.all(of: record, data)
      else { return "a damaged record at its sector \(sector)" }
      if let problem = try body(record, data, operations) {
        return "\(problem) at its sector \(sector)"
      }
      position += UInt64(record.sectorCount)
    }
    return nil
  }
}
