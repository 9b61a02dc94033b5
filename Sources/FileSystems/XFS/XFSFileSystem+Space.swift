import BlockIO
import FileSystemFormat

extension XFSFileSystem {
  /// The bytes that belong to no file and no structure, ascending.
  ///
  /// By the btrees of free space: by block, or where that is damaged, by size. Blocks reserved for
  /// these trees to grow into (the free list of a group) count as used.
  ///
  /// - Throws: `damaged` if both trees of a group are.
  public func freeRanges() throws(FileSystemError) -> [Range<UInt64>] {
    var free: [Range<UInt64>] = []
    for group in 0..<reader.geometry.groupCount {
      for range in try freeRanges(ofGroup: group) { free.append(mergingInto: range) }
    }
    return free
  }

  private func freeRanges(ofGroup group: UInt64) throws(FileSystemError) -> [Range<UInt64>] {
    let (ranges, damage) = try freeRanges(ofGroup: group, by: .freeByBlock)
    guard let first = damage.first else { return ranges }
    let (others, otherDamage) = try freeRanges(ofGroup: group, by: .freeByCount)
    guard otherDamage.isEmpty else { throw .damaged(source.name, first) }
    return others
  }

  private func freeRanges(
    ofGroup group: UInt64, by tree: XFSBtreeBlock.Tree
  ) throws(FileSystemError) -> ([Range<UInt64>], damage: [FileSystemDamage]) {
    let geometry = reader.geometry
    var walk = XFSGroupTree(reader, tree, of: group)
    var found: [Range<UInt64>] = []
    try walk.forEachLeaf { bytes, block in
      for index in 0..<block.count {
        let offset = block.recordOffset(index)
        let first = UInt64(bytes.big(at: offset, as: UInt32.self))
        let count = UInt64(bytes.big(at: offset + 4, as: UInt32.self))
        guard first < geometry.groupBlockCount,
          let range = geometry.bytes(
            ofBlocks: group << UInt64(geometry.groupBlockBits) | first, count: count)
        else { return "frees what is beyond the end" }
        found.append(range)
      }
      return nil
    }
    if tree == .freeByCount { found.sort { $0.lowerBound < $1.lowerBound } }
    let isOrdered = zip(found, found.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }
    let disorder = isOrdered ? [] : [FileSystemDamage("free space of group \(group): overlaps")]
    return (found, walk.damage + disorder)
  }

  // MARK: - What a byte is

  public func structure(at byteOffset: UInt64) -> String? {
    let geometry = reader.geometry
    guard byteOffset < geometry.byteCount else { return nil }
    if let log = geometry.log, log.contains(byteOffset) { return "log" }
    let block = byteOffset / UInt64(geometry.blockByteCount)
    let group = block / geometry.groupBlockCount
    guard let start = geometry.byteOffset(ofGroup: group) else { return nil }
    let sector = (byteOffset - start) / UInt64(geometry.sectorByteCount)
    if sector < 4 {
      let names = ["superblock", "free space header", "inode header", "free list"]
      return "\(names[Int(sector)]) of group \(group)"
    }
    let inode = (byteOffset - start) / UInt64(geometry.inodeByteCount)
    if let chunks = try? groupChunks(group), chunks.isAllocated(inode) != nil {
      return "inodes of group \(group)"
    }
    return treeName(at: block * UInt64(geometry.blockByteCount), group)
  }

  /// The name of the structure that a block claims to be, if that is one of its group.
  private func treeName(at start: UInt64, _ group: UInt64) -> String? {
    let end = start + UInt64(reader.geometry.blockByteCount)
    guard let bytes = try? reader.bytes(start..<end) else { return nil }
    let names: [(XFSBlock.Kind, String)] = [
      (.freeByBlock, "free space tree by block"), (.freeByCount, "free space tree by size"),
      (.reverseMap, "reverse mapping tree"), (.referenceCounts, "reference count tree"),
      (.inodes, "inode tree"), (.freeInodes, "free inode tree"),
    ]
    for (kind, name) in names
    where reader.superblock.hasChecksums
      && reader.verdict(bytes.span, [kind], at: start, owner: group) == .intact
    {
      // Blocks that a tree no longer uses keep their content.
      let free = (try? freeRanges(ofGroup: group)) ?? []
      let index = free.indexOfFirst(endingAfter: start)
      if index < free.count, free[index].contains(start) { return nil }
      return "\(name) of group \(group)"
    }
    return nil
  }
}
