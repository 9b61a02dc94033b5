internal import BlockIO
internal import FileSystemFormat

extension Ext4Volume {
  /// An inode as a source has it; nil if there is none, or its checksum is wrong.
  func inode(
    _ number: UInt32, of source: any BlockSource
  ) throws(BlockIOError) -> (inode: Ext4Inode, map: [UInt8])? {
    guard let place = place(ofInode: number), let table = try read(place.block, of: source) else {
      return nil
    }
    let size = superblock.inodeByteCount
    let bytes = table.span.extracting(place.slot * size..<(place.slot + 1) * size)
    guard Ext4Inode.isRight(bytes, number: number, seed: superblock.seed) else { return nil }
    return (Ext4Inode(decoding: bytes), Ext4Inode.map.map { bytes[$0] })
  }

  /// The extents of a file, ascending within the file, and the blocks of the tree that has them.
  ///
  /// - Parameters:
  ///   - map: The sixty bytes of the inode's map.
  ///   - register: The register after the inode's number and generation; nil to believe the tree
  ///     without its checksums.
  ///   - limit: The maximum number of extents, and of blocks of the tree.
  /// - Returns: What a sound tree has; `isWhole` is false where something is missing.
  func extents(
    _ map: [UInt8], register: UInt32?, of source: any BlockSource, limit: Int = 1 << 18
  ) throws(BlockIOError) -> (extents: [Ext4Extent], nodes: [UInt64], isWhole: Bool) {
    var extents: [Ext4Extent] = []
    var nodes: [UInt64] = []
    var isWhole = true
    var pending: [(bytes: [UInt8], depth: Int?)] = [(map, nil)]
    while let (bytes, depth) = pending.popLast() {
      guard let header = Ext4ExtentHeader(decoding: bytes.span),
        depth == nil || depth == header.depth
      else {
        isWhole = false
        continue
      }
      if header.depth == 0 {
        for index in 0..<header.count where extents.count < limit {
          let extent = header.extent(index, of: bytes.span)
          let end = extent.physical.addingReportingOverflow(UInt64(extent.count))
          guard !end.overflow, end.partialValue <= superblock.blockCount,
            extent.physical > UInt64(superblock.firstDataBlock)
          else {
            isWhole = false
            continue
          }
          if let last = extents.last, UInt64(extent.logical) < UInt64(last.logical) {
            isWhole = false
            continue
          }
          extents.append(extent)
        }
        isWhole = isWhole && extents.count < limit
        continue
      }
      for index in (0..<header.count).reversed() {
        let child = header.child(index, of: bytes.span)
        guard nodes.count < limit else {
          isWhole = false
          break
        }
        nodes.append(child)
        guard let node = try read(child, of: source),
          register == nil || Ext4Block.register(ofExtents: node.span) == register
        else {
          isWhole = false
          continue
        }
        pending.append((node, header.depth - 1))
      }
    }
    return (extents, nodes, isWhole)
  }

  /// Calls `body` with the number and the bytes of each inode that is in use; its checksum is not
  /// examined.
  func forEachInode(
    of source: any BlockSource, _ body: (UInt32, Span<UInt8>) -> Void
  ) throws(BlockIOError) {
    let perBlock = UInt64(superblock.inodesPerBlock)
    let size = superblock.inodeByteCount
    for (group, descriptor) in groups.enumerated() where !descriptor.isInodeTableUnused {
      let unused = min(descriptor.unusedInodeCount, superblock.inodesPerGroup)
      let count = (UInt64(superblock.inodesPerGroup - unused) + perBlock - 1) / perBlock
      let start = descriptor.inodeTable
      guard start < superblock.blockCount else { continue }
      let first = UInt64(group) * UInt64(superblock.inodesPerGroup) + 1
      try forEach(start..<start + count, of: source) { block, bytes in
        for slot in 0..<superblock.inodesPerBlock {
          let part = bytes.extracting(slot * size..<(slot + 1) * size)
          let number = first + (block - start) * perBlock + UInt64(slot)
          guard part[0] != 0 || part[1] != 0, let number = UInt32(exactly: number),
            Ext4Inode(decoding: part).isInUse
          else { continue }
          body(number, part)
        }
      }
    }
  }
}
