internal import BlockIO
internal import FileSystemFormat

extension BtrfsFileSystem {
  public func forEachEntry(
    of directory: Inode, _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> [FileSystemDamage] {
    guard directory.kind == .directory else { throw .wrongKind(source.name, "a directory") }
    guard let tree = tree(of: directory) else { return [] }
    var damage: [FileSystemDamage] = []
    var losses = BtrfsLosses()
    let isWhole = try forEachName(
      in: directory, BtrfsKey.directoryIndex, of: tree, losses: &losses, damage: &damage, body)
    if losses.isEmpty || !isWhole { return damage + losses.damage }
    // Each name is in the tree twice: if one place has lost it, the other may have it.
    var known: Set<[UInt8]> = []
    var others = BtrfsLosses()
    _ = try forEachName(
      in: directory, BtrfsKey.directoryIndex, of: tree, losses: &others, damage: &damage
    ) {
      known.insert($0.name)
      return true
    }
    _ = try forEachName(
      in: directory, BtrfsKey.directoryItem, of: tree, losses: &losses, damage: &damage
    ) { entry throws(FileSystemError) in
      known.contains(entry.name) ? true : try body(entry)
    }
    return damage + losses.damage
  }

  /// Calls `body` with the names that items of that type have, until it returns false.
  private func forEachName(
    in directory: Inode, _ type: UInt8, of tree: BtrfsTree, losses: inout BtrfsLosses,
    damage: inout [FileSystemDamage],
    _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    try tree.forEachLeaf(Self.keys(of: directory, type), losses: &losses) {
      leaf, items throws(FileSystemError) in
      for index in items {
        let found = BtrfsName.names(in: leaf.bytes.span.extracting(leaf.item(at: index)))
        if !found.isWhole {
          damage.append(
            FileSystemDamage("directory \(Self.name(directory.id)): an entry is not whole"))
        }
        for name in found.names {
          guard let entry = entry(name, in: directory) else {
            damage.append(
              FileSystemDamage("directory \(Self.name(directory.id)): an entry names no file"))
            continue
          }
          guard try body(entry) else { return false }
        }
      }
      return true
    }
  }

  private func entry(_ name: BtrfsName, in directory: Inode) -> DirectoryEntry? {
    let kind: FileKind? =
      1...7 ~= name.kind ? Self.kinds[Int(name.kind) - 1] : nil
    let id: FileID
    switch name.location.type {
    case BtrfsKey.inodeItem: id = FileID(name.location.object, tree: directory.id.tree)
    case BtrfsKey.rootItem: id = top(of: name.location.object, as: name.name, in: directory)
    default: return nil
    }
    return DirectoryEntry(name: name.name, id: id, kind: kind, isEncrypted: name.isEncrypted)
  }

  private static let kinds: [FileKind] = [
    .regular, .directory, .characterDevice, .blockDevice, .fifo, .socket, .link,
  ]

  /// The directory at the top of a subvolume, if it is the one that this entry was made for.
  ///
  /// A snapshot has the entries of its original, but not the subvolumes that they name: there Linux
  /// shows an empty directory.
  private func top(of tree: UInt64, as name: [UInt8], in directory: Inode) -> FileID {
    let link = BtrfsRoots.Link(parent: directory.id.tree, child: tree)
    guard let volume = roots.volumes[tree], volume.isInUse, let reference = roots.references[link],
      reference.directory == directory.id.number, reference.name == name
    else { return FileID(Self.emptyDirectory, tree: directory.id.tree) }
    return FileID(volume.directory, tree: tree)
  }
}
