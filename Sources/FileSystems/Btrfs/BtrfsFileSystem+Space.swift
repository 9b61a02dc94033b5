internal import BlockIO
internal import FileSystemFormat

extension BtrfsFileSystem {
  /// The bytes of this device in which nothing is, by the extent tree.
  ///
  /// The log of fsync() is not in that tree: its leaves and data are not free, its few other nodes
  /// are.
  ///
  /// - Throws: `damaged` if the extent tree is; `unsupported` if there are striped chunks.
  public func freeRanges() throws(FileSystemError) -> [Range<UInt64>] {
    guard let tree = roots.extents else { throw nodes.damaged("no extent tree") }
    var free: [Range<UInt64>] = []
    var used = superblocks
    for chunk in nodes.chunks.chunks {
      guard chunk.profile == .copies else {
        throw .unsupported(source.name, "free space of striped btrfs chunks")
      }
      let places = nodes.places(of: chunk.logical, count: chunk.byteCount)
      if places.isEmpty { continue }
      for range in try freeRanges(of: chunk, tree) {
        for place in places {
          let start = place + (range.lowerBound - chunk.logical)
          free.append(start..<start + (range.upperBound - range.lowerBound))
        }
      }
      used += places.map { $0..<$0 + chunk.byteCount }
    }
    let end = min(source.byteCount, superblock.deviceByteCount)
    free += Self.gaps(of: used, in: 0..<end)
    return Self.without(superblocks, Self.merged(free))
  }

  /// Where superblocks are.
  private var superblocks: [Range<UInt64>] {
    BtrfsDiskSuperblock.places.map { $0..<$0 + UInt64(BtrfsDiskSuperblock.byteCount) }
      .filter { $0.upperBound <= source.byteCount }
  }

  /// The logical addresses of a chunk that no extent has.
  private func freeRanges(
    of chunk: BtrfsChunk, _ tree: BtrfsTree
  ) throws(FileSystemError) -> [Range<UInt64>] {
    var free: [Range<UInt64>] = []
    let end = chunk.logical + chunk.byteCount
    var position = chunk.logical
    var losses = BtrfsLosses()
    let first = BtrfsKey(object: chunk.logical, type: 0, offset: 0)
    let last = BtrfsKey(object: end - 1, type: .max, offset: .max)
    try tree.forEachLeaf(first...last, losses: &losses) { leaf, items in
      for index in items {
        let key = leaf.key(at: index)
        guard let count = byteCount(of: key) else { continue }
        if key.object > position { free.append(position..<key.object) }
        let (itemEnd, overflow) = key.object.addingReportingOverflow(count)
        position = max(position, overflow ? end : min(itemEnd, end))
      }
      return true
    }
    if let loss = losses.losses.first { throw .damaged(source.name, loss.damage) }
    if position < end { free.append(position..<end) }
    return free.without(logged)
  }

  /// The length of the extent that an item of the extent tree is for; nil if it is for none.
  private func byteCount(of key: BtrfsKey) -> UInt64? {
    switch key.type {
    case BtrfsKey.extentItem: key.offset
    case BtrfsKey.metadataItem: UInt64(superblock.nodeByteCount)
    default: nil
    }
  }

  public func structure(at byteOffset: UInt64) -> String? {
    if superblocks.contains(where: { $0.contains(byteOffset) }) { return "superblock" }
    for chunk in nodes.chunks.chunks where chunk.profile == .copies && chunk.holdsNodes {
      for place in nodes.places(of: chunk.logical, count: chunk.byteCount)
      where byteOffset >= place && byteOffset - place < chunk.byteCount {
        return node(at: chunk.logical + (byteOffset - place))
      }
    }
    return nil
  }

  /// The name of the node at a logical address, if one in use is there.
  private func node(at address: UInt64) -> String? {
    guard let tree = roots.extents else { return nil }
    let byteCount = UInt64(superblock.nodeByteCount)
    let last = BtrfsKey(object: address, type: .max, offset: .max)
    let first = BtrfsKey(
      object: address - min(address, byteCount - 1), type: BtrfsKey.extentItem, offset: 0)
    var losses = BtrfsLosses()
    var start: UInt64?
    _ = try? tree.forEachLeaf(first...last, losses: &losses) { leaf, items in
      for index in items where self.byteCount(of: leaf.key(at: index)) == byteCount {
        start = leaf.key(at: index).object
      }
      return true
    }
    guard let start, let place = nodes.places(of: start, count: byteCount).first else {
      return nil
    }
    let buffer = IOBuffer(byteCount: superblock.nodeByteCount)
    guard (try? source.read(at: place, into: buffer, 0..<buffer.byteCount)) != nil else {
      return "node"
    }
    let bytes = buffer.bytes(0..<buffer.byteCount)
    guard let header = BtrfsNode(checking: bytes, by: superblock.checksum)?.header else {
      return "node"
    }
    let kind = header.level == 0 ? "leaf" : "node of level \(header.level)"
    return "\(kind) of \(Self.treeNames[header.owner] ?? "subvolume \(header.owner)")"
  }

  /// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `BTRFS_*_TREE_OBJECTID`.
  private static let treeNames: [UInt64: String] = [
    1: "the tree of roots", 2: "the extent tree", 3: "the chunk tree", 4: "the device tree",
    5: "the top subvolume", 7: "the checksum tree", 8: "the quota tree", 9: "the UUID tree",
    10: "the free space tree", 11: "the block group tree",
    .max - 5: "the log", .max - 6: "a log", .max - 7: "a relocation tree",
    .max - 8: "a relocation tree",
  ]

  // MARK: - Ranges

  private static func merged(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    var merged: [Range<UInt64>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
      if let last = merged.last, range.lowerBound <= last.upperBound {
        merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    return merged
  }

  private static func gaps(
    of used: [Range<UInt64>], in whole: Range<UInt64>
  ) -> [Range<UInt64>] {
    var gaps: [Range<UInt64>] = []
    var position = whole.lowerBound
    for range in merged(used) {
      let end = min(range.lowerBound, whole.upperBound)
      if position < end { gaps.append(position..<end) }
      position = max(position, range.upperBound)
    }
    if position < whole.upperBound { gaps.append(position..<whole.upperBound) }
    return gaps
  }

  /// The parts of ascending ranges that are in none of `others`.
  private static func without(
    _ others: [Range<UInt64>], _ ranges: [Range<UInt64>]
  ) -> [Range<UInt64>] {
    ranges.flatMap { range in
      gaps(of: others.filter { $0.overlaps(range) }.map { $0.clamped(to: range) }, in: range)
    }
  }
}
