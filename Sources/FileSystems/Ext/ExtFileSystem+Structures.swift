import BlockIO
import FileSystemFormat
import Synchronization

extension ExtFileSystem {
  /// The bytes that belong to no file and no structure, ascending.
  ///
  /// A group whose bitmap is damaged has none; ``readFreeRanges()`` lists such groups.
  public func freeRanges() throws(FileSystemError) -> [Range<UInt64>] {
    try readFreeRanges().ranges
  }

  /// With this many damaged bitmaps, the others are not read.
  private static let damageCountMax = 1 << 16

  /// The bytes that belong to no file and no structure, ascending, and which bitmaps could not be
  /// read.
  package func readFreeRanges() throws(FileSystemError) -> (
    ranges: [Range<UInt64>], damage: [FileSystemDamage]
  ) {
    var ranges: [Range<UInt64>] = []
    var damage: [FileSystemDamage] = []
    for index in 0..<UInt32(truncatingIfNeeded: superblock.groupCount) {
      // Groups after the end of the source have nothing that could be read.
      guard
        superblock.firstBlock(ofGroup: UInt64(index)) * reader.blockByteCount
          < source.byteCount
      else { break }
      guard let group = try reader.group(index) else {
        damage.append(FileSystemDamage("descriptor of group \(index): lost"))
        if damage.count > Self.damageCountMax { break }
        continue
      }
      if group.tellsUnused, group.descriptor.isBlockBitmapUnused {
        for range in unusedRanges(ofGroup: UInt64(index), group.descriptor) {
          ranges.append(mergingInto: range)
        }
      } else if let bitmap = try bitmap(of: group.descriptor) {
        add(bitmap, ofGroup: UInt64(index), to: &ranges)
      } else {
        let block = group.descriptor.blockBitmap
        damage.append(
          FileSystemDamage(
            "bitmap of blocks of group \(index): damaged",
            at: reader.contains(block) ? reader.range(ofBlocks: block) : nil))
        if damage.count > Self.damageCountMax { break }
      }
    }
    return (ranges, damage)
  }

  /// The bitmap of a group's clusters; nil if it cannot be read, or its checksum is wrong.
  private func bitmap(
    of descriptor: Ext4GroupDescriptor
  ) throws(FileSystemError) -> ExtReader.Page? {
    guard let page = try reader.block(descriptor.blockBitmap) else { return nil }
    guard superblock.hasMetadataChecksums else { return page }
    let start = page.range.lowerBound
    var checksum = CRC32C(register: superblock.seed)
    checksum.add(
      page.bytes.span.extracting(start..<start + Int(superblock.clustersPerGroup) / 8))
    return descriptor.isRight(checksum.register, ofInodes: false) ? page : nil
  }

  /// The blocks of a group, as far as it has them.
  private func blocks(ofGroup group: UInt64) -> Range<UInt64> {
    let first = superblock.firstBlock(ofGroup: group)
    return first..<min(first + UInt64(superblock.blocksPerGroup), superblock.blockCount)
  }

  /// Adds the free blocks of a bitmap.
  private func add(
    _ page: ExtReader.Page, ofGroup group: UInt64, to ranges: inout [Range<UInt64>]
  ) {
    let (blocks, ratio) = (blocks(ofGroup: group), UInt64(superblock.blocksPerCluster))
    let bitmap = page.bytes.span.extracting(page.range)
    let count = min(
      UInt64(superblock.clustersPerGroup), (UInt64(blocks.count) + ratio - 1) / ratio)
    var cluster: UInt64 = 0
    while cluster < count {
      let byte = bitmap[Int(cluster / 8)]
      let step: UInt64
      // Most bytes are all of one kind.
      if cluster % 8 == 0, byte == 0xff || byte == 0 {
        step = min(8, count - cluster)
      } else {
        step = 1
      }
      if byte >> UInt8(cluster % 8) & 1 == 0 {
        let start = blocks.lowerBound + cluster * ratio
        let end = min(start + step * ratio, blocks.upperBound)
        ranges.append(mergingInto: reader.range(ofBlocks: start, count: end - start))
      }
      cluster += step
    }
  }

  /// The free bytes of a group whose bitmap was never written: all but its own structures.
  private func unusedRanges(
    ofGroup group: UInt64, _ descriptor: Ext4GroupDescriptor
  ) -> [Range<UInt64>] {
    let blocks = blocks(ofGroup: group)
    let ratio = UInt64(superblock.blocksPerCluster)
    var free = RangeSet(blocks)
    func take(_ first: UInt64, _ count: UInt64) {
      guard blocks.contains(first), count > 0 else { return }
      let start = (first - blocks.lowerBound) / ratio * ratio + blocks.lowerBound
      let end = (first + count - blocks.lowerBound + ratio - 1) / ratio * ratio + blocks.lowerBound
      free.remove(contentsOf: start..<end)
    }
    take(blocks.lowerBound, ownBlockCount(ofGroup: group))
    take(descriptor.blockBitmap, 1)
    take(descriptor.inodeBitmap, 1)
    take(descriptor.inodeTable, superblock.tableBlockCount)
    return free.ranges.map { reader.range(ofBlocks: $0.lowerBound, count: UInt64($0.count)) }
  }

  /// The number of blocks at the beginning of a group that hold a superblock and descriptors.
  func ownBlockCount(ofGroup group: UInt64) -> UInt64 {
    let hasSuperblock = superblock.hasSuperblock(group)
    let perBlock = UInt64(superblock.blockByteCount / superblock.descriptorByteCount)
    let (index, firstMeta) = (group / perBlock, UInt64(superblock.firstMetaGroup))
    guard superblock.incompatible & 0x10 == 0 || index < firstMeta else {
      let within = group % perBlock
      let hasDescriptors = within <= 1 || within == perBlock - 1
      return (hasSuperblock ? 1 : 0) + (hasDescriptors ? 1 : 0)
    }
    guard hasSuperblock else { return 0 }
    let count =
      superblock.incompatible & 0x10 == 0 ? superblock.descriptorBlockCount : firstMeta
    // Where the first block is the boot block, the superblock is in the second.
    let boot: UInt64 = superblock.blockByteCount == 1024 && superblock.firstDataBlock == 0 ? 1 : 0
    return 1 + count + UInt64(superblock.reservedDescriptorBlockCount) + (group == 0 ? boot : 0)
  }

  // MARK: - Which structure

  /// The name of the file system's structure that a byte is part of, if any:
  /// `inode table of group 3`.
  public func structure(at byteOffset: UInt64) -> String? {
    if byteOffset < 1024 { return "boot block" }
    if byteOffset < 2048 { return "superblock" }
    let block = byteOffset / reader.blockByteCount
    guard reader.contains(block) else { return nil }
    let first = UInt64(superblock.firstDataBlock)
    let (group, within) = (block - first).quotientAndRemainder(
      dividingBy: UInt64(superblock.blocksPerGroup))
    if within < ownBlockCount(ofGroup: group) {
      if within == 0, superblock.hasSuperblock(group) {
        return group == 0 ? "superblock" : "copy of the superblock in group \(group)"
      }
      return "group descriptors in group \(group)"
    }
    return structures.name(of: block, in: self)
  }
}

/// The places of bitmaps, inode tables and hidden files: found once, on first use.
final class ExtStructureIndex: Sendable {
  /// Consecutive blocks of one structure.
  private struct Entry {
    let blocks: Range<UInt64>
    let kind: Kind
    let number: UInt32
  }

  private enum Kind: UInt8 {
    case blockBitmap, inodeBitmap, inodeTable, journal, file, mountProtection
  }

  private let entries = Mutex<[Entry]?>(nil)

  /// More groups than a disk of 128 TiB has.
  private static let groupCountMax: UInt64 = 1 << 20

  func name(of block: UInt64, in system: ExtFileSystem) -> String? {
    entries.withLock { entries in
      let known = entries ?? Self.gather(system)
      entries = known
      let index = known.partitioningIndex { $0.blocks.upperBound > block }
      guard index < known.count, known[index].blocks.contains(block) else { return nil }
      let number = known[index].number
      return switch known[index].kind {
      case .blockBitmap: "bitmap of blocks of group \(number)"
      case .inodeBitmap: "bitmap of inodes of group \(number)"
      case .inodeTable: "inode table of group \(number)"
      case .journal: "journal"
      case .file: "hidden file, inode \(number)"
      case .mountProtection: "block of multi-mount protection"
      }
    }
  }

  private static func gather(_ system: ExtFileSystem) -> [Entry] {
    let (superblock, reader) = (system.superblock, system.reader)
    var entries: [Entry] = []
    for index in 0..<UInt32(min(superblock.groupCount, groupCountMax)) {
      guard let group = try? reader.group(index)?.descriptor else { continue }
      for (block, kind) in [
        (group.blockBitmap, Kind.blockBitmap), (group.inodeBitmap, .inodeBitmap),
      ] where reader.contains(block) {
        entries.append(Entry(blocks: block..<block + 1, kind: kind, number: index))
      }
      let table = group.inodeTable
      entries.append(
        Entry(
          blocks: table..<table + superblock.tableBlockCount, kind: .inodeTable, number: index))
    }
    if superblock.mountProtectionBlock != 0 {
      let block = superblock.mountProtectionBlock
      if reader.contains(block) {
        entries.append(Entry(blocks: block..<block + 1, kind: .mountProtection, number: 0))
      }
    }
    // The list of bad blocks, the old quotas, descriptors to come, the journal, and newer features.
    for number in [1, 3, 4, 7, superblock.journalInode] + superblock.hiddenInodes {
      guard let inode = try? system.inode(FileID(UInt64(number))),
        inode.kind == .regular || number == 1, let map = try? system.map(of: inode)
      else { continue }
      for range in map.structures + map.extents.compactMap(\.sourceRange) {
        let blocks =
          range.lowerBound / reader.blockByteCount..<range.upperBound / reader.blockByteCount
        entries.append(
          Entry(
            blocks: blocks, kind: number == superblock.journalInode ? .journal : .file,
            number: number))
      }
    }
    return entries.sorted { $0.blocks.lowerBound < $1.blocks.lowerBound }
  }
}
