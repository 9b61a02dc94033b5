internal import BlockIO
internal import FileSystemFormat

/// Finds the nodes of a btrfs, in the image or put together from orphans, and places the orphans.
///
/// A node is as long as one chunk of the store or several, which were copied one after the other.
/// ``BtrfsLargeChunks`` handles larger chunks.
struct BtrfsNodeSearch {
  /// A node, and the evidence for it.
  struct Found {
    let node: BtrfsNode
    let strength: Evidence.Strength
    /// Its possible places, and their content.
    let places: [Place]
  }

  /// One of the places of a node.
  struct Place {
    let byteOffset: UInt64
    /// The image's bytes there; nil if they cannot be read.
    let bytes: [UInt8]?
  }

  let image: BtrfsImage
  let puzzle: BtrfsPuzzle
  /// Whether everything that Linux copied for this store seems to be among the orphans, so that one
  /// of a kind at the table's end cannot be another store's.
  let isComplete: Bool
  /// Whether any node was proven by being the only one of its kind.
  private(set) var reliesOnCompleteness = false
  /// The number of nodes of the file system that were not found.
  private(set) var missingCount = 0
  /// The last position of the store's order at which a node was placed.
  private(set) var lastPosition: UInt64?
  /// The number of further nodes that may be put together: hostile pointers could ask for any
  /// number.
  private var budget: Int

  init(_ image: BtrfsImage, isComplete: Bool) {
    self.image = image
    puzzle = BtrfsPuzzle(image)
    self.isComplete = isComplete
    budget = 4 * image.orphans.count + 1024
  }

  /// Finds the node that a pointer of the file system names.
  mutating func find(
    _ pointer: BtrfsPointer, among map: BtrfsChunkMap
  ) throws(BlockIOError) -> Found? {
    let found = try find(pointer, map)
    if found == nil { missingCount += 1 }
    return found
  }

  /// Finds the node that a pointer names, without counting it as missing if there is none.
  ///
  /// This is for pointers that no node of the file system has, made of an orphan's own header.
  mutating func find(
    _ pointer: BtrfsPointer, _ map: BtrfsChunkMap
  ) throws(BlockIOError) -> Found? {
    let layout = image.layout
    guard let index = map.index(containing: pointer.address) else { return nil }
    var places: [Place] = []
    for byteOffset in map.chunks[index].places(
      of: pointer.address, count: UInt64(layout.nodeByteCount), on: layout.device)
    where image.contains(byteOffset, count: layout.nodeByteCount) {
      places.append(
        Place(
          byteOffset: byteOffset,
          bytes: try image.read(byteOffset, count: layout.nodeByteCount)))
    }
    for place in places {
      if let bytes = place.bytes, let node = node(bytes, pointer) {
        return Found(node: node, strength: .proven, places: places)
      }
    }
    guard !places.isEmpty, budget > 0 else { return nil }
    return try assemble(pointer, places)
  }

  /// The node that bytes are, if it is the one that a pointer names.
  private func node(_ bytes: [UInt8], _ pointer: BtrfsPointer) -> BtrfsNode? {
    guard let header = BtrfsNodeHeader(decoding: bytes.span), header.fits(pointer),
      header.uuid == image.layout.uuid, let node = BtrfsNode(checking: bytes)
    else { return nil }
    return pointer.firstKey == nil || pointer.firstKey == node.firstKey ? node : nil
  }

  /// Puts a node together from orphans.
  private mutating func assemble(
    _ pointer: BtrfsPointer, _ places: [Place]
  ) throws(BlockIOError) -> Found? {
    let layout = image.layout
    var proven: [BtrfsNode] = []
    var unique: [BtrfsNode] = []
    var likely: [BtrfsNode] = []
    func note(_ bytes: [UInt8]?, in nodes: inout [BtrfsNode]) {
      guard let bytes, let node = node(bytes, pointer),
        !nodes.contains(where: { $0.header.checksum == node.header.checksum })
      else { return }
      nodes.append(node)
    }
    if layout.chunkByteCount < layout.nodeByteCount {
      for place in places {
        guard let bytes = place.bytes, let header = BtrfsNodeHeader(decoding: bytes.span),
          header.fits(pointer), header.uuid == layout.uuid
        else { continue }
        budget -= 1
        let beginning = Array(bytes[..<layout.chunkByteCount])
        note(
          try puzzle.solve(
            beginning, at: image.position(of: image.chunk(at: place.byteOffset)), places),
          in: &proven)
      }
    }
    for head in image.orphans.heads(at: pointer.address)
    where head.header.fits(pointer) && proven.isEmpty {
      guard let content = try image.content(of: head.orphan) else { continue }
      budget -= 1
      let bytes =
        layout.chunkByteCount < layout.nodeByteCount
        ? try puzzle.solve(content, at: image.position(of: head.orphan), places)
        : Array(content[head.byteOffset..<head.byteOffset + layout.nodeByteCount])
      switch image.orphans.reasons[head.orphan] {
      case .exceptionLost: note(bytes, in: &proven)
      case .endLost where isComplete: note(bytes, in: &unique)
      default: note(bytes, in: &likely)
      }
    }
    // Nodes that Linux certainly copied for this store belong to it; a node that only may do so
    // must be the only one.
    if proven.isEmpty, unique.count + likely.count > 1 { return nil }
    let (nodes, strength): ([BtrfsNode], Evidence.Strength) =
      !proven.isEmpty ? (proven, .proven) : !unique.isEmpty ? (unique, .proven) : (likely, .likely)
    guard nodes.count == 1, let node = nodes.first else { return nil }
    if proven.isEmpty, strength == .proven { reliesOnCompleteness = true }
    return Found(node: node, strength: strength, places: places)
  }

  // MARK: - Placing

  /// Places orphans that have the content of a node where the image has something else.
  mutating func place(_ found: Found, _ strength: Evidence.Strength) throws(BlockIOError) {
    let size = image.layout.chunkByteCount
    guard size <= found.node.bytes.count else { return }
    let heads = image.orphans.heads(at: found.node.header.address)
      .filter { $0.header == found.node.header }.compactMap { image.position(of: $0.orphan) }
    for place in found.places
    where place.bytes != found.node.bytes && image.offsetInChunk(place.byteOffset) == 0 {
      for slot in 0..<found.node.bytes.count / size {
        let range = slot * size..<(slot + 1) * size
        let old = image.chunk(at: place.byteOffset + UInt64(range.lowerBound))
        guard image.isOpen(old) else { continue }
        let wanted = found.node.bytes[range]
        if let bytes = place.bytes, bytes[range] == wanted { continue }
        var preferred = Set(heads.map { $0 + UInt64(slot) })
        if slot > 0, let before = image.position(of: old - 1) { preferred = [before + 1] }
        guard let orphan = try orphan(having: Array(wanted), preferred) else { continue }
        image.place(orphan, at: old, .btrfsNode, strength)
        if slot == 0, strength == .proven, let position = image.position(of: orphan) {
          lastPosition = max(lastPosition ?? 0, position)
        }
      }
    }
  }

  /// An orphan that has those bytes and no place yet, if possible at one of the positions.
  private func orphan(
    having bytes: [UInt8], _ preferred: Set<UInt64>
  ) throws(BlockIOError) -> Int? {
    var checksum = CRC32C(register: 0)
    checksum.add(bytes.span)
    var candidates = image.orphans.orphans(withChunk: checksum.register)
      .filter { !image.isPlaced($0) }
    if let index = candidates.firstIndex(where: {
      image.position(of: $0).map(preferred.contains) ?? false
    }) {
      candidates.swapAt(0, index)
    }
    for candidate in candidates where try image.content(of: candidate) == bytes {
      return candidate
    }
    return nil
  }
}
