internal import BlockIO
internal import FileSystemFormat

/// The tree of a subvolume while its log is replayed.
///
/// First come the inodes, with their content and their attributes, and the names that directories
/// have lost; then the names that directories have; then those that inodes have.
///
/// - Source: Linux `fs/btrfs/tree-log.c`, `replay_one_buffer`, `fixup_inode_link_counts`.
struct BtrfsVolumeReplay {
  /// More items than any log has.
  private static let itemCountMax = 1 << 22

  /// The tree as it is on the disk.
  private let tree: BtrfsTree
  private var names: BtrfsNameReplay
  private(set) var inodeCount = 0
  /// The logical addresses of parts that only the log has: its leaves, and data.
  private(set) var extents: [Range<UInt64>] = []
  private(set) var isTooMuch = false

  init(_ tree: BtrfsTree) {
    self.tree = tree
    names = BtrfsNameReplay(tree)
  }

  /// The changes.
  var result: BtrfsChanges { BtrfsChanges(names.changes) }

  /// Replays a log.
  mutating func run(
    _ log: BtrfsTree, losses: inout BtrfsLosses
  ) throws(FileSystemError) {
    var objects: [[BtrfsItem]] = []
    let first = BtrfsKey(object: 0, type: 0, offset: 0)
    let last = BtrfsKey(object: .max, type: .max, offset: .max)
    var count = 0
    try log.forEachLeaf(first...last, losses: &losses) { leaf, items in
      let address = leaf.header.address
      let (end, overflow) = address.addingReportingOverflow(UInt64(leaf.bytes.count))
      if !overflow { extents.append(address..<end) }
      for index in items {
        let item = BtrfsItem(leaf, index)
        guard BtrfsFileSystem.firstFile...BtrfsFileSystem.lastFile ~= item.key.object else {
          continue
        }
        if objects.last?.first?.key.object != item.key.object { objects.append([]) }
        objects[objects.count - 1].append(item)
      }
      count += items.count
      return count <= Self.itemCountMax
    }
    if count > Self.itemCountMax {
      isTooMuch = true
      return
    }
    // One without names was deleted while it was open: it stays as it was.
    let inodes = objects.filter { items in
      guard let item = items.first, item.key.type == BtrfsKey.inodeItem,
        let inode = BtrfsInodeItem(decoding: item.bytes.span)
      else { return false }
      return inode.linkCount > 0
    }
    inodeCount = inodes.count
    do throws(FileSystemError) { try replay(inodes) } catch {
      guard names.isTooMuch else { throw error }
      isTooMuch = true
    }
  }

  private mutating func replay(_ inodes: [[BtrfsItem]]) throws(FileSystemError) {
    for items in inodes { try replay(inode: items) }
    for items in inodes {
      for item in items where item.key.type == BtrfsKey.directoryIndex {
        try names.replay(entries: item) { Self.item($0, ofAny: inodes) }
      }
    }
    for items in inodes {
      for item in items
      where item.key.type == BtrfsKey.inodeReference
        || item.key.type == BtrfsKey.inodeExtendedReference
      {
        try names.replay(references: item) { key in Self.item(key, in: items) }
      }
    }
    try names.finish()
  }

  /// The item of a key that an inode has in the log.
  private static func item(_ key: BtrfsKey, in items: [BtrfsItem]) -> BtrfsItem? {
    let index = items.partitioningIndex { $0.key >= key }
    return index < items.count && items[index].key == key ? items[index] : nil
  }

  /// The item of a key that any inode has in the log.
  private static func item(_ key: BtrfsKey, ofAny inodes: [[BtrfsItem]]) -> BtrfsItem? {
    let index = inodes.partitioningIndex { ($0.first?.key.object ?? 0) >= key.object }
    return index < inodes.count ? item(key, in: inodes[index]) : nil
  }

  // MARK: - Inodes

  /// Replays an inode, of which the first item is, but for its names.
  private mutating func replay(inode items: [BtrfsItem]) throws(FileSystemError) {
    guard let first = items.first, let inode = BtrfsInodeItem(decoding: first.bytes.span) else {
      return
    }
    let object = first.key.object
    try replaceAttributes(of: object, by: items.filter { $0.key.type == BtrfsKey.attribute })
    let kind = FileKind(mode: UInt16(truncatingIfNeeded: inode.mode))
    if kind == .directory {
      let ranges = items.filter { $0.key.type == BtrfsKey.directoryLogIndex }.compactMap { item in
        let bytes = item.bytes
        return bytes.count >= 8
          ? item.key.offset...max(item.key.offset, bytes.span.little(at: 0)) : nil
      }
      try names.removeEntries(of: object, in: ranges) { Self.item($0, in: items) != nil }
    }
    try write(first, isDirectory: kind == .directory, isRegular: kind == .regular)
    names.recount(object)
    guard kind == .regular || kind == .link else { return }
    let byteCount = try names.item(first.key).flatMap {
      BtrfsInodeItem(decoding: $0.bytes.span)?.byteCount
    }
    try replaceExtents(
      of: object, byteCount: kind == .link ? .max : byteCount ?? 0,
      by: items.filter { $0.key.type == BtrfsKey.fileExtent })
  }

  /// - Source: Linux `fs/btrfs/tree-log.c`, `overwrite_item`.
  private mutating func write(
    _ item: BtrfsItem, isDirectory: Bool, isRegular: Bool
  ) throws(FileSystemError) {
    var bytes = item.bytes
    guard let old = try names.item(item.key), old.bytes.count >= BtrfsInodeItem.byteCount else {
      // The names of a directory give it its length.
      if isDirectory { bytes.put(little: UInt64(0), at: 16) }
      names.set(item.key, BtrfsItem(item.key, bytes))
      return
    }
    var oldBytes = old.bytes
    let byteCount: UInt64 = bytes.span.little(at: 16)
    // Without a generation it was logged only so that it exists.
    if bytes.span.little(at: 0, as: UInt64.self) == 0 {
      guard isRegular, byteCount != 0 else { return }
      oldBytes.put(little: byteCount, at: 16)
      names.set(item.key, BtrfsItem(item.key, oldBytes))
      return
    }
    if isDirectory { bytes.put(little: oldBytes.span.little(at: 16, as: UInt64.self), at: 16) }
    names.set(item.key, BtrfsItem(item.key, bytes))
  }

  private mutating func replaceAttributes(
    of object: UInt64, by new: [BtrfsItem]
  ) throws(FileSystemError) {
    for item in try names.diskItems(of: object, BtrfsKey.attribute) {
      names.set(item.key, nil)
    }
    for item in new { names.set(item.key, item) }
  }

  // MARK: - Content

  /// Replaces a file's extents where the log has others, and after its end; a link has no more than
  /// it should.
  ///
  /// - Source: Linux `fs/btrfs/tree-log.c`, `replay_one_extent`.
  private mutating func replaceExtents(
    of object: UInt64, byteCount: UInt64, by new: [BtrfsItem]
  ) throws(FileSystemError) {
    let sector = UInt64(tree.nodes.superblock.sectorByteCount)
    func aligned(_ count: UInt64) -> UInt64 {
      let (end, overflow) = count.addingReportingOverflow(sector - 1)
      return overflow ? .max : end & ~(sector - 1)
    }
    func range(_ item: BtrfsItem, _ extent: BtrfsFileExtent) -> Range<UInt64>? {
      let count =
        extent.kind == .inline ? aligned(extent.decompressedByteCount) : extent.byteCount
      let (end, overflow) = item.key.offset.addingReportingOverflow(count)
      return overflow || count == 0 ? nil : item.key.offset..<end
    }
    let (end, isEndless) = (aligned(byteCount), aligned(byteCount) == .max)
    var gone: [Range<UInt64>] = isEndless ? [] : [end..<UInt64.max]
    var kept: [BtrfsItem] = []
    for item in new {
      guard let extent = BtrfsFileExtent(decoding: item.bytes.span),
        let range = range(item, extent)
      else { continue }
      gone.append(range)
      guard !extent.isHole else { continue }
      kept.append(item)
      let (last, overflow) = extent.address.addingReportingOverflow(extent.diskByteCount)
      if extent.kind != .inline, !overflow { extents.append(extent.address..<last) }
    }
    gone = gone.union
    for item in try names.diskItems(of: object, BtrfsKey.fileExtent) {
      guard let extent = BtrfsFileExtent(decoding: item.bytes.span),
        let range = range(item, extent), gone.touches(range)
      else { continue }
      names.set(item.key, nil)
      if extent.kind == .inline { continue }
      for part in [range].without(gone) {
        var bytes = item.bytes
        let skipped = part.lowerBound - range.lowerBound
        bytes.put(little: extent.extentOffset &+ skipped, at: 37)
        bytes.put(little: part.upperBound - part.lowerBound, at: 45)
        let key = BtrfsKey(object: object, type: BtrfsKey.fileExtent, offset: part.lowerBound)
        names.set(key, BtrfsItem(key, bytes))
      }
    }
    for item in kept { names.set(item.key, item) }
  }
}
