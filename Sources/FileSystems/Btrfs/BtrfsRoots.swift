internal import FileSystemFormat

/// The content of the tree of roots.
struct BtrfsRoots: Sendable {
  /// A subvolume or snapshot.
  struct Volume: Sendable {
    var tree: BtrfsTree
    /// The inode of the directory at its top.
    let directory: UInt64
    /// Whether it is in use; otherwise it was deleted, and may be gone in part.
    let isInUse: Bool
  }

  /// A subvolume within another.
  struct Link: Hashable, Sendable {
    let parent: UInt64
    let child: UInt64
  }

  /// The subvolumes by their number.
  private(set) var volumes: [UInt64: Volume] = [:]
  /// The extent tree.
  private(set) var extents: BtrfsTree?
  /// The tree of the checksums of data.
  private(set) var checksums: BtrfsTree?
  /// The subvolume that a mount shows.
  private(set) var defaultTree: UInt64?
  /// The names of subvolumes within others.
  private(set) var references: [Link: BtrfsRootReference] = [:]
  /// Damage met while reading.
  private(set) var damage: [FileSystemDamage] = []

  private init() {}

  /// Reads the tree of roots, of which `directory` has the name of the default subvolume.
  ///
  /// - Throws: `damaged` if its root cannot be read.
  init(_ tree: BtrfsTree, _ directory: UInt64) throws(FileSystemError) {
    self.init()
    _ = try tree.nodes.node(tree.root)
    var losses = BtrfsLosses()
    let first = BtrfsKey(object: 0, type: 0, offset: 0)
    let last = BtrfsKey(object: .max, type: .max, offset: .max)
    try tree.forEachLeaf(first...last, losses: &losses) { leaf, items in
      for index in items { add(leaf, index, directory: directory, tree.nodes) }
      return true
    }
    damage = losses.damage
  }

  /// Changes the tree of a subvolume.
  mutating func change(_ volume: UInt64, _ changes: BtrfsChanges) {
    volumes[volume]?.tree.changes = changes
  }

  /// The subvolumes in use, or all, by their number.
  func volumes(isDeletedIncluded: Bool) -> [Volume] {
    volumes.values.filter { isDeletedIncluded || $0.isInUse }.sorted { $0.tree.id < $1.tree.id }
  }

  private mutating func add(
    _ leaf: BtrfsNode, _ index: Int, directory: UInt64, _ nodes: BtrfsNodeReader
  ) {
    let key = leaf.key(at: index)
    let item = leaf.item(at: index)
    switch key.type {
    case BtrfsKey.rootItem:
      guard let root = leaf.root(at: index) else { return }
      let tree = BtrfsTree(id: key.object, root: root, nodes: nodes)
      switch key.object {
      case 2: extents = tree
      case 7: checksums = tree
      case BtrfsFileSystem.topTree, BtrfsFileSystem.firstFile...BtrfsFileSystem.lastFile:
        let bytes = leaf.bytes.span.extracting(item)
        let directory: UInt64 = bytes.little(at: 168)
        let isInUse = bytes.little(at: 216, as: UInt32.self) > 0
        volumes[key.object] = Volume(tree: tree, directory: directory, isInUse: isInUse)
      default: return
      }
    case BtrfsKey.rootReference:
      references[Link(parent: key.object, child: key.offset)] = BtrfsRootReference(
        decoding: leaf.bytes.span.extracting(item))
    case BtrfsKey.directoryItem where key.object == directory:
      let names = BtrfsName.names(in: leaf.bytes.span.extracting(item)).names
      if let name = names.first(where: { $0.name == Array("default".utf8) }) {
        defaultTree = name.location.object
      }
    default: return
    }
  }
}
