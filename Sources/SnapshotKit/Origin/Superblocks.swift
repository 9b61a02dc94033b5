internal import BlockIO

/// The superblock of an ext2, ext3 or ext4.
///
/// - Source: Linux `fs/ext4/ext4.h`, `struct ext4_super_block`.
struct ExtSuperblock {
  let uuid: ArraySlice<UInt8>
  let writeTime: UInt64
  let mountTime: UInt64
  let mountCount: UInt16
  let writtenKiB: UInt64
  let needsRecovery: Bool
  /// The length of the file system; nil if it is absurd.
  let byteCount: UInt64?
  private let record: DiskRecord

  init?(_ source: any BlockSource) throws(BlockIOError) {
    guard let record = try DiskRecord(1024, at: 1024, of: source),
      record.little(at: 0x38, as: UInt16.self) == 0xef53
    else { return nil }
    func time(_ low: Int, _ high: Int) -> UInt64 {
      UInt64(record.little(at: low, as: UInt32.self))
        | UInt64(record.little(at: high, as: UInt8.self)) << 32
    }
    uuid = record.bytes(0x68..<0x78)
    writeTime = time(0x30, 0x274)
    mountTime = time(0x2c, 0x275)
    mountCount = record.little(at: 0x34)
    writtenKiB = record.little(at: 0x178)
    needsRecovery = record.little(at: 0x60, as: UInt32.self) & 0x4 != 0
    // The upper half counts only with 64-bit block numbers.
    let isWide = record.little(at: 0x60, as: UInt32.self) & 0x80 != 0
    let blockCount =
      UInt64(record.little(at: 0x4, as: UInt32.self))
      | (isWide ? UInt64(record.little(at: 0x150, as: UInt32.self)) << 32 : 0)
    let shift = record.little(at: 0x18, as: UInt32.self)
    let (byteCount, isAbsurd) = blockCount.multipliedReportingOverflow(
      by: 1024 << UInt64(min(shift, 6)))
    self.byteCount = isAbsurd ? nil : byteCount
    self.record = record
  }

  /// Where the journal begins, by the superblock's copy of its inode's map; nil without one.
  func journalOffset(in source: any BlockSource) throws(BlockIOError) -> UInt64? {
    let shift = record.little(at: 0x18, as: UInt32.self)
    let hasJournal = record.little(at: 0x5c, as: UInt32.self) & 0x4 != 0
    guard hasJournal, record.little(at: 0xfd, as: UInt8.self) == 1, shift <= 6 else { return nil }
    let blockByteCount = UInt64(1024) << UInt64(shift)
    var (node, start) = (record, 0x10c)
    guard node.little(at: start, as: UInt16.self) == 0xf30a else {
      return UInt64(node.little(at: start, as: UInt32.self)) * blockByteCount
    }
    for _ in 0..<6 {
      guard node.little(at: start, as: UInt16.self) == 0xf30a,
        node.little(at: start + 2, as: UInt16.self) > 0
      else { return nil }
      let isLeaf = node.little(at: start + 6, as: UInt16.self) == 0
      let low = node.little(at: start + (isLeaf ? 20 : 16), as: UInt32.self)
      let high = node.little(at: start + (isLeaf ? 18 : 20), as: UInt16.self)
      let byteOffset = (UInt64(high) << 32 | UInt64(low)) * blockByteCount
      if isLeaf { return byteOffset }
      guard let next = try DiskRecord(1024, at: byteOffset, of: source) else { return nil }
      (node, start) = (next, 0)
    }
    return nil
  }
}

/// The superblock of a journal.
///
/// - Source: Linux `include/linux/jbd2.h`, `struct journal_superblock_s`.
struct JournalSuperblock {
  let sequence: UInt32
  /// The block in which the log begins; 0 if it is empty.
  let start: UInt32

  init?(_ source: any BlockSource, at byteOffset: UInt64) throws(BlockIOError) {
    guard let record = try DiskRecord(1024, at: byteOffset, of: source),
      record.big(at: 0, as: UInt32.self) == 0xc03b_3998,
      (3...4).contains(record.big(at: 4, as: UInt32.self))
    else { return nil }
    sequence = record.big(at: 0x18)
    start = record.big(at: 0x1c)
  }
}

/// The first superblock of an XFS.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_format.h`, `struct xfs_dsb`.
struct XFSSuperblock {
  let uuid: ArraySlice<UInt8>
  /// The length of the file system; nil if it is absurd.
  let byteCount: UInt64?
  /// The log sequence number of its last write; 0 before version 5.
  let sequence: UInt64
  /// The bytes of the log; nil if it is on another device.
  let log: Range<UInt64>?

  init?(_ source: any BlockSource) throws(BlockIOError) {
    guard let record = try DiskRecord(512, at: 0, of: source), record.has("XFSB", at: 0) else {
      return nil
    }
    uuid = record.bytes(32..<48)
    let isVersion5 = record.big(at: 100, as: UInt16.self) & 0xf == 5
    sequence = isVersion5 ? record.big(at: 240) : 0
    let start = record.big(at: 48, as: UInt64.self)
    let blockByteCount = UInt64(record.big(at: 4, as: UInt32.self))
    let (whole, isAbsurd) = record.big(at: 8, as: UInt64.self)
      .multipliedReportingOverflow(by: blockByteCount)
    byteCount = isAbsurd ? nil : whole
    let groupBlockCount = UInt64(record.big(at: 84, as: UInt32.self))
    let shift = UInt64(record.big(at: 124, as: UInt8.self))
    guard start != 0, shift < 32, blockByteCount <= 1 << 16, start >> shift < 1 << 32 else {
      log = nil
      return
    }
    let (group, within) = (start >> shift, start & ((1 << shift) - 1))
    let (block, isWild) = (group * groupBlockCount).addingReportingOverflow(within)
    let (byteOffset, isWilder) = block.multipliedReportingOverflow(by: blockByteCount)
    let byteCount = UInt64(record.big(at: 96, as: UInt32.self)) * blockByteCount
    let (end, isWildest) = byteOffset.addingReportingOverflow(byteCount)
    log = isWild || isWilder || isWildest ? nil : byteOffset..<end
  }
}

/// The first superblock of a btrfs.
///
/// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `struct btrfs_super_block`.
struct BtrfsSuperblock {
  let uuid: ArraySlice<UInt8>
  let generation: UInt64

  init?(_ source: any BlockSource) throws(BlockIOError) {
    guard let record = try DiskRecord(512, at: 64 << 10, of: source), record.has("_BHRfS_M", at: 64)
    else { return nil }
    uuid = record.bytes(32..<48)
    generation = record.little(at: 72)
  }
}
