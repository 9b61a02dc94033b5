import BlockIO
import FileSystemFormat

/// Replays a log in memory, as a mount would write it home.
///
/// Only transactions that were committed are replayed, in their order; within one, blocks come
/// first, then inodes, then the lists of inodes without names. Blocks and inodes freed later are
/// left alone. A block or an inode that is newer on the disk than in the log stays as it is.
/// Actions that a transaction only announced are not carried out.
///
/// - Source: Linux `fs/xfs/xfs_log_recover.c`, `xlog_do_log_recovery`,
///   `xlog_recover_reorder_trans`; `xfs_buf_item_recover.c`.
struct XFSReplay {
  /// The parts of a transaction, in the order of their replay.
  private enum Order: CaseIterable { case blocks, others, inodeLists, cancellations }

  let reader: XFSReader
  var sectors: XFSReplayedSectors
  /// The number of times each block is still freed later in the log: by its first sector, and its
  /// length.
  private var freed: [UInt64: [Int: Int]] = [:]
  private var intents: [UInt64: Bool] = [:]
  private var transactionCount = 0
  private var isMore = false
  private var damagedCount = 0
  private var isTooMuch = false
  /// Notes on the replay and its gaps.
  private(set) var notes: [String] = []

  /// More transactions at once than Linux has.
  private static let openCountMax = 1 << 12
  private static let missing = "recent changes may be missing"

  init(_ reader: XFSReader) {
    self.reader = reader
    sectors = XFSReplayedSectors(reader, logByteCount: 0)
  }

  /// The file system as it is after the replay; nil if nothing is replayed.
  mutating func run() throws(FileSystemError) -> XFSOverlay? {
    guard reader.geometry.logStart != 0 else {
      notes.append("the log is on another device, and was not replayed: \(Self.missing)")
      return nil
    }
    guard let range = reader.geometry.log, let log = XFSLog(reader, range) else {
      notes.append("the log is damaged, and was not replayed: \(Self.missing)")
      return nil
    }
    let stretch: XFSLog.Stretch
    switch try log.state() {
    case .clean: return nil
    case .unknown(let problem):
      notes.append("the log \(problem), and was not replayed: \(Self.missing)")
      return nil
    case .dirty(let found): stretch = found
    }
    guard reader.superblock.isLogKnown else {
      notes.append("the log has unknown features, and was not replayed: \(Self.missing)")
      return nil
    }
    sectors = XFSReplayedSectors(reader, logByteCount: log.byteCount)
    let damage = try forEachTransaction(in: stretch, of: log) {
      replay, transaction throws(FileSystemError) in replay.gather(transaction)
    }
    let problem = try forEachTransaction(in: stretch, of: log) {
      replay, transaction throws(FileSystemError) in try replay.apply(transaction)
    }
    try sectors.seal()
    if stretch.isTorn {
      notes.append("the last records of the log are incomplete, and were not replayed")
    }
    describe(problem ?? damage)
    return sectors.overlay
  }

  private mutating func describe(_ problem: String?) {
    if let problem {
      notes.append(
        "the log is damaged, \(problem): the rest was not replayed, and \(Self.missing)")
    }
    if isTooMuch {
      notes.append(
        "the log exceeds the supported size, and was not replayed completely:"
          + " \(Self.missing)")
    }
    if damagedCount > 0 {
      notes.append("\(damagedCount) changes in the log are damaged, and were not replayed")
    }
    if isMore {
      notes.append(
        "the log was replayed, in memory: \(transactionCount) transactions,"
          + " \(sectors.count) sectors")
    }
    let pending = intents.values.count { $0 }
    if pending > 0 {
      notes.append(
        "the log announces \(pending) changes of files that a mount would carry out; these files"
          + " are shown as they were before")
    }
  }

  // MARK: - Transactions

  /// Calls `body` with each committed transaction, until it returns a problem.
  private mutating func forEachTransaction(
    in stretch: XFSLog.Stretch, of log: XFSLog,
    _ body: (inout XFSReplay, XFSLogTransaction) throws(FileSystemError) -> String?
  ) throws(FileSystemError) -> String? {
    var open: [UInt32: XFSLogTransaction] = [:]
    return try log.forEachRecord(in: stretch) {
      record, data, operations throws(FileSystemError) in
      for operation in operations {
        let bytes = data.span.extracting(operation.bytes)
        guard open[operation.transaction] != nil else {
          // Records after the end of a transaction, or begun before the tail, belong to none.
          guard operation.kind == .start else { continue }
          guard open.count < Self.openCountMax else { return "too many transactions" }
          open[operation.transaction] = XFSLogTransaction(
            lsn: UInt64(record.cycle) << 32 | record.sector)
          continue
        }
        var isRight = true
        switch operation.kind {
        case .region: isRight = open[operation.transaction]?.add(region: bytes) ?? false
        case .rest: isRight = open[operation.transaction]?.add(rest: bytes) ?? false
        case .unmount: open[operation.transaction] = nil
        case .commit:
          if let transaction = open.removeValue(forKey: operation.transaction),
            let problem = try body(&self, transaction)
          {
            return problem
          }
        case .start, .other: isRight = false
        }
        guard isRight else { return "a damaged transaction" }
      }
      return nil
    }
  }

  /// Notes the extents that a transaction frees.
  private mutating func gather(_ transaction: XFSLogTransaction) -> String? {
    guard let items = transaction.items() else { return "a damaged transaction" }
    for item in items {
      if case .buffer(let buffer)? = Self.decoded(item, transaction), buffer.isCancellation {
        freed[buffer.sector, default: [:]][buffer.sectorCount, default: 0] += 1
      }
    }
    return nil
  }

  private static func decoded(
    _ item: XFSLogTransaction.Item, _ transaction: XFSLogTransaction
  ) -> XFSLogItem? {
    item.regions.first.flatMap { XFSLogItem(transaction.bytes.span.extracting($0)) }
  }

  private mutating func apply(
    _ transaction: XFSLogTransaction
  ) throws(FileSystemError) -> String? {
    guard let items = transaction.items() else { return "a damaged transaction" }
    transactionCount += 1
    // Several transactions may have begun at once: none of them is older than another.
    try sectors.begin(lsn: transaction.lsn)
    var byOrder: [Order: [(XFSLogItem, XFSLogTransaction.Item)]] = [:]
    for item in items {
      guard let decoded = Self.decoded(item, transaction) else {
        damagedCount += 1
        continue
      }
      byOrder[Self.order(of: decoded), default: []].append((decoded, item))
    }
    for order in Order.allCases {
      for (decoded, item) in byOrder[order] ?? [] {
        let isRight = try apply(decoded, item, transaction)
        if !isRight { damagedCount += 1 }
        if sectors.isFull {
          isTooMuch = true
          return "more than fits into memory"
        }
      }
    }
    return nil
  }

  private static func order(of item: XFSLogItem) -> Order {
    switch item {
    case .buffer(let buffer):
      buffer.isCancellation ? .cancellations : buffer.isInodes ? .inodeLists : .blocks
    case .inodes: .blocks
    default: .others
    }
  }

  // MARK: - Items

  /// Replays an item; returns false if it is damaged.
  private mutating func apply(
    _ decoded: XFSLogItem, _ item: XFSLogTransaction.Item, _ transaction: XFSLogTransaction
  ) throws(FileSystemError) -> Bool {
    switch decoded {
    case .buffer(let buffer):
      if buffer.sector != 0 { isMore = true }
      if buffer.isCancellation {
        let count = freed[buffer.sector]?[buffer.sectorCount] ?? 0
        freed[buffer.sector]?[buffer.sectorCount] = count > 1 ? count - 1 : nil
        if freed[buffer.sector]?.isEmpty == true { freed[buffer.sector] = nil }
        return true
      }
      if buffer.isQuota || isFreed(buffer.sector, buffer.sectorCount) { return true }
      return try write(buffer, item.regions.dropFirst(), transaction)
    case .inode(let inode):
      isMore = true
      if isFreed(inode.sector, inode.sectorCount) { return true }
      return try write(inode, item.regions.dropFirst(), transaction)
    case .inodes(let inodes):
      isMore = true
      return try write(inodes)
    case .intent(let number, let isVisible): intents[number] = isVisible
    case .done(let number): intents[number] = nil
    case .quota: break
    }
    return true
  }

  /// Whether a block is freed later in the log; any that begins there if no length is given.
  func isFreed(_ sector: UInt64, _ sectorCount: Int?) -> Bool {
    guard let counts = freed[sector] else { return false }
    return sectorCount.map { counts[$0] != nil } ?? true
  }

  private mutating func write(
    _ buffer: XFSLogBuffer, _ regions: ArraySlice<Range<Int>>, _ transaction: XFSLogTransaction
  ) throws(FileSystemError) -> Bool {
    let start = buffer.sector * 512
    guard let copies = Self.copies(buffer, regions),
      let beginning = try sectors.bytes(start..<start + 512)
    else { return false }
    if buffer.isInodes { return try writeLists(buffer, copies, transaction) }
    if sectors.isNewer(beginning, than: transaction.lsn) { return true }
    for copy in copies {
      let bytes = transaction.bytes[copy.source..<copy.source + copy.target.count]
      guard try sectors.write(bytes, at: start + UInt64(copy.target.lowerBound)) else {
        return false
      }
    }
    sectors.willSeal(start..<start + UInt64(buffer.sectorCount * 512))
    if start == 0 { try sectors.readGeometry() }
    return true
  }

  /// Replays which inodes follow each other in the lists of inodes without names.
  private mutating func writeLists(
    _ buffer: XFSLogBuffer, _ copies: [(target: Range<Int>, source: Int)],
    _ transaction: XFSLogTransaction
  ) throws(FileSystemError) -> Bool {
    let size = reader.geometry.inodeByteCount
    for copy in copies {
      // Where in an inode the number of the next one is.
      let first = max(copy.target.lowerBound - 96 + size - 1, 0) / size
      for start in stride(from: first * size, to: copy.target.upperBound - 96, by: size) {
        let place = buffer.sector * 512 + UInt64(start)
        let source = copy.source + start + 96 - copy.target.lowerBound
        guard start + size <= buffer.sectorCount * 512,
          var record = try sectors.bytes(place..<place + UInt64(size))
        else { return false }
        record.replaceSubrange(96..<100, with: transaction.bytes[source..<source + 4])
        if reader.superblock.hasChecksums { XFSChecksum.seal(&record, at: 100) }
        guard try sectors.write(record[...], at: place) else { return false }
      }
    }
    return true
  }

  /// The parts of a buffer and their places in a transaction; nil if regions are missing.
  private static func copies(
    _ buffer: XFSLogBuffer, _ regions: ArraySlice<Range<Int>>
  ) -> [(target: Range<Int>, source: Int)]? {
    var (copies, index) = ([(target: Range<Int>, source: Int)](), regions.startIndex)
    for part in buffer.parts {
      var position = part.lowerBound
      // Adjacent changes may still be several regions.
      while position < part.upperBound {
        guard index < regions.endIndex else { return nil }
        let piece = XFSLogBuffer.pieceByteCount
        let count = min(part.upperBound - position, regions[index].count / piece * piece)
        guard count > 0 else { return nil }
        copies.append((position..<position + count, regions[index].lowerBound))
        (position, index) = (position + count, index + 1)
      }
    }
    return copies
  }
}
