internal import BlockIO
internal import SnapshotFormat

/// What orphans hold, as far as it tells where file data belongs.
struct FileDataLooks {
  /// A sector, and which of its chunk it is.
  struct Sector: Hashable {
    let index: Int
    let hash: UInt64
  }

  /// The orphans, ascending.
  private(set) var chunks: [UInt64] = []
  /// How many blocks a chunk has.
  private(set) var blocksPerChunk = 1
  private let mapper: any FileMapper
  private let blockByteCount: Int
  /// One above the last byte of each block that is not zero, for each block of each orphan.
  private var ends: [UInt32] = []
  /// Hashes of the blocks.
  private var hashes: [UInt64] = []
  /// Whether a block is one that structures a file system, and so is no file's.
  private var structures: [Bool] = []
  /// The sectors of each orphan that are not almost empty.
  private(set) var sectors: [[Sector]] = []
  private var sectorCount = 0

  /// More sectors are not compared with the origin's: 2 GiB of orphans.
  private static let sectorCountMax = 1 << 22

  /// Nothing yet, of orphans of a file system.
  init(_ mapper: any FileMapper) {
    self.mapper = mapper
    blockByteCount = mapper.blockByteCount
  }

  /// Looks at an orphan.
  mutating func add(_ new: UInt64, _ content: Span<UInt8>) {
    blocksPerChunk = max(1, content.count / blockByteCount)
    chunks.append(new)
    for index in 0..<blocksPerChunk {
      let start = index * blockByteCount
      let block = content.extracting(start..<min(content.count, start + blockByteCount))
      var end = block.count
      while end > 0, block[end - 1] == 0 { end -= 1 }
      ends.append(UInt32(end))
      hashes.append(ContentHash(block).value)
      structures.append(mapper.isStructure(block))
    }
    let found = sectorCount < Self.sectorCountMax ? Self.sectors(of: content) : []
    sectorCount += found.count
    sectors.append(found)
  }

  /// The sectors of a chunk that are not almost empty.
  static func sectors(of content: Span<UInt8>) -> [Sector] {
    (0..<content.count / 512).compactMap { index in
      let sector = content.extracting(index * 512..<(index + 1) * 512)
      let isSparse = ByteCounts(sector).zero >= 512 - 32
      return isSparse ? nil : Sector(index: index, hash: ContentHash(sector).value)
    }
  }

  /// Where a block of an orphan ends: one above its last byte that is not zero.
  func end(_ orphan: Int, _ block: Int) -> UInt32 { ends[orphan * blocksPerChunk + block] }

  /// A hash of a block of an orphan.
  func hash(_ orphan: Int, _ block: Int) -> UInt64 { hashes[orphan * blocksPerChunk + block] }

  /// Whether a block of an orphan structures a file system.
  func isStructure(_ orphan: Int, _ block: Int) -> Bool {
    structures[orphan * blocksPerChunk + block]
  }

  /// How many orphans' blocks end in each place.
  func endCounts(_ orphans: [Int]) -> [UInt32: Int] {
    var counts: [UInt32: Int] = [:]
    for orphan in orphans {
      for block in 0..<blocksPerChunk { counts[end(orphan, block), default: 0] += 1 }
    }
    return counts
  }
}
