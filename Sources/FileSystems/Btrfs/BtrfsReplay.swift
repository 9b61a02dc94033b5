internal import BlockIO
internal import FileSystemFormat

/// Replays the log of fsync() in memory, as a mount would.
///
/// The log is a tree of trees, one for each subvolume, with the items of the inodes that fsync()
/// was called for, and of those that lead to them.
///
/// - Source: Linux `fs/btrfs/tree-log.c`, `btrfs_recover_log_trees`.
struct BtrfsReplay {
  /// The numbers of the tree of logs and of checksums.
  ///
  /// - Source: Linux `include/uapi/linux/btrfs_tree.h`, `BTRFS_TREE_LOG_OBJECTID`.
  private static let logObject = UInt64.max - 5
  private static let missing = "recent changes may be missing"

  /// The roots, with subvolumes as they are after the replay.
  private(set) var roots: BtrfsRoots
  /// The trees with checksums of data written since.
  private(set) var logs: [BtrfsTree] = []
  /// The logical addresses of nodes and data that only the log has, ascending.
  private(set) var extents: [Range<UInt64>] = []
  /// Notes on the replay: what was done, and what was not.
  private(set) var notes: [String] = []

  init(
    _ root: BtrfsPointer, _ roots: BtrfsRoots, _ nodes: BtrfsNodeReader
  ) throws(FileSystemError) {
    self.roots = roots
    var (losses, inodeCount, isTooMuch) = (BtrfsLosses(), 0, false)
    let keys =
      BtrfsKey(
        object: Self.logObject, type: BtrfsKey.rootItem, offset: 0)...BtrfsKey(
        object: Self.logObject, type: BtrfsKey.rootItem, offset: .max)
    let tree = BtrfsTree(id: Self.logObject, root: root, nodes: nodes)
    var found: [(volume: UInt64, log: BtrfsTree)] = []
    try tree.forEachLeaf(keys, losses: &losses) { leaf, items in
      for index in items {
        if let root = leaf.root(at: index) {
          found.append(
            (leaf.key(at: index).offset, BtrfsTree(id: Self.logObject, root: root, nodes: nodes)))
        }
      }
      return true
    }
    for (number, log) in found {
      guard let volume = roots.volumes[number] else { continue }
      var replay = BtrfsVolumeReplay(volume.tree)
      try replay.run(log, losses: &losses)
      isTooMuch = isTooMuch || replay.isTooMuch
      inodeCount += replay.inodeCount
      extents += replay.extents
      logs.append(log)
      self.roots.change(number, replay.result)
    }
    extents = extents.union
    if inodeCount > 0 {
      notes.append("the log of fsync() was replayed, in memory: \(inodeCount) inodes")
    }
    if let loss = losses.damage.first {
      notes.append("the log of fsync() is damaged, \(loss.problem): \(Self.missing)")
    }
    if isTooMuch {
      notes.append(
        "the log of fsync() exceeds the supported size, and was not replayed completely:"
          + " \(Self.missing)")
    }
  }
}
