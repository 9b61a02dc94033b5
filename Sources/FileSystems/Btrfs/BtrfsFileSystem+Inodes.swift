internal import BlockIO
internal import FileSystemFormat

extension BtrfsFileSystem {
  public func inode(_ id: FileID) throws(FileSystemError) -> Inode {
    guard let volume = roots.volumes[id.tree] else { throw missing(id) }
    if id.number == Self.emptyDirectory { return Self.emptyDirectory(id) }
    guard Self.firstFile...Self.lastFile ~= id.number else { throw missing(id) }
    let key = BtrfsKey(object: id.number, type: BtrfsKey.inodeItem, offset: 0)
    guard let (leaf, index) = try volume.tree.item(key) else { throw missing(id) }
    guard let inode = inode(in: leaf, at: index, of: volume) else {
      throw nodes.damaged("inode \(Self.name(id)): too short")
    }
    return inode
  }

  /// Calls `body` with the inodes of all subvolumes, by number of the subvolume, then of the inode.
  public func forEachInode(
    isDeletedIncluded: Bool, _ body: (Inode) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> [FileSystemDamage] {
    var damage = roots.damage
    for volume in roots.volumes(isDeletedIncluded: isDeletedIncluded) {
      var losses = BtrfsLosses()
      let first = BtrfsKey(object: Self.firstFile, type: 0, offset: 0)
      let last = BtrfsKey(object: Self.lastFile, type: .max, offset: .max)
      let isWhole = try volume.tree.forEachLeaf(first...last, losses: &losses) {
        leaf, items throws(FileSystemError) in
        for index in items where leaf.key(at: index).type == BtrfsKey.inodeItem {
          guard let inode = inode(in: leaf, at: index, of: volume) else {
            let id = FileID(leaf.key(at: index).object, tree: volume.tree.id)
            damage.append(FileSystemDamage("inode \(Self.name(id)): too short"))
            continue
          }
          guard inode.isAllocated || isDeletedIncluded else { continue }
          guard try body(inode) else { return false }
        }
        return true
      }
      // A subvolume that is being deleted lacks nodes, as it should.
      if volume.isInUse { damage += losses.damage }
      if !isWhole { break }
    }
    return damage
  }

  public func attributes(of inode: Inode) throws(FileSystemError) -> ExtendedAttributes {
    var attributes = ExtendedAttributes(of: "inode \(Self.name(inode.id))")
    guard let tree = tree(of: inode) else { return attributes }
    let keys = Self.keys(of: inode, BtrfsKey.attribute)
    var losses = BtrfsLosses()
    try tree.forEachLeaf(keys, losses: &losses) { leaf, items in
      for index in items {
        let found = BtrfsName.names(in: leaf.bytes.span.extracting(leaf.item(at: index)))
        if !found.isWhole { attributes.note("not whole") }
        for name in found.names {
          guard attributes.hasRoom(forName: name.name, byteCount: name.data.count) else {
            return false
          }
          attributes.add(name.name, name.data)
        }
      }
      return true
    }
    attributes.note(losses.damage)
    attributes.sort()
    return attributes
  }

  /// The names of a file, each with its directory, as its inode has them.
  ///
  /// The directory at the top of a subvolume has none.
  package func names(
    of inode: Inode
  ) throws(FileSystemError) -> [(directory: FileID, name: [UInt8])] {
    guard let tree = tree(of: inode) else { return [] }
    let keys =
      BtrfsKey(
        object: inode.id.number, type: BtrfsKey.inodeReference, offset: 0)...BtrfsKey(
        object: inode.id.number, type: BtrfsKey.inodeExtendedReference, offset: .max)
    var names: [(directory: FileID, name: [UInt8])] = []
    var losses = BtrfsLosses()
    try tree.forEachLeaf(keys, losses: &losses) { leaf, items in
      for index in items {
        let item = leaf.bytes.span.extracting(leaf.item(at: index))
        for name in BtrfsInodeName.names(in: item, key: leaf.key(at: index))
        where name.name != Array("..".utf8) {
          names.append((FileID(name.directory, tree: tree.id), name.name))
        }
      }
      return true
    }
    if let loss = losses.losses.first { throw .damaged(source.name, loss.damage) }
    return names
  }

  // MARK: - What the above is made of

  /// The tree that an inode is in; nil if it stands for something that is not there.
  func tree(of inode: Inode) -> BtrfsTree? {
    inode.id.number == Self.emptyDirectory ? nil : roots.volumes[inode.id.tree]?.tree
  }

  /// The keys of items of that type of an inode.
  static func keys(of inode: Inode, _ type: UInt8) -> ClosedRange<BtrfsKey> {
    BtrfsKey(
      object: inode.id.number, type: type, offset: 0)...BtrfsKey(
        object: inode.id.number, type: type, offset: .max)
  }

  /// The name of a file in messages.
  static func name(_ id: FileID) -> String {
    id.tree == topTree ? "\(id.number)" : "\(id.number) of subvolume \(id.tree)"
  }

  private func missing(_ id: FileID) -> FileSystemError {
    .noFile(source.name, "of inode \(Self.name(id))")
  }

  private func inode(in leaf: BtrfsNode, at index: Int, of volume: BtrfsRoots.Volume) -> Inode? {
    let range = leaf.item(at: index)
    guard let item = BtrfsInodeItem(decoding: leaf.bytes.span.extracting(range)) else {
      return nil
    }
    let kind = FileKind(mode: UInt16(truncatingIfNeeded: item.mode))
    let isDevice = kind == .blockDevice || kind == .characterDevice
    return Inode(
      id: FileID(leaf.key(at: index).object, tree: volume.tree.id), kind: kind,
      permissions: UInt16(item.mode & 0xfff), owner: item.owner, group: item.group,
      linkCount: item.linkCount, byteCount: item.byteCount,
      device: isDevice
        ? Inode.Device(
          major: UInt32(item.device >> 20 & 0xfff), minor: UInt32(item.device & 0xf_ffff)) : nil,
      modified: Timestamp(item.modified), accessed: Timestamp(item.accessed),
      changed: Timestamp(item.changed), created: Timestamp(item.created),
      isAllocated: volume.isInUse && item.linkCount > 0,
      record: Array(leaf.bytes[range.prefix(BtrfsInodeItem.byteCount)]))
  }

  /// Clones share extents, and subvolumes whole trees.
  public func sharing(of inode: Inode) -> ExtentSharing { .present }

  /// Whether new content of a file may be written over the old: only data without checksums may.
  public func mayWriteInPlace(_ inode: Inode) -> Bool {
    let record = inode.record
    return BtrfsInodeItem(decoding: record.span)?.isWithoutDataChecksums ?? true
  }

  private static func emptyDirectory(_ id: FileID) -> Inode {
    let never = Timestamp(seconds: 0)
    return Inode(
      id: id, kind: .directory, permissions: 0o755, owner: 0, group: 0, linkCount: 1,
      byteCount: 0, modified: never, accessed: never, changed: never)
  }
}

extension Timestamp {
  fileprivate init(_ time: BtrfsInodeItem.Time) {
    self.init(seconds: time.seconds, nanoseconds: min(time.nanoseconds, 999_999_999))
  }
}
