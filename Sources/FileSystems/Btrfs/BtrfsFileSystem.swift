public import BlockIO
internal import FileSystemFormat

/// A btrfs on one device.
///
/// Each subvolume and snapshot is a tree, `FileID.tree`; the one at the top is 5, and an entry that
/// leads into another names the directory at its top. Deleted subvolumes are trees of their own
/// that no entry leads into. Nodes and data are read from the copy that is whole, and data whose
/// checksum is wrong in every copy counts as unreadable. Data whose checksum is lost is given as it
/// is. The log of fsync() is replayed in memory.
///
/// - Source: Linux `Documentation/filesystems/btrfs.rst`, `fs/btrfs/`, `btrfs_tree.h`.
public final class BtrfsFileSystem: FileSystem {
  public let source: any BlockSource
  public let family = "btrfs"
  /// Notes on how it is read: features, copies that served, the log of fsync().
  public let notes: [String]

  let superblock: BtrfsDiskSuperblock
  /// Trees that cannot be read, or an older state that is shown.
  public let damage: [FileSystemDamage]
  let nodes: BtrfsNodeReader
  let roots: BtrfsRoots
  /// The sources of checksums of data: the tree of them, and logs that were replayed.
  let checksums: [BtrfsTree]
  /// The logical addresses of nodes and data that only logs have, ascending.
  let logged: [Range<UInt64>]

  static let topTree: UInt64 = 5
  static let firstFile: UInt64 = 256
  static let lastFile = UInt64.max - 255
  /// The number of the empty directory that stands for a subvolume which is not in this snapshot.
  static let emptyDirectory: UInt64 = 2

  /// The file system that begins with the source.
  ///
  /// - Parameter isLogReplayed: Whether it is shown as after a mount, which would replay the log of
  ///   fsync(), or as it is on the disk.
  /// - Throws: `notFound` if there is none; `unsupported` if it has a feature that changes how
  ///   files are read and that is unknown here; `damaged` if none of its trees can be found; `io`.
  public init(
    _ source: any BlockSource, isLogReplayed: Bool = true
  ) throws(FileSystemError) {
    let found = try BtrfsSuperblocks(source)
    let superblock = found.best
    let unknown = superblock.features.subtracting(.readable)
    if let name = Self.name(of: unknown) { throw .unsupported(source.name, name) }
    var notes = found.notes
    let opened = try BtrfsOpening(source, superblock, notes: &notes)
    if !superblock.checksum.isComputed { notes.append("BLAKE2b checksums are not verified") }
    if superblock.features.contains(.zoned) { notes.append("the device is zoned") }
    if superblock.deviceCount > 1 {
      notes.append("this is one of \(superblock.deviceCount) devices; data on the others is lost")
    }
    var (roots, logs, logged) = (opened.roots, [BtrfsTree](), [Range<UInt64>]())
    if let log = superblock.logRoot, isLogReplayed, opened.damage.isEmpty {
      let replay = try BtrfsReplay(log, roots, opened.nodes)
      (roots, logs, logged) = (replay.roots, replay.logs, replay.extents)
      notes += replay.notes
    } else if superblock.logRoot != nil {
      notes.append("the log of fsync() was not replayed: recent changes may be missing")
    }
    if let tree = opened.roots.defaultTree, tree != Self.topTree {
      notes.append("a mount shows subvolume \(tree), the default; here the top is shown")
    }
    damage =
      opened.damage
      + opened.roots.damage.map { FileSystemDamage("tree of roots: \($0.problem)", at: $0.bytes) }
    self.source = source
    self.superblock = superblock
    (nodes, self.roots, self.logged) = (opened.nodes, roots, logged)
    checksums = (roots.checksums.map { [$0] } ?? []) + logs
    self.notes = notes
  }

  public var root: FileID {
    FileID(roots.volumes[Self.topTree]?.directory ?? Self.firstFile, tree: Self.topTree)
  }

  private static func name(of features: BtrfsFeatures) -> String? {
    if features.isEmpty { return nil }
    if features.contains(.extentTreeV2) { return "btrfs with extent tree v2" }
    if features.contains(.stripeTree) { return "btrfs with a RAID stripe tree" }
    return "btrfs with the unknown features 0x\(String(features.rawValue, radix: 16))"
  }
}

/// The superblocks of a btrfs that are whole.
struct BtrfsSuperblocks {
  /// The first, which Linux reads; if it is no use, the copy of the newest transaction.
  let best: BtrfsDiskSuperblock
  let notes: [String]

  init(_ source: any BlockSource) throws(FileSystemError) {
    var whole: [(place: UInt64, superblock: BtrfsDiskSuperblock)] = []
    let buffer = IOBuffer(byteCount: BtrfsDiskSuperblock.byteCount)
    for place in BtrfsDiskSuperblock.places
    where source.byteCount >= UInt64(buffer.byteCount)
      && place <= source.byteCount - UInt64(buffer.byteCount)
    {
      do throws(BlockIOError) {
        try source.read(at: place, into: buffer, 0..<buffer.byteCount)
      } catch {
        guard error.isUnreadableMedium else { throw .io(error) }
        continue
      }
      let superblock = buffer.withBytes(0..<buffer.byteCount) { bytes in
        BtrfsDiskSuperblock(
          decoding: bytes, checksums: [.crc32c, .xxhash64, .sha256, .blake2b])
      }
      if let superblock, superblock.byteOffset == place { whole.append((place, superblock)) }
    }
    let first = whole.first { $0.place == BtrfsDiskSuperblock.places[0] }
    let newest = whole.max { $0.superblock.generation < $1.superblock.generation }
    guard let best = first ?? newest else { throw .notFound(source.name) }
    self.best = best.superblock
    notes =
      best.place == BtrfsDiskSuperblock.places[0]
      ? []
      : [
        "the superblock at byte \(BtrfsDiskSuperblock.places[0]) is unusable; a copy was used"
      ]
  }
}

/// The structures read to open a file system: chunks and roots.
struct BtrfsOpening {
  let nodes: BtrfsNodeReader
  let roots: BtrfsRoots
  /// Whether an older state is shown.
  private(set) var damage: [FileSystemDamage] = []

  /// Reads the newest chunks and roots that can be read.
  init(
    _ source: any BlockSource, _ superblock: BtrfsDiskSuperblock, notes: inout [String]
  ) throws(FileSystemError) {
    let newest = BtrfsDiskSuperblock.Roots(
      root: superblock.root, chunkRoot: superblock.chunkRoot)
    let backups = superblock.backups.filter { $0.root.generation < superblock.generation }
      .sorted { $0.root.generation > $1.root.generation }
    var failure: FileSystemError?
    for candidate in [newest] + backups {
      do throws(FileSystemError) {
        let nodes = try Self.nodes(source, superblock, candidate.chunkRoot, notes: &notes)
        roots = try BtrfsRoots(
          BtrfsTree(id: 1, root: candidate.root, nodes: nodes), superblock.rootDirectory)
        self.nodes = nodes
        if candidate != newest {
          damage.append(
            FileSystemDamage(
              "the newest roots cannot be read; it is shown as of transaction"
                + " \(candidate.root.generation), not \(superblock.generation)"))
        }
        return
      } catch {
        guard case .damaged = error else { throw error }
        if failure == nil { failure = error }
      }
    }
    throw failure ?? .notFound(source.name)
  }

  /// A reader of nodes by the chunks of the tree of chunks.
  private static func nodes(
    _ source: any BlockSource, _ superblock: BtrfsDiskSuperblock, _ root: BtrfsPointer,
    notes: inout [String]
  ) throws(FileSystemError) -> BtrfsNodeReader {
    let system = BtrfsNodeReader(source, superblock, superblock.systemChunks)
    // Without its root, no chunk is known, and no other root can help.
    _ = try system.node(root)
    var chunks = superblock.systemChunks
    var unknownCount = 0
    var losses = BtrfsLosses()
    let first = BtrfsKey(object: 256, type: BtrfsKey.chunkItem, offset: 0)
    let last = BtrfsKey(object: 256, type: BtrfsKey.chunkItem, offset: .max)
    try BtrfsTree(id: 3, root: root, nodes: system).forEachLeaf(first...last, losses: &losses) {
      leaf, items in
      for index in items {
        if let chunk = leaf.chunk(at: index) { chunks.insert(chunk) } else { unknownCount += 1 }
      }
      return true
    }
    if unknownCount > 0 {
      notes.append("\(unknownCount) chunks are RAID5, RAID6 or unknown; their data is lost")
    }
    notes += losses.damage.map { "tree of chunks: \($0.problem)" }
    return BtrfsNodeReader(source, superblock, chunks)
  }
}
