import BlockIO
import FileSystemFormat

/// Replays a journal in memory: finds which blocks a mount would write home.
///
/// - Source: Linux `fs/jbd2/recovery.c`, `do_one_pass`; `fs/jbd2/revoke.c`.
struct ExtReplay {
  private let reader: ExtReader
  private var extents: [FileExtent] = []
  /// Notes on the replay: what was done, and what was not.
  private(set) var notes: [String] = []
  private var transactions: [Transaction] = []

  /// A transaction that was committed.
  private struct Transaction {
    let sequence: UInt32
    var blocks: [(tag: Ext4JournalTag, index: UInt32)] = []
    var revoked: [UInt64] = []
  }

  /// More blocks than any journal has.
  private static let blockCountMax: UInt32 = 1 << 24

  init(_ reader: ExtReader) { self.reader = reader }

  /// The file system as it is after the replay; nil if nothing is replayed.
  mutating func run() throws(FileSystemError) -> ExtOverlay? {
    let number = reader.superblock.journalInode
    guard number != 0 else {
      notes.append("the journal is on another device, and was not replayed")
      return nil
    }
    guard try findJournal(number), let bytes = try block(0),
      let journal = Ext4JournalSuperblock(ofAny: bytes.span), journal.unknownFeatures == 0,
      journal.blockByteCount == UInt32(reader.superblock.blockByteCount),
      journal.blockCount <= Self.blockCountMax,
      journal.fastCommitBlockCount < journal.blockCount - journal.first
    else {
      notes.append("the journal is damaged, and was not replayed: recent changes may be missing")
      return nil
    }
    if journal.fastCommitBlockCount > 0 { notes.append("fast commits are not replayed") }
    guard journal.start != 0 else { return nil }
    try scan(journal)
    return try overlay(journal.layout)
  }

  /// Finds the blocks of the journal by its inode, or by the superblock's copy of its map.
  private mutating func findJournal(_ number: UInt32) throws(FileSystemError) -> Bool {
    let superblock = reader.superblock
    if number <= superblock.inodeCount, let place = try? reader.place(ofInode: number),
      let page = try reader.page(place, byteCount: superblock.inodeByteCount)
    {
      let span = page.bytes.span.extracting(page.range)
      if !superblock.hasMetadataChecksums
        || Ext4Inode.isRight(span, number: number, seed: superblock.seed)
      {
        let fields = Ext4InodeFields(decoding: span)
        var map = ExtMap(reader, number: number, generation: fields.generation, blockLimit: .max)
        try map.read(span.extracting(Ext4Inode.map), fields.flags)
        if map.damage.isEmpty {
          extents = map.extents
          return true
        }
      }
    }
    guard superblock.journalMap.count == 60 else { return false }
    notes.append("the journal's inode is damaged: the superblock's copy of its map was used")
    var map = ExtMap(reader, number: number, generation: 0, blockLimit: .max)
    let isExtents = superblock.journalMap[0] == 0x0a && superblock.journalMap[1] == 0xf3
    try map.read(superblock.journalMap.span, isExtents ? .hasExtents : [])
    extents = map.extents
    return map.damage.isEmpty
  }

  /// Where a block of the journal is.
  private func place(_ index: UInt32) -> UInt64? {
    let position = UInt64(index) * reader.blockByteCount
    let found = extents.partitioningIndex { $0.file.upperBound > position }
    guard found < extents.count, extents[found].file.contains(position),
      case .data(let start) = extents[found].place
    else { return nil }
    return start + position - extents[found].file.lowerBound
  }

  /// A block of the journal; nil if it is nowhere, or cannot be read.
  private func block(_ index: UInt32) throws(FileSystemError) -> [UInt8]? {
    guard let place = place(index),
      let page = try reader.page(place, byteCount: reader.superblock.blockByteCount)
    else { return nil }
    return Array(page.bytes[page.range])
  }

  // MARK: - Scanning

  /// Gathers transactions up to the first that is not complete.
  private mutating func scan(_ journal: Ext4JournalSuperblock) throws(FileSystemError) {
    let end = journal.blockCount - journal.fastCommitBlockCount
    var (next, sequence, seen) = (journal.start, journal.sequence, UInt32(0))
    guard next >= journal.first, next < end else {
      notes.append("the journal has no start, and was not replayed")
      return
    }
    func step(_ count: UInt32 = 1) {
      // A descriptor has fewer blocks than the log, or is none; see below.
      next += count
      if next >= end { next -= end - journal.first }
      seen += count
    }
    var current = Transaction(sequence: sequence)
    var isStale = false
    var revokedCount = 0
    var checksum = ExtTransactionChecksum()
    while seen < end, let bytes = try block(next),
      let header = Ext4JournalHeader(decoding: bytes.span), header.sequence == sequence
    {
      step()
      switch header.kind {
      case .descriptor:
        guard let tags = journal.layout.tags(of: bytes.span) else {
          isStale = true
          continue
        }
        guard tags.count < end - journal.first else { return }
        if journal.hasTransactionChecksums { checksum.add(bytes.span) }
        for tag in tags {
          current.blocks.append((tag, next))
          if journal.hasTransactionChecksums, let data = try block(next) {
            checksum.add(data.span)
          }
          step()
        }
      case .revocation:
        guard let revoked = journal.layout.revoked(by: bytes.span) else {
          isStale = true
          continue
        }
        revokedCount += revoked.count
        guard revokedCount <= Self.blockCountMax else { return }
        current.revoked += revoked
      case .commit:
        guard !isStale, journal.layout.isRight(commit: bytes.span),
          !journal.hasTransactionChecksums || checksum.isRight(commit: bytes.span)
        else {
          notes.append(
            "the journal's transaction \(sequence) has a wrong checksum: it and those after it"
              + " were not replayed")
          return
        }
        transactions.append(current)
        sequence &+= 1
        current = Transaction(sequence: sequence)
        checksum = ExtTransactionChecksum()
      case .superblock: return
      }
    }
  }

  // MARK: - Replaying

  /// The last committed version of each block, but for those that were revoked later.
  private mutating func overlay(
    _ layout: Ext4JournalLayout
  ) throws(FileSystemError) -> ExtOverlay? {
    var revoked: [UInt64: UInt32] = [:]
    for transaction in transactions {
      for block in transaction.revoked { revoked[block] = transaction.sequence }
    }
    var blocks: [UInt64: ExtOverlay.Block] = [:]
    var damagedCount = 0
    for transaction in transactions {
      for (tag, index) in transaction.blocks {
        if let last = revoked[tag.block],
          Int32(bitPattern: transaction.sequence &- last) <= 0
        {
          continue
        }
        guard reader.contains(tag.block), let place = place(index), let bytes = try block(index),
          layout.isRight(tag, bytes.span, sequence: transaction.sequence)
        else {
          damagedCount += 1
          continue
        }
        let range = reader.range(ofBlocks: tag.block)
        guard range.upperBound <= reader.source.byteCount else { continue }
        blocks[tag.block] = ExtOverlay.Block(
          home: range.lowerBound, place: place, isEscaped: tag.isEscaped)
      }
    }
    if damagedCount > 0 {
      notes.append("\(damagedCount) blocks of the journal are damaged, and were not replayed")
    }
    guard let first = transactions.first, let last = transactions.last else { return nil }
    notes.append(
      "the journal was replayed, in memory: transactions \(first.sequence) to \(last.sequence),"
        + " \(blocks.count) blocks")
    return ExtOverlay(
      reader.source, blockByteCount: reader.blockByteCount, Array(blocks.values))
  }
}

/// The checksum that commits had before blocks had their own: CRC-32, big-endian, of all blocks of
/// a transaction.
private struct ExtTransactionChecksum {
  private var register: UInt32 = ~0

  mutating func add(_ bytes: Span<UInt8>) {
    for index in bytes.indices {
      register = register << 8 ^ Self.table[Int(register >> 24) ^ Int(bytes[index])]
    }
  }

  /// Whether a commit has it, or has none at all.
  func isRight(commit bytes: Span<UInt8>) -> Bool {
    let (kind, size) = (bytes[12], bytes[13])
    let stored: UInt32 = bytes.big(at: 16)
    return kind == 1 && size == 4 && stored == register || kind == 0 && size == 0 && stored == 0
  }

  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte) << 24) { value, _ in
      value & 1 << 31 != 0 ? value << 1 ^ 0x04c1_1db7 : value << 1
    }
  }
}
