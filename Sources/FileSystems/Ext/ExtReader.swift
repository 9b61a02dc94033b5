import BlockIO
import FileSystemFormat
import Synchronization

/// Reads the structures of an ext2, ext3 or ext4, through a cache of 16 MiB.
final class ExtReader: Sendable {
  /// The source of the file system, with the journal's content.
  let source: any BlockSource
  let superblock: Ext4Superblock
  /// The sixteen bytes that name the file system.
  private let uuid: [UInt8]
  /// The owners of the blocks of maps without checksums.
  let mapBlocks = MapBlocks()
  private let cache: Mutex<Cache>

  /// Some bytes of the cache.
  struct Page {
    let bytes: [UInt8]
    let range: Range<Int>
  }

  /// Consecutive bytes that are read at once, and where a group's tables are.
  private struct Cache {
    var windows: [(start: UInt64, bytes: [UInt8])?]
    var groups: [UInt32: Group] = [:]
  }

  /// The facts about a group.
  struct Group {
    let descriptor: Ext4GroupDescriptor
    /// Whether its flags of tables that were never used are reliable.
    let tellsUnused: Bool
    /// The damage of the descriptor that should have been read.
    let damage: FileSystemDamage?
  }

  private static let cacheByteCount = 16 << 20
  private static let groupCountMax = 1 << 16

  init(_ source: any BlockSource, _ superblock: Ext4Superblock, uuid: [UInt8]) {
    (self.source, self.superblock, self.uuid) = (source, superblock, uuid)
    windowByteCount = UInt64(max(superblock.blockByteCount, 16 << 10))
    cache = Mutex(
      Cache(windows: Array(repeating: nil, count: Self.cacheByteCount / Int(windowByteCount))))
  }

  private let windowByteCount: UInt64

  var blockByteCount: UInt64 { UInt64(superblock.blockByteCount) }

  /// The bytes of blocks, which are within the file system.
  func range(ofBlocks first: UInt64, count: UInt64 = 1) -> Range<UInt64> {
    first * blockByteCount..<(first + count) * blockByteCount
  }

  /// Whether blocks are within the file system.
  func contains(_ first: UInt64, count: UInt64 = 1) -> Bool {
    first < superblock.blockCount && count <= superblock.blockCount - first
      && first >= UInt64(superblock.firstDataBlock)
  }

  // MARK: - Bytes

  /// A block; nil if it is not within the file system, or cannot be read.
  func block(_ number: UInt64) throws(FileSystemError) -> Page? {
    contains(number)
      ? try page(number * blockByteCount, byteCount: superblock.blockByteCount) : nil
  }

  /// Bytes that do not cross a block's boundary; nil if they cannot be read.
  func page(_ byteOffset: UInt64, byteCount: Int) throws(FileSystemError) -> Page? {
    let start = byteOffset / windowByteCount * windowByteCount
    let within = Int(byteOffset - start)..<Int(byteOffset - start) + byteCount
    let slot = Int(start / windowByteCount % UInt64(Self.cacheByteCount) % 1024)
    let found = cache.withLock { cache -> [UInt8]? in
      guard let window = cache.windows[slot % cache.windows.count], window.start == start else {
        return nil
      }
      return window.bytes
    }
    if let found, within.upperBound <= found.count { return Page(bytes: found, range: within) }
    let end = min(start + windowByteCount, source.byteCount)
    if start < end, let bytes = try bytes(start..<end) {
      cache.withLock { $0.windows[slot % $0.windows.count] = (start, bytes) }
      return within.upperBound <= bytes.count ? Page(bytes: bytes, range: within) : nil
    }
    // A bad sector near it must not take it along.
    guard let bytes = try bytes(byteOffset..<byteOffset + UInt64(byteCount)) else { return nil }
    return Page(bytes: bytes, range: 0..<byteCount)
  }

  /// Bytes past the cache; nil if they cannot be read.
  func bytes(_ range: Range<UInt64>) throws(FileSystemError) -> [UInt8]? {
    guard range.upperBound <= source.byteCount else { return nil }
    let buffer = IOBuffer(byteCount: range.count)
    do throws(BlockIOError) {
      try source.read(at: range.lowerBound, into: buffer, 0..<range.count)
      return buffer.bytes(0..<range.count)
    } catch {
      guard error.isUnreadableMedium else { throw .io(error) }
      return nil
    }
  }

  // MARK: - Groups

  /// The descriptor of a group, or a copy of it; nil if there is none to rely on.
  func group(_ index: UInt32) throws(FileSystemError) -> Group? {
    if let known = cache.withLock({ $0.groups[index] }) { return known }
    let size = superblock.descriptorByteCount
    let perBlock = UInt64(superblock.blockByteCount / size)
    let within = Int(UInt64(index) % perBlock) * size
    var damage: FileSystemDamage?
    for (copy, block) in superblock.blocks(ofDescriptors: UInt64(index) / perBlock).enumerated() {
      if let page = try self.block(block) {
        let start = page.range.lowerBound + within
        let bytes = Array(page.bytes[start..<start + size])
        let descriptor = Ext4GroupDescriptor(decoding: bytes.span)
        if isRight(bytes.span, index),
          contains(descriptor.inodeTable, count: superblock.tableBlockCount)
        {
          let group = Group(
            descriptor: descriptor,
            // Copies are not kept up to date.
            tellsUnused: copy == 0 && superblock.hasDescriptorChecksums, damage: damage)
          cache.withLock {
            if $0.groups.count >= Self.groupCountMax { $0.groups.removeAll() }
            $0.groups[index] = group
          }
          return group
        }
      }
      if damage == nil {
        let start = block &* blockByteCount &+ UInt64(within)
        damage = FileSystemDamage(
          "descriptor of group \(index): damaged",
          at: contains(block) ? start..<start + UInt64(size) : nil)
      }
    }
    return nil
  }

  private func isRight(_ descriptor: Span<UInt8>, _ index: UInt32) -> Bool {
    if superblock.hasMetadataChecksums {
      return Ext4GroupDescriptor.isRight(descriptor, group: index, seed: superblock.seed)
    }
    guard superblock.hasDescriptorChecksums else { return true }
    let uuid = uuid
    return Ext4GroupDescriptor.isRightByCRC16(descriptor, group: index, uuid: uuid.span)
  }

  /// The number of inodes of a group's table that were ever used, from its beginning.
  func usedInodeCount(_ group: Group) -> UInt32 {
    guard group.tellsUnused else { return superblock.inodesPerGroup }
    if group.descriptor.isInodeTableUnused { return 0 }
    let unused = group.descriptor.unusedInodeCount
    return superblock.inodesPerGroup - min(unused, superblock.inodesPerGroup)
  }

  /// The place of an inode, which exists; nil if it was never used.
  func place(ofInode number: UInt32) throws(FileSystemError) -> UInt64? {
    let (group, index) = (number - 1).quotientAndRemainder(dividingBy: superblock.inodesPerGroup)
    guard let found = try self.group(group) else {
      throw .damaged(
        source.name, FileSystemDamage("descriptor of group \(group), with inode \(number): lost"))
    }
    guard index < usedInodeCount(found) else { return nil }
    return found.descriptor.inodeTable * blockByteCount
      + UInt64(index) * UInt64(superblock.inodeByteCount)
  }
}
