import BlockIO
import FileSystemFormat

/// Gathers where the blocks of a file are, from a tree of extents or from lists of blocks.
///
/// - Source: Linux `Documentation/filesystems/ext4/ifork.rst`; `fs/ext4/extents.c`,
///   `fs/ext4/indirect.c`.
struct ExtMap {
  private let reader: ExtReader
  private let number: UInt32
  /// The register with which the checksums of the inode's blocks begin.
  private let register: UInt32
  /// The block after the last of the file's length: nothing beyond it can be lost.
  private let blockLimit: UInt64
  /// Blocks of the map: each is in one place only.
  private var visited: Set<UInt64> = []
  /// The first block of the file that is not mapped yet.
  private var next: UInt64 = 0

  private(set) var extents: [FileExtent] = []
  private(set) var structures: [Range<UInt64>] = []
  private(set) var damage: [FileSystemDamage] = []

  /// More pieces than any file has.
  private static let extentCountMax = 1 << 24
  private static let damageCountMax = 100

  /// A map without pieces.
  ///
  /// - Parameter blockLimit: How many blocks the file's length takes.
  init(_ reader: ExtReader, number: UInt32, generation: UInt32, blockLimit: UInt64) {
    (self.reader, self.number, self.blockLimit) = (reader, number, blockLimit)
    register = Ext4Inode.register(
      number: number, generation: generation, seed: reader.superblock.seed)
  }

  /// Reads the sixty bytes of a map in an inode, and the blocks that they lead to.
  mutating func read(
    _ map: Span<UInt8>, _ flags: Ext4InodeFields.Flags
  ) throws(FileSystemError) {
    guard flags.contains(.hasExtents) else { return try readBlocks(map) }
    guard let header = Ext4ExtentHeader(decoding: map) else {
      note("no tree of extents")
      return lose(0..<UInt64(1) << 32)
    }
    try readNode(map, header, 0..<UInt64(1) << 32)
  }

  private mutating func note(_ problem: String, block: UInt64? = nil) {
    if damage.count >= Self.damageCountMax { return }
    damage.append(
      FileSystemDamage(
        "map of inode \(number): \(problem)", at: block.map { reader.range(ofBlocks: $0) }))
  }

  // MARK: - Pieces

  /// Appends blocks of the file, which are nowhere known.
  private mutating func lose(_ blocks: Range<UInt64>) {
    let end = min(blocks.upperBound, blockLimit)
    let start = max(blocks.lowerBound, next)
    if start < end { append(start..<end, .lost) }
  }

  private mutating func append(_ blocks: Range<UInt64>, _ place: FileExtent.Place) {
    let size = reader.blockByteCount
    let file = blocks.lowerBound * size..<blocks.upperBound * size
    next = blocks.upperBound
    if let last = extents.last, last.file.upperBound == file.lowerBound,
      let place = Self.merged(last, place)
    {
      extents[extents.count - 1] = FileExtent(last.file.lowerBound..<file.upperBound, place)
    } else {
      extents.append(FileExtent(file, place))
    }
  }

  /// The place of an extent and of its successor in the file, if that is its successor in the
  /// source as well.
  private static func merged(
    _ extent: FileExtent, _ place: FileExtent.Place
  ) -> FileExtent.Place? {
    let count = extent.file.upperBound - extent.file.lowerBound
    switch (extent.place, place) {
    case (.data(let start), .data(let next)) where start + count == next: return extent.place
    case (.unwritten(let start), .unwritten(let next)) where start + count == next:
      return extent.place
    case (.lost, .lost): return .lost
    default: return nil
    }
  }

  /// Reads a block of the map, which must not have been read before.
  private mutating func structure(
    _ block: UInt64
  ) throws(FileSystemError) -> ExtReader.Page? {
    guard reader.contains(block), visited.insert(block).inserted else {
      note(reader.contains(block) ? "a block occurs twice" : "a block outside the file system")
      return nil
    }
    guard
      reader.superblock.hasMetadataChecksums || reader.mapBlocks.claim(block, by: UInt64(number))
    else {
      note("a block that many inodes claim", block: block)
      return nil
    }
    structures.append(reader.range(ofBlocks: block))
    if let page = try reader.block(block) { return page }
    note("a block cannot be read", block: block)
    return nil
  }

  // MARK: - Extents

  /// Reads a node for blocks of the file.
  private mutating func readNode(
    _ node: Span<UInt8>, _ header: Ext4ExtentHeader, _ blocks: Range<UInt64>
  ) throws(FileSystemError) {
    for index in 0..<header.count {
      guard extents.count < Self.extentCountMax else {
        note("too many extents")
        return lose(blocks)
      }
      // Both kinds of entries begin with a block of the file.
      let start = UInt64(node.little(at: 12 + index * 12, as: UInt32.self))
      guard start >= next, blocks.contains(start) else {
        note("extents are not in order")
        continue
      }
      if header.depth == 0 {
        readExtent(header.extent(index, of: node), blocks)
      } else {
        let after =
          index + 1 < header.count
          ? UInt64(node.little(at: 24 + index * 12, as: UInt32.self)) : blocks.upperBound
        let end = after > start ? min(after, blocks.upperBound) : blocks.upperBound
        try readChild(header.child(index, of: node), header.depth - 1, start..<end)
      }
    }
  }

  private mutating func readExtent(_ extent: Ext4Extent, _ blocks: Range<UInt64>) {
    let (start, count) = (UInt64(extent.logical), UInt64(extent.count))
    guard count > 0 else { return note("an empty extent") }
    let end = start + count
    guard end <= blocks.upperBound else {
      note("an extent is too long")
      return lose(start..<blocks.upperBound)
    }
    guard reader.contains(extent.physical, count: count) else {
      note("an extent outside the file system")
      return lose(start..<end)
    }
    let place = extent.physical * reader.blockByteCount
    append(start..<end, extent.isWritten ? .data(at: place) : .unwritten(at: place))
  }

  private mutating func readChild(
    _ block: UInt64, _ depth: Int, _ blocks: Range<UInt64>
  ) throws(FileSystemError) {
    guard let page = try structure(block) else { return lose(blocks) }
    let node = page.bytes.span.extracting(page.range)
    guard let header = Ext4ExtentHeader(decoding: node), header.depth == depth else {
      note("a block is no node of the tree", block: block)
      return lose(blocks)
    }
    if reader.superblock.hasMetadataChecksums,
      !Ext4Block.isRight(extents: node, header, from: register)
    {
      note("a block has a wrong checksum", block: block)
      return lose(blocks)
    }
    try readNode(node, header, blocks)
  }

  // MARK: - Lists of blocks

  private mutating func readBlocks(_ map: Span<UInt8>) throws(FileSystemError) {
    readNumbers(map.extracting(0..<48))
    for level in 1...3 {
      try readList(map.little(at: 44 + level * 4), level: level)
    }
  }

  /// Reads numbers of consecutive blocks of the file; 0 is a hole.
  private mutating func readNumbers(_ numbers: Span<UInt8>) {
    for offset in stride(from: 0, to: numbers.count, by: 4) {
      let block = UInt64(numbers.little(at: offset, as: UInt32.self))
      if block == 0 {
        next += 1
      } else if reader.contains(block), extents.count < Self.extentCountMax {
        append(next..<next + 1, .data(at: block * reader.blockByteCount))
      } else {
        note("a block outside the file system")
        let start = next
        lose(start..<start + 1)
        next = start + 1
      }
    }
  }

  /// Reads the block with a list: of blocks of the file at level 1, of lists above.
  private mutating func readList(_ number: UInt32, level: Int) throws(FileSystemError) {
    let perBlock = reader.blockByteCount / 4
    var count = perBlock
    for _ in 1..<level { count *= perBlock }
    let blocks = next..<next + count
    if number == 0 {
      next = blocks.upperBound
      return
    }
    guard let page = try structure(UInt64(number)) else {
      lose(blocks)
      next = blocks.upperBound
      return
    }
    let list = page.bytes.span.extracting(page.range)
    if level == 1 { return readNumbers(list) }
    for offset in stride(from: 0, to: list.count, by: 4) {
      try readList(list.little(at: offset), level: level - 1)
    }
  }
}
