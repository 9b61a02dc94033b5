internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// An ext4 whose metadata has checksums, within an origin: where its blocks and structures are.
///
/// Its geometry is taken from the snapshot, or, where the superblock is lost, from the origin or a
/// copy of it: it is the same in all of them.
struct Ext4Volume: Sendable {
  /// Where it begins, in bytes of the origin.
  let start: UInt64
  /// The superblock that was found first.
  let superblock: Ext4Superblock
  /// The group descriptors, of the snapshot if their checksums are right there.
  private(set) var groups: [Ext4GroupDescriptor]
  /// The number of its blocks in a chunk.
  let blocksPerChunk: Int
  private let chunkByteCount: UInt64

  /// More groups are not looked at: 16 TiB with blocks of 4 KiB.
  private static let groupCountMax: UInt64 = 1 << 17

  /// Finds the file system that begins at a byte of a view; nil without one whose metadata has
  /// checksums, or if its blocks do not fit in chunks.
  init?(_ view: SnapshotView, start: UInt64 = 0) throws(BlockIOError) {
    guard let superblock = try Self.superblock(view, start) else { return nil }
    let blockByteCount = UInt64(superblock.blockByteCount)
    let chunkByteCount = view.table.geometry.chunkSize.byteCount
    guard chunkByteCount >= blockByteCount, start % blockByteCount == 0,
      superblock.groupCount <= Self.groupCountMax,
      chunkByteCount <= OrphanReader.chunkByteCountMax
    else { return nil }
    self.start = start
    self.superblock = superblock
    self.chunkByteCount = chunkByteCount
    blocksPerChunk = Int(chunkByteCount / blockByteCount)
    groups = try Self.groups(view, superblock, start)
  }

  /// The same with the group descriptors that a view has.
  func with(groupsOf view: SnapshotView) throws(BlockIOError) -> Ext4Volume {
    var volume = self
    let groups = try Self.groups(view, superblock, start)
    if groups.count == self.groups.count { volume.groups = groups }
    return volume
  }

  private static func superblock(
    _ view: SnapshotView, _ start: UInt64
  ) throws(BlockIOError) -> Ext4Superblock? {
    // Copies are in group 1 at the latest, wherever blocks of 1 or 4 KiB put that.
    let sources: [any BlockSource] = [view, view.origin]
    for place in [1024, 8193 << 10, 32768 << 12] as [UInt64] {
      for source in sources {
        if let bytes = try source.whole(at: start &+ place, count: Ext4Superblock.byteCount),
          let superblock = Ext4Superblock(decoding: bytes.span)
        {
          return superblock
        }
      }
    }
    return nil
  }

  private static func groups(
    _ view: SnapshotView, _ superblock: Ext4Superblock, _ start: UInt64
  ) throws(BlockIOError) -> [Ext4GroupDescriptor] {
    let size = superblock.descriptorByteCount
    var groups: [Ext4GroupDescriptor] = []
    for index in 0..<superblock.descriptorBlockCount {
      guard let block = superblock.block(ofDescriptors: index) else { return [] }
      let place = start + block * UInt64(superblock.blockByteCount)
      let now = try view.whole(at: place, count: superblock.blockByteCount)
      let before = try view.origin.whole(at: place, count: superblock.blockByteCount)
      for offset in stride(from: 0, to: superblock.blockByteCount, by: size)
      where UInt64(groups.count) < superblock.groupCount {
        func descriptor(_ bytes: [UInt8]?) -> Ext4GroupDescriptor? {
          guard let bytes else { return nil }
          let part = bytes.span.extracting(offset..<offset + size)
          let isRight = Ext4GroupDescriptor.isRight(
            part, group: UInt32(groups.count), seed: superblock.seed)
          return isRight ? Ext4GroupDescriptor(decoding: part) : nil
        }
        guard let found = descriptor(now) ?? descriptor(before) else { return [] }
        groups.append(found)
      }
    }
    return groups
  }

  /// The length of a block in bytes.
  var blockByteCount: Int { superblock.blockByteCount }

  /// The block that has the superblock.
  var superblockBlock: UInt64 { UInt64(Ext4Superblock.byteOffset / blockByteCount) }

  /// The chunk of the origin that has a block.
  func chunk(of block: UInt64) -> UInt64 { byteOffset(of: block) / chunkByteCount }

  /// The index of a block in its chunk.
  func index(of block: UInt64) -> Int {
    Int(byteOffset(of: block) % chunkByteCount / UInt64(blockByteCount))
  }

  /// The block in a place of a chunk of the origin; nil outside the file system.
  func block(_ index: Int, of chunk: UInt64) -> UInt64? {
    let byteOffset = chunk &* chunkByteCount &+ UInt64(index * blockByteCount)
    guard byteOffset >= start else { return nil }
    let block = (byteOffset - start) / UInt64(blockByteCount)
    return block < superblock.blockCount ? block : nil
  }

  /// The place of a block in the origin, in bytes.
  func byteOffset(of block: UInt64) -> UInt64 { start &+ block &* UInt64(blockByteCount) }

  /// The block of an inode table that has an inode, and the inode's place in it; nil if there is
  /// none.
  func place(ofInode number: UInt32) -> (block: UInt64, slot: Int)? {
    guard number >= 1, number <= superblock.inodeCount else { return nil }
    let (group, within) = (number - 1).quotientAndRemainder(dividingBy: superblock.inodesPerGroup)
    guard group < groups.count else { return nil }
    let (block, slot) = Int(within).quotientAndRemainder(dividingBy: superblock.inodesPerBlock)
    return (groups[Int(group)].inodeTable &+ UInt64(block), slot)
  }

  /// A block's bytes; nil if any cannot be read.
  func read(_ block: UInt64, of source: any BlockSource) throws(BlockIOError) -> [UInt8]? {
    guard block < superblock.blockCount else { return nil }
    return try source.whole(at: byteOffset(of: block), count: blockByteCount)
  }

  /// Calls `body` with consecutive blocks of a source; those that cannot be read are zeroes.
  func forEach(
    _ blocks: Range<UInt64>, of source: any BlockSource,
    _ body: (UInt64, Span<UInt8>) -> Void
  ) throws(BlockIOError) {
    let buffer = IOBuffer(byteCount: max(1 << 20, blockByteCount))
    let windowCount = UInt64(buffer.byteCount / blockByteCount)
    var block = blocks.lowerBound
    let end = min(blocks.upperBound, superblock.blockCount)
    while block < end {
      let count = min(windowCount, end - block)
      let range = 0..<Int(count) * blockByteCount
      try source.readShowing(at: byteOffset(of: block), into: buffer, range)
      for index in 0..<Int(count) {
        let place = index * blockByteCount..<(index + 1) * blockByteCount
        buffer.withBytes(place) { body(block + UInt64(index), $0) }
      }
      block += count
    }
  }
}

extension BlockSource {
  /// Bytes of the source; nil if any cannot be read.
  func whole(at byteOffset: UInt64, count: Int) throws(BlockIOError) -> [UInt8]? {
    guard byteOffset < byteCount, byteCount - byteOffset >= UInt64(count) else { return nil }
    let buffer = IOBuffer(byteCount: count)
    do throws(BlockIOError) {
      try read(at: byteOffset, into: buffer, 0..<count)
    } catch {
      guard error.isUnreadableMedium else { throw error }
      return nil
    }
    return buffer.bytes(0..<count)
  }

  /// Reads with zeroes for bytes that cannot be read, or are past the end.
  func readShowing(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    buffer.zero(range)
    guard byteOffset < byteCount else { return }
    let count = Int(min(UInt64(range.count), byteCount - byteOffset))
    let bytes = byteOffset..<byteOffset + UInt64(count)
    if let view = self as? SnapshotView {
      var lost: [LostRange] = []
      try view.read(bytes, into: buffer, at: range.lowerBound, lost: &lost)
    } else {
      _ = try readAround(
        at: byteOffset, into: buffer, range.lowerBound..<range.lowerBound + count)
    }
  }
}
