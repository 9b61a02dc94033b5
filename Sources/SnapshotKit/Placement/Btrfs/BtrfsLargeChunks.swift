internal import BlockIO
internal import FileSystemFormat

/// Places orphans that are longer than a node, by all the nodes that begin in them.
///
/// The bytes between the nodes have no checksum. So an orphan is placed only where all its nodes
/// belong; if two copies differ between the nodes, neither is proven.
struct BtrfsLargeChunks {
  /// Orphans that may belong to the same chunks of the origin.
  private struct Group {
    var orphans: [Int] = []
    /// Whether the file system needs any of their nodes.
    var isNeeded = false
  }

  private let image: BtrfsImage
  /// The headers of nodes that the file system has and the image lacks, by chunk of the origin and
  /// where in the chunk they begin.
  private var needs: [UInt64: [Int: BtrfsNodeHeader]] = [:]

  init(_ image: BtrfsImage) { self.image = image }

  /// Notes a node that the file system has, and the places where the image lacks it.
  mutating func need(_ found: BtrfsNodeSearch.Found) {
    let layout = image.layout
    for place in found.places where place.bytes != found.node.bytes {
      let (old, start) = (image.chunk(at: place.byteOffset), image.offsetInChunk(place.byteOffset))
      guard start + layout.nodeByteCount <= layout.chunkByteCount, image.isOpen(old) else {
        continue
      }
      needs[old, default: [:]][start] = found.node.header
    }
  }

  /// Places orphans.
  ///
  /// - Parameters:
  ///   - map: Where logical addresses are.
  ///   - isSettled: Whether a node has been nowhere else since it was written.
  ///   - isOurs: Whether Linux certainly copied an orphan for this store; whether what it holds is
  ///     needed says nothing yet, and is passed along.
  mutating func place(
    _ map: BtrfsChunkMap, isSettled: (BtrfsNodeHeader) -> Bool,
    isOurs: (_ orphan: Int, _ isNeeded: Bool) -> Bool
  ) throws(BlockIOError) {
    var heads: [Int: [BtrfsOrphans.Head]] = [:]
    for head in image.orphans.heads { heads[head.orphan, default: []].append(head) }
    var groups: [[UInt64]: Group] = [:]
    for (orphan, heads) in heads.sorted(by: { $0.key < $1.key }) where !image.isPlaced(orphan) {
      let settled = heads.filter { isSettled($0.header) }
      let targets = try targets(of: settled, map)
      let needed = targets.filter { old in
        needs[old]?.allSatisfy { start, header in
          heads.contains { $0.byteOffset == start && $0.header == header }
        } ?? false
      }
      let chosen = needed.isEmpty ? targets.filter { needs[$0] == nil } : needed
      guard !chosen.isEmpty, !needed.isEmpty || isOurs(orphan, false) else { continue }
      groups[chosen, default: Group()].orphans.append(orphan)
      if !needed.isEmpty { groups[chosen]?.isNeeded = true }
    }
    for (olds, group) in groups.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      try place(group, at: olds.filter(image.isOpen), isOurs)
    }
    needs = [:]
  }

  /// The chunks of the origin to which all those nodes belong, and in which the image lacks any.
  private func targets(
    of heads: [BtrfsOrphans.Head], _ map: BtrfsChunkMap
  ) throws(BlockIOError) -> [UInt64] {
    let layout = image.layout
    var common: Set<UInt64>?
    var lacking: Set<UInt64> = []
    for head in heads {
      guard let index = map.index(containing: head.header.address) else { return [] }
      let places = map.chunks[index].places(
        of: head.header.address, count: UInt64(layout.nodeByteCount), on: layout.device
      ).filter {
        image.contains($0, count: layout.nodeByteCount)
          && image.offsetInChunk($0) == head.byteOffset
      }
      let olds = Set(places.map(image.chunk(at:)))
      common = common.map { $0.intersection(olds) } ?? olds
      for place in places {
        let bytes = try image.read(place, count: layout.nodeByteCount)
        if bytes.flatMap({ BtrfsNodeHeader(decoding: $0.span) }) != head.header {
          lacking.insert(image.chunk(at: place))
        }
      }
    }
    return (common ?? []).intersection(lacking).filter(image.isOpen).sorted()
  }

  /// Places the orphans of a group, in the store's order.
  private func place(
    _ group: Group, at olds: [UInt64], _ isOurs: (_ orphan: Int, _ isNeeded: Bool) -> Bool
  ) throws(BlockIOError) {
    // Chunks certainly copied for this store take precedence over those that may be another's.
    let ours = group.orphans.filter { isOurs($0, group.isNeeded) }
    let orphans = ours.isEmpty ? group.orphans : ours
    guard let first = orphans.first, orphans.count <= olds.count else { return }
    let content = try image.content(of: first)
    var isSame = true
    for orphan in orphans.dropFirst() where try image.content(of: orphan) != content {
      isSame = false
    }
    let isProven = isSame && orphans.count == olds.count && !ours.isEmpty
    for (orphan, old) in zip(orphans, olds) {
      image.place(orphan, at: old, .btrfsNode, isProven ? .proven : .likely)
    }
  }
}
