import FileSystemFormat

extension XFSReplay {
  /// Replays an inode; returns false if it is damaged.
  ///
  /// - Source: Linux `fs/xfs/xfs_inode_item_recover.c`, `xlog_recover_inode_commit_pass2`.
  mutating func write(
    _ inode: XFSLogInode, _ regions: ArraySlice<Range<Int>>, _ transaction: XFSLogTransaction
  ) throws(FileSystemError) -> Bool {
    let (geometry, version) = (sectors.geometry, reader.superblock.version)
    let start = inode.sector * 512 + UInt64(inode.offset)
    let place = start..<start + UInt64(geometry.inodeByteCount)
    guard geometry.byteOffset(ofInode: inode.number) == start, let core = regions.first,
      let old = try sectors.bytes(place), XFSInode(old.span, version: version) != nil
    else { return false }
    let bytes = transaction.bytes.span
    var rest = regions.dropFirst()
    let data = inode.hasData ? rest.popFirst() : nil
    let attributes = inode.hasAttributes ? rest.popFirst() : nil
    guard !inode.hasData || data != nil, !inode.hasAttributes || attributes != nil else {
      return false
    }
    var new = old
    if !isNewer(old, than: bytes.extracting(core), transaction.lsn) {
      guard
        inode.write(
          over: &new, from: bytes, core: core, data: data, attributes: attributes,
          lsn: transaction.lsn, version: version), XFSInode(new.span, version: version) != nil
      else { return false }
      guard try sectors.write(new[...], at: start) else { return false }
    }
    guard let decoded = XFSInode(new.span, version: version), decoded.mode != 0 else { return true }
    if inode.isDataOwner { try own(decoded.data, new, inode.number) }
    if inode.isAttributeOwner, let fork = decoded.attributes {
      try own(fork, new, inode.number)
    }
    return true
  }

  /// Whether an inode on the disk is newer than its logged version.
  private func isNewer(_ record: [UInt8], than core: Span<UInt8>, _ lsn: UInt64) -> Bool {
    if reader.superblock.hasChecksums {
      let known: UInt64 = record.span.big(at: 112)
      return known != 0 && known != .max && known > lsn
    }
    // A count of writes, which can start over.
    let (known, logged) = (
      record.span.big(at: 30, as: UInt16.self), XFSLogInode.flushCount(ofCore: core)
    )
    return logged < known && !(known == .max && logged < .max >> 1)
  }

  /// Makes the blocks of a fork's tree an inode's own.
  private mutating func own(
    _ fork: XFSFork, _ record: [UInt8], _ number: UInt64
  ) throws(FileSystemError) {
    guard reader.superblock.hasChecksums, fork.format == .btree,
      let root = XFSBtreeBlock(root: record.span.extracting(fork.bytes))
    else { return }
    var pointers = (0..<root.count).map {
      root.pointer($0, in: record.span.extracting(fork.bytes))
    }
    var visited: Set<UInt64> = []
    for level in (0..<root.level).reversed() {
      var children: [UInt64] = []
      for pointer in pointers where visited.insert(pointer).inserted {
        guard !sectors.isFull, let place = sectors.geometry.bytes(ofBlocks: pointer, count: 1),
          let old = try sectors.bytes(place),
          let block = XFSBlock(beginning: old.span, of: sectors.geometry), block.kind == .extents,
          let node = XFSBtreeBlock(old.span, of: .extents, hasChecksums: true), node.level == level
        else { continue }
        var new = old
        new.put(big: number, at: 56)
        XFSChecksum.seal(&new, at: block.checksumOffset)
        _ = try sectors.write(new[...], at: place.lowerBound)
        if level > 0 {
          for index in 0..<node.count { children.append(node.pointer(index, in: old.span)) }
        }
      }
      pointers = children
    }
  }

  /// Writes new inodes; returns false if they cannot be.
  ///
  /// - Source: Linux `fs/xfs/xfs_icreate_item.c`, `xlog_recover_icreate_commit_pass2`.
  mutating func write(_ inodes: XFSLogInodes) throws(FileSystemError) -> Bool {
    let geometry = sectors.geometry
    let number = inodes.group << UInt64(geometry.groupBlockBits) | inodes.block
    guard reader.superblock.hasChecksums, inodes.inodeByteCount == geometry.inodeByteCount,
      inodes.block < geometry.groupBlockCount,
      let place = geometry.bytes(ofBlocks: number, count: inodes.blockCount),
      place.count == inodes.count * inodes.inodeByteCount
    else { return false }
    // It may be freed later in the log, in pieces.
    for start in stride(
      from: place.lowerBound, to: place.upperBound, by: geometry.blockByteCount)
    where isFreed(start / 512, nil) { return true }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(place.count)
    for index in 0..<UInt64(inodes.count) {
      bytes += inodes.record(number << UInt64(geometry.blockInodeBits) + index, of: geometry)
    }
    return try sectors.write(bytes[...], at: place.lowerBound)
  }
}
