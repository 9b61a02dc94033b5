internal import BlockIO
internal import FileSystemFormat

/// Walks all trees of a btrfs from its superblock down, and places missing nodes that it finds.
struct BtrfsTreeWalk {
  private let image: BtrfsImage
  private let superblock: BtrfsDiskSuperblock
  private var nodes: BtrfsNodeSearch
  private var data: BtrfsDataSearch
  private var largeChunks: BtrfsLargeChunks
  private var map: BtrfsChunkMap
  /// The oldest generation from which on a chunk is known to have been where it is now, by its
  /// logical address.
  private var since: [UInt64: UInt64] = [:]
  /// The nodes that the file system has, by address.
  private var visited: [UInt64: BtrfsNodeHeader] = [:]
  /// More nodes are missing only where hostile pointers ask for them.
  private let missingCountMax: Int
  /// Nodes that only a likely node points to, until everything proven is placed.
  private var doubtful: [BtrfsPointer] = []

  init(_ image: BtrfsImage, _ superblock: BtrfsDiskSuperblock, isComplete: Bool) {
    (self.image, self.superblock) = (image, superblock)
    nodes = BtrfsNodeSearch(image, isComplete: isComplete)
    data = BtrfsDataSearch(image)
    largeChunks = BtrfsLargeChunks(image)
    map = superblock.systemChunks
    missingCountMax = 4 * image.orphans.count + 1 << 16
    for chunk in map.chunks { since[chunk.logical] = superblock.chunkRoot.generation }
  }

  /// Whether proofs rest on the assumption that all chunks that Linux copied for this store are
  /// here, and nothing else, and that is not so.
  var isRefuted: Bool {
    nodes.reliesOnCompleteness
      && (nodes.missingCount > 0 || image.orphans.heads.contains(where: isForeign))
  }

  /// Whether an orphan at the table's end belongs to another store: the file system has something
  /// else where it belongs.
  private func isForeign(_ head: BtrfsOrphans.Head) -> Bool {
    guard image.orphans.reasons[head.orphan] == .endLost, !image.isPlaced(head.orphan),
      let index = map.index(containing: head.header.address)
    else { return false }
    if let header = visited[head.header.address], header != head.header { return true }
    let places = map.chunks[index].places(
      of: head.header.address, count: UInt64(image.layout.nodeByteCount), on: image.layout.device)
    return !places.contains { image.isOpen(image.chunk(at: $0)) }
  }

  /// Walks, and places orphans in the image.
  mutating func run() throws(BlockIOError) {
    try walk(from: superblock.chunkRoot, .proven)
    try walk(from: superblock.root, .proven)
    if let log = superblock.logRoot { try walk(from: log, .proven) }
    try data.place()
    try placeUnreferenced()
    while let pointer = doubtful.popLast() { try walk(from: pointer, .likely) }
    try data.place()
  }

  /// Walks down from a node.
  private mutating func walk(
    from pointer: BtrfsPointer, _ strength: Evidence.Strength
  ) throws(BlockIOError) {
    var pending = [pointer]
    while nodes.missingCount < missingCountMax, let pointer = pending.popLast() {
      guard visited[pointer.address] == nil,
        let found = try nodes.find(pointer, among: map)
      else { continue }
      let certainty = min(strength, found.strength)
      if certainty < strength {
        doubtful.append(pointer)
        continue
      }
      visited[pointer.address] = found.node.header
      try nodes.place(found, certainty)
      if certainty == .proven {
        largeChunks.need(found)
        note(found.node)
      }
      pending += try follow(found.node, certainty).reversed()
    }
  }

  /// Notes that a chunk was where it is when a node was written.
  private mutating func note(_ node: BtrfsNode) {
    guard let index = map.index(containing: node.header.address) else { return }
    let logical = map.chunks[index].logical
    since[logical] = min(since[logical] ?? .max, node.header.generation)
  }

  /// The pointers of a node, in its order; takes in the items of a leaf.
  private mutating func follow(
    _ node: BtrfsNode, _ strength: Evidence.Strength
  ) throws(BlockIOError) -> [BtrfsPointer] {
    guard node.header.level == 0 else {
      return (0..<node.header.itemCount).map { node.pointer(at: $0) }
    }
    var roots: [BtrfsPointer] = []
    for index in 0..<node.header.itemCount {
      let key = node.key(at: index)
      switch key.type {
      case BtrfsKey.rootItem:
        if let root = node.root(at: index) { roots.append(root) }
      case BtrfsKey.dataChecksums:
        try data.look(at: node.dataChecksums(at: index), from: key.offset, map, strength)
      case BtrfsKey.chunkItem where strength == .proven:
        guard let chunk = node.chunk(at: index) else { continue }
        map.insert(chunk)
        since[chunk.logical] = min(since[chunk.logical] ?? .max, node.header.generation)
      default: break
      }
    }
    return roots
  }

  // MARK: - What nothing points to

  /// Places nodes that nothing points to any more: they are still where they were written, as no
  /// other node was written over them.
  private mutating func placeUnreferenced() throws(BlockIOError) {
    if image.layout.chunkByteCount > image.layout.nodeByteCount {
      var chunks = largeChunks
      try chunks.place(map, isSettled: isSettled) { orphan, isNeeded in
        // A needed chunk is unique, or it would not have been found.
        isOurs(orphan)
          || isNeeded && nodes.isComplete && image.orphans.reasons[orphan] == .endLost
      }
      return
    }
    for head in image.orphans.heads
    where !image.isPlaced(head.orphan) && isOurs(head.orphan) && isSettled(head.header)
      && visited[head.header.address] == nil
    {
      let header = head.header
      let pointer = BtrfsPointer(
        address: header.address, generation: header.generation, level: header.level)
      guard let found = try nodes.find(pointer, map) else { continue }
      // Both copies were written. If only one is here, it may be either.
      let openCount = found.places.count { place in
        place.bytes.map { !$0.starts(with: found.node.bytes.prefix(image.layout.chunkByteCount)) }
          ?? true && image.isOpen(image.chunk(at: place.byteOffset))
      }
      let count = image.orphans.heads(at: header.address)
        .count { $0.header == header && !image.isPlaced($0.orphan) }
      try nodes.place(found, openCount <= count ? found.strength : .likely)
    }
  }

  /// Whether a node has been nowhere else since it was written, according to all known chunks.
  private func isSettled(_ header: BtrfsNodeHeader) -> Bool {
    guard let index = map.index(containing: header.address),
      let oldest = since[map.chunks[index].logical]
    else { return false }
    return oldest <= header.generation && header.generation <= superblock.generation &+ 1
  }

  /// Whether Linux certainly copied an orphan for this store.
  private func isOurs(_ orphan: Int) -> Bool {
    switch image.orphans.reasons[orphan] {
    case .exceptionLost: return true
    case .endLost:
      guard let last = nodes.lastPosition, let position = image.position(of: orphan) else {
        return false
      }
      return nodes.isComplete && position <= last
    case .endInDoubt, .inFlight, .leaked: return false
    }
  }
}
