internal import BlockIO
internal import SnapshotFormat

/// The content of orphans without a proof, as far as it shows where file data belongs.
///
/// Eight bytes an orphan, and eight for each of its blocks.
struct FileDataLooks {
  /// The facts kept about a block.
  private struct Block {
    let hash: UInt32
    /// One above its last byte that is not zero; the highest bit is set in blocks that structure a
    /// file system, and so are no file's.
    let end: UInt32
  }

  private static let structureBit: UInt32 = 1 << 31

  /// The orphans, ascending.
  let chunks: [UInt64]
  /// The number of blocks in a chunk.
  let blocksPerChunk: Int
  /// The blocks of each orphan.
  private let blocks: [Block]

  /// Reads the orphans, and notes in `rewrites` which of them show sectors that the origin has.
  init(
    _ mapper: any FileMapper, _ scene: PlacementScene, noting rewrites: inout FileDataRewrites
  ) throws(BlockIOError) {
    let size = mapper.blockByteCount
    var (chunks, blocks): ([UInt64], [Block]) = ([], [])
    let blocksPerChunk = Int(scene.chunkByteCount) / size
    try OrphanReader(scene.store, scene.geometry, scene.orphans).forEach { new, content in
      guard scene.proven[new] == nil, scene.position(new) != nil else { return }
      rewrites.look(at: chunks.count, content)
      chunks.append(new)
      for index in 0..<blocksPerChunk {
        let block = content.extracting(index * size..<(index + 1) * size)
        var end = block.count
        while end > 0, block[end - 1] == 0 { end -= 1 }
        blocks.append(
          Block(
            hash: ContentHash(block).short,
            end: UInt32(end) | (mapper.isStructure(block) ? Self.structureBit : 0)))
      }
    }
    (self.chunks, self.blocks, self.blocksPerChunk) = (chunks, blocks, blocksPerChunk)
  }

  /// Where a block of an orphan ends: one above its last byte that is not zero.
  func end(_ orphan: Int, _ block: Int) -> UInt32 {
    blocks[orphan * blocksPerChunk + block].end & ~Self.structureBit
  }

  /// A hash of a block of an orphan.
  func hash(_ orphan: Int, _ block: Int) -> UInt32 { blocks[orphan * blocksPerChunk + block].hash }

  /// Whether a block of an orphan structures a file system.
  func isStructure(_ orphan: Int, _ block: Int) -> Bool {
    blocks[orphan * blocksPerChunk + block].end & Self.structureBit != 0
  }

  /// The number of blocks that end in each place.
  var endCounts: [UInt32: Int] {
    var counts: [UInt32: Int] = [:]
    for block in blocks { counts[block.end & ~Self.structureBit, default: 0] += 1 }
    return counts
  }
}
