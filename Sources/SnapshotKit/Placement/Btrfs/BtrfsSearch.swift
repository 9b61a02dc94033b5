internal import BlockIO
internal import FileSystemFormat

/// Finds the places of a btrfs' nodes and data.
///
/// A node has its own logical address under a checksum, and the node above it has its generation
/// and first key. Data has a checksum for each sector in a tree of its own. So the trees are walked
/// from the superblock down, and missing nodes are looked for among the orphans.
///
/// A checksum proves the place, but not the owner: the space of a store may hold the remains of an
/// older snapshot of another copy of the same file system. See ``Orphan/Reason``.
struct BtrfsSearch: EvidenceSearch {
  private let layout: BtrfsLayout
  private var orphans: BtrfsOrphans
  private var isSorted = false
  /// The latest evidence, and what had been proven when it was sought.
  private var last: (evidence: [Evidence], proven: OrphanPlaces)?

  /// A search for the file system that begins at a byte of a source; nil if there is none.
  init?(
    view: any BlockSource, at start: UInt64 = 0, chunkByteCount: UInt64
  ) throws(BlockIOError) {
    guard let layout = try BtrfsLayout(view, at: start, chunkByteCount: chunkByteCount) else {
      return nil
    }
    self.layout = layout
    orphans = BtrfsOrphans(layout)
  }

  mutating func reserve(orphanCount: Int) { orphans.reserve(orphanCount) }

  mutating func look(at new: UInt64, _ content: Span<UInt8>) { orphans.add(new, content) }

  mutating func evidence(in scene: PlacementScene) throws(BlockIOError) -> [Evidence] {
    if !isSorted { orphans.finish(scene.orphans) }
    isSorted = true
    if let last, isUnchanged(scene.proven, since: last) { return last.evidence }
    let evidence = try evidence(in: scene, isComplete: isComplete(scene))
    last = (evidence, scene.proven)
    return evidence
  }

  private func evidence(
    in scene: PlacementScene, isComplete: Bool
  ) throws(BlockIOError) -> [Evidence] {
    let image = BtrfsImage(scene, orphans)
    guard let superblock = try superblock(image) else { return [] }
    var walk = BtrfsTreeWalk(image, superblock, isComplete: isComplete)
    try walk.run()
    if walk.isRefuted { return try evidence(in: scene, isComplete: false) }
    return image.evidence
  }

  /// Whether nothing was proven except by this search.
  private func isUnchanged(
    _ proven: OrphanPlaces, since last: (evidence: [Evidence], proven: OrphanPlaces)
  ) -> Bool {
    last.proven.adding(last.evidence) == proven
  }

  /// Whether all chunks that Linux copied for this store are among the orphans that were seen.
  private func isComplete(_ scene: PlacementScene) -> Bool {
    scene.orphans.allSatisfy { $0.reason != .inFlight && $0.reason != .endInDoubt }
      && scene.orphans.reduce(0) { $0 + $1.count } == UInt64(orphans.count)
  }

  /// The snapshot's superblock, placed if it is an orphan's.
  ///
  /// Superblocks in the store are the snapshot's, while those in the origin may be older or newer;
  /// so any in the store takes precedence over the origin's.
  private func superblock(_ image: BtrfsImage) throws(BlockIOError) -> BtrfsDiskSuperblock? {
    var store: [BtrfsDiskSuperblock] = []
    var origin: [BtrfsDiskSuperblock] = []
    for place in BtrfsDiskSuperblock.places
    where image.contains(place, count: BtrfsDiskSuperblock.byteCount) {
      let old = image.chunk(at: place)
      let candidates = image.orphans.superblocks.filter { $0.superblock.byteOffset == place }
      let registers = Set(candidates.map { orphans.register(of: $0.orphan) })
      if image.isOpen(old), registers.count == 1, let found = candidates.first {
        image.place(found.orphan, at: old, .btrfsNode, .proven)
      }
      guard let bytes = try image.read(place, count: BtrfsDiskSuperblock.byteCount),
        let superblock = BtrfsDiskSuperblock(decoding: bytes.span),
        superblock.byteOffset == place, superblock.nodeUUID == layout.uuid,
        superblock.nodeByteCount == layout.nodeByteCount,
        superblock.sectorByteCount == layout.sectorByteCount
      else { continue }
      if image.isOpen(old) { origin.append(superblock) } else { store.append(superblock) }
    }
    return store.max { $0.generation < $1.generation }
      ?? origin.max { $0.generation < $1.generation }
  }
}
