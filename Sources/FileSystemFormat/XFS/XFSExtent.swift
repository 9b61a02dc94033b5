/// Consecutive blocks of a file: a record of 128 bits.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_format.h`, `struct xfs_bmbt_rec`.
package struct XFSExtent: Equatable, Sendable {
  /// Its size on the disk.
  package static let byteCount = 16

  /// The first block within the file, of 54 bits.
  package let fileBlock: UInt64
  /// The first block on the disk, as a number with a group, of 52 bits.
  package let block: UInt64
  /// The number of blocks, of 21 bits.
  package let blockCount: UInt64
  /// Whether the space is only reserved, and reads as zeroes.
  package let isUnwritten: Bool

  /// Reads a record; the caller has checked that it is within the span.
  package init(_ bytes: Span<UInt8>, at byteOffset: Int) {
    let high: UInt64 = bytes.big(at: byteOffset)
    let low: UInt64 = bytes.big(at: byteOffset + 8)
    isUnwritten = high >> 63 != 0
    fileBlock = (high << 1) >> 10
    block = (high & 0x1ff) << 43 | low >> 21
    blockCount = low & 0x1f_ffff
  }
}

extension XFSGeometry {
  /// The bytes of consecutive blocks, by the first one's number with a group; nil if they are not
  /// all in that group, or there are none.
  package func bytes(ofBlocks first: UInt64, count: UInt64) -> Range<UInt64>? {
    guard count > 0, let start = byteOffset(ofBlock: first) else { return nil }
    let block = first & ((1 << UInt64(groupBlockBits)) - 1)
    guard count <= groupBlockCount - block,
      count <= (byteCount - start) / UInt64(blockByteCount)
    else { return nil }
    return start..<start + count * UInt64(blockByteCount)
  }

  /// The bytes of a file that an extent is; nil if no file is as long.
  package func fileBytes(of extent: XFSExtent) -> Range<UInt64>? {
    let block = UInt64(blockByteCount)
    guard extent.fileBlock + extent.blockCount <= (1 << 63) / block else { return nil }
    return extent.fileBlock * block..<(extent.fileBlock + extent.blockCount) * block
  }
}

/// A block of a btree: of a group with numbers of 32 bits, or of a file's extents with 64.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_format.h`, `struct xfs_btree_block`, `xfs_bmdr_block`.
package struct XFSBtreeBlock: Equatable, Sendable {
  /// The btrees whose blocks can be read.
  package enum Tree: Sendable {
    case freeByBlock, freeByCount, inodes, extents

    var oldMagic: UInt32 {
      switch self {
      case .freeByBlock: 0x4142_5442  // ABTB
      case .freeByCount: 0x4142_5443  // ABTC
      case .inodes: 0x4941_4254  // IABT
      case .extents: 0x424d_4150  // BMAP
      }
    }

    /// The kind of ``XFSBlock`` for a block of it.
    package var kind: XFSBlock.Kind {
      switch self {
      case .freeByBlock: .freeByBlock
      case .freeByCount: .freeByCount
      case .inodes: .inodes
      case .extents: .extents
      }
    }

    var keyByteCount: Int { self == .inodes ? 4 : 8 }
    var pointerByteCount: Int { self == .extents ? 8 : 4 }
    var recordByteCount: Int {
      switch self {
      case .freeByBlock, .freeByCount: 8
      case .inodes, .extents: 16
      }
    }
  }

  /// The highest level that Linux makes.
  package static let levelMax = 9

  /// Zero for a leaf.
  package let level: Int
  /// The number of records, or children.
  package let count: Int
  private let keysStart: Int
  private let pointersStart: Int
  private let tree: Tree

  /// Decodes the header of a block; nil if it does not belong to this tree, or cannot hold its
  /// stated number of entries.
  ///
  /// - Parameter hasChecksums: Whether the file system is of version 5; ``XFSBlock`` has checked
  ///   the block then.
  package init?(_ bytes: Span<UInt8>, of tree: Tree, hasChecksums: Bool) {
    let header =
      tree == .extents ? (hasChecksums ? 72 : 24) : (hasChecksums ? 56 : 16)
    guard bytes.count >= 512,
      hasChecksums || bytes.big(at: 0, as: UInt32.self) == tree.oldMagic
    else { return nil }
    level = Int(bytes.big(at: 4, as: UInt16.self))
    count = Int(bytes.big(at: 6, as: UInt16.self))
    self.tree = tree
    let room = bytes.count - header
    let countMax =
      room / (level == 0 ? tree.recordByteCount : tree.keyByteCount + tree.pointerByteCount)
    guard level < Self.levelMax, count <= countMax else { return nil }
    keysStart = header
    pointersStart = header + countMax * tree.keyByteCount
  }

  /// Decodes the root of a tree of extents in an inode; nil if it cannot hold its stated number of
  /// entries.
  package init?(root bytes: Span<UInt8>) {
    guard bytes.count >= 4 else { return nil }
    tree = .extents
    level = Int(bytes.big(at: 0, as: UInt16.self))
    count = Int(bytes.big(at: 2, as: UInt16.self))
    let countMax = (bytes.count - 4) / 16
    guard 1..<Self.levelMax ~= level, 1...max(countMax, 1) ~= count, countMax > 0 else {
      return nil
    }
    keysStart = 4
    pointersStart = 4 + countMax * 8
  }

  /// Where a record of a leaf begins.
  package func recordOffset(_ index: Int) -> Int { keysStart + index * tree.recordByteCount }

  /// The first number in the key of a child: a block within the file or group, or an inode.
  package func key(_ index: Int, in bytes: Span<UInt8>) -> UInt64 {
    let offset = keysStart + index * tree.keyByteCount
    return tree == .extents ? bytes.big(at: offset) : UInt64(bytes.big(at: offset, as: UInt32.self))
  }

  /// The number of a child's block: within the group, or of extents with a group.
  package func pointer(_ index: Int, in bytes: Span<UInt8>) -> UInt64 {
    let offset = pointersStart + index * tree.pointerByteCount
    return tree == .extents ? bytes.big(at: offset) : UInt64(bytes.big(at: offset, as: UInt32.self))
  }
}

/// Sixty-four inodes in a row, some of which may not be there.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_format.h`, `struct xfs_inobt_rec`.
package struct XFSInodeChunk: Equatable, Sendable {
  /// The number of inodes.
  package static let inodeCount = 64

  /// The first inode, by its number within the group.
  package let first: UInt64
  /// A bit for each inode that is free.
  package let free: UInt64
  /// A bit for each inode that is on the disk.
  package let present: UInt64

  /// Reads a record; the caller has checked that it is within the span.
  package init(_ bytes: Span<UInt8>, at byteOffset: Int, isSparse: Bool) {
    first = UInt64(bytes.big(at: byteOffset, as: UInt32.self))
    free = bytes.big(at: byteOffset + 8)
    let holes: UInt16 = isSparse ? bytes.big(at: byteOffset + 4) : 0
    var present = UInt64.max
    for bit in 0..<16 where holes >> UInt16(bit) & 1 != 0 { present &= ~(0xf << UInt64(bit * 4)) }
    self.present = present
  }
}
