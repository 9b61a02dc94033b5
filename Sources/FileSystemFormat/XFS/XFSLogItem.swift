/// A change by an item of a log, according to its first region.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_log_format.h`, the `XFS_LI_` numbers.
package enum XFSLogItem: Equatable, Sendable {
  /// Parts of a block of metadata.
  case buffer(XFSLogBuffer)
  /// An inode.
  case inode(XFSLogInode)
  /// Inodes that are new, and empty.
  case inodes(XFSLogInodes)
  /// An action announced for a later transaction, with a number; whether it changes what files
  /// show.
  case intent(UInt64, isVisible: Bool)
  /// The announced action with that number is done.
  case done(UInt64)
  /// Quotas, which files do not show.
  case quota

  /// Decodes the first region of an item; nil if it is unknown, or is cut.
  package init?(_ bytes: Span<UInt8>) {
    guard bytes.count >= 4 else { return nil }
    switch bytes.little(at: 0, as: UInt16.self) {
    case 0x123c:
      guard let buffer = XFSLogBuffer(bytes) else { return nil }
      self = .buffer(buffer)
    case 0x123b:
      guard let inode = XFSLogInode(bytes) else { return nil }
      self = .inode(inode)
    case 0x123f:
      guard let inodes = XFSLogInodes(bytes) else { return nil }
      self = .inodes(inodes)
    case 0x123d, 0x123e: self = .quota
    // Extents to free, reverse mappings, reference counts; each with those of real-time devices.
    case 0x1236, 0x1240, 0x1242, 0x124a, 0x124c, 0x124e:
      guard bytes.count >= 16 else { return nil }
      self = .intent(bytes.little(at: 8), isVisible: false)
    // Extents of files, attributes, mappings to exchange.
    case 0x1244, 0x1246, 0x1248:
      guard bytes.count >= 16 else { return nil }
      self = .intent(bytes.little(at: 8), isVisible: true)
    case 0x1237, 0x1241, 0x1243, 0x1245, 0x1247, 0x1249, 0x124b, 0x124d, 0x124f:
      guard bytes.count >= 16 else { return nil }
      self = .done(bytes.little(at: 8))
    default: return nil
    }
  }
}

/// Parts of a block of metadata that were logged: which pieces of 128 bytes.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_log_format.h`, `struct xfs_buf_log_format`.
package struct XFSLogBuffer: Equatable, Sendable {
  /// The length that one bit covers.
  package static let pieceByteCount = 128

  /// Where it is, in sectors of 512 bytes from the beginning of the file system.
  package let sector: UInt64
  /// Its length, in sectors.
  package let sectorCount: Int
  /// Whether it was freed: its earlier log entries are not replayed.
  package let isCancellation: Bool
  /// Whether only the next inodes of the lists of inodes without names are to be replayed.
  package let isInodes: Bool
  /// Whether it has quotas.
  package let isQuota: Bool
  /// The parts of it that were logged, in bytes, ascending.
  package let parts: [Range<Int>]

  init?(_ bytes: Span<UInt8>) {
    guard bytes.count >= 20 else { return nil }
    let flags: UInt16 = bytes.little(at: 4)
    (isInodes, isCancellation, isQuota) = (flags & 1 != 0, flags & 2 != 0, flags & 0x1c != 0)
    sectorCount = Int(bytes.little(at: 6, as: UInt16.self))
    sector = bytes.little(at: 8)
    let wordCount = Int(bytes.little(at: 16, as: UInt32.self))
    guard sector < 1 << 54, 1...128 ~= sectorCount, wordCount <= (bytes.count - 20) / 4 else {
      return nil
    }
    var parts: [Range<Int>] = []
    for bit in 0..<wordCount * 32 {
      let word: UInt32 = bytes.little(at: 20 + bit / 32 * 4)
      guard word >> UInt32(bit % 32) & 1 != 0 else { continue }
      let start = bit * Self.pieceByteCount
      if let last = parts.last, last.upperBound == start {
        parts[parts.count - 1] = last.lowerBound..<start + Self.pieceByteCount
      } else {
        parts.append(start..<start + Self.pieceByteCount)
      }
    }
    guard parts.last?.upperBound ?? 0 <= sectorCount * 512 else { return nil }
    self.parts = parts
  }
}

/// A chunk of inodes that was made.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_log_format.h`, `struct xfs_icreate_log`;
///   `xfs_ialloc.c`, `xfs_ialloc_inode_init`.
package struct XFSLogInodes: Equatable, Sendable {
  /// The group that it is in.
  package let group: UInt64
  /// Its first block, as a number within the group.
  package let block: UInt64
  /// The number of inodes.
  package let count: Int
  /// The length of an inode.
  package let inodeByteCount: Int
  /// The number of blocks.
  package let blockCount: UInt64
  private let generation: UInt32

  init?(_ bytes: Span<UInt8>) {
    guard bytes.count >= 28 else { return nil }
    // Big-endian, unlike the rest.
    group = UInt64(bytes.big(at: 4, as: UInt32.self))
    block = UInt64(bytes.big(at: 8, as: UInt32.self))
    count = Int(bytes.big(at: 12, as: UInt32.self))
    inodeByteCount = Int(bytes.big(at: 16, as: UInt32.self))
    blockCount = UInt64(bytes.big(at: 20, as: UInt32.self))
    generation = bytes.big(at: 24)
    // A chunk of inodes, or a block of 64 KiB if that has more.
    guard 1...2 * XFSInodeChunk.inodeCount ~= count else { return nil }
  }

  /// The bytes of a new inode.
  package func record(_ number: UInt64, of geometry: XFSGeometry) -> [UInt8] {
    var record = [UInt8](repeating: 0, count: geometry.inodeByteCount)
    record.put(big: XFSMagic.inode, at: 0)
    record[4] = 3
    record.put(big: generation, at: 92)
    record.put(big: UInt32.max, at: 96)
    record.put(big: number, at: 152)
    record.put(big: geometry.metaUUID.high, at: 160)
    record.put(big: geometry.metaUUID.low, at: 168)
    XFSChecksum.seal(&record, at: 100)
    return record
  }
}
