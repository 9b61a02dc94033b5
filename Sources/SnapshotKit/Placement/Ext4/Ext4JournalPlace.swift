internal import BlockIO
internal import FileSystemFormat

/// The place of the journal of an ext4, which never changes, and its layout.
struct Ext4JournalPlace: Sendable {
  /// Its superblock, as the origin has it now.
  let superblock: Ext4JournalSuperblock
  /// Its blocks in order.
  private let extents: [Ext4Extent]
  /// The same, ascending within the file system.
  private let byBlock: [Ext4Extent]

  /// The number of its blocks to look at: 8 GiB with blocks of 4 KiB.
  private static let blockCountMax: UInt32 = 1 << 21

  /// Finds the journal of a file system in an origin; nil without one within the file system whose
  /// blocks have checksums of 32 bits.
  init?(_ volume: Ext4Volume, _ origin: any BlockSource) throws(BlockIOError) {
    guard volume.superblock.journalInode != 0 else { return nil }
    var map = volume.superblock.journalMap
    if let found = try volume.inode(volume.superblock.journalInode, of: origin) {
      guard found.inode.hasExtents else { return nil }
      map = found.map
    }
    let found = try volume.extents(map, register: nil, of: origin)
    guard found.isWhole, let first = found.extents.first,
      let block = try volume.read(first.physical, of: origin),
      let superblock = Ext4JournalSuperblock(decoding: block.span),
      superblock.layout.isVersion3, superblock.blockCount <= Self.blockCountMax,
      superblock.blockByteCount == UInt32(volume.blockByteCount)
    else { return nil }
    var next: UInt64 = 0
    for extent in found.extents {
      guard UInt64(extent.logical) == next else { return nil }
      next += UInt64(extent.count)
    }
    guard next >= UInt64(superblock.blockCount) else { return nil }
    self.superblock = superblock
    extents = found.extents
    byBlock = found.extents.sorted { $0.physical < $1.physical }
  }

  /// The number of blocks, with its superblock.
  var blockCount: Int { Int(superblock.blockCount) }

  /// The first block of the log.
  var first: Int { Int(superblock.first) }

  /// The block of the file system that is a block of the journal.
  func block(_ position: Int) -> UInt64 {
    let index = extents.partitioningIndex { Int($0.logical) + Int($0.count) > position }
    guard index < extents.count else { return 0 }
    return extents[index].physical + UInt64(position - Int(extents[index].logical))
  }

  /// The index in the journal of a block of the file system; nil if it is not one of the journal's.
  func position(of block: UInt64) -> Int? {
    let index = byBlock.partitioningIndex { $0.physical + UInt64($0.count) > block }
    guard index < byBlock.count, byBlock[index].physical <= block else { return nil }
    let position = Int(byBlock[index].logical) + Int(block - byBlock[index].physical)
    return position < blockCount ? position : nil
  }

  /// The block of the journal that is `distance` blocks after one, from the log's end back to its
  /// beginning.
  func position(_ position: Int, plus distance: Int) -> Int {
    let length = blockCount - first
    let place = (position - first + distance) % length
    return first + (place < 0 ? place + length : place)
  }

  /// Calls `body` with each block of the journal as a source has it, in order.
  func forEach(
    _ volume: Ext4Volume, of source: any BlockSource, _ body: (Int, Span<UInt8>) -> Void
  ) throws(BlockIOError) {
    for extent in extents {
      let blocks = extent.physical..<extent.physical + UInt64(extent.count)
      try volume.forEach(blocks, of: source) { block, bytes in
        let position = Int(extent.logical) + Int(block - extent.physical)
        if position < blockCount { body(position, bytes) }
      }
    }
  }
}
