import BlockIO
import FileSystemFormat

/// Where the blocks of a fork are: the data of a file, or its attributes.
struct XFSForkMap {
  /// Its pieces, ascending; neighbours that continue each other are one.
  private(set) var extents: [FileExtent] = []
  /// The blocks of its tree, in bytes of the source.
  private(set) var blocks: [Range<UInt64>] = []
  /// Damage met while reading.
  private(set) var damage: [FileSystemDamage] = []

  private let reader: XFSReader
  private let number: UInt64
  private var visited: Set<UInt64> = []
  /// Where the next extent may begin, in blocks of the file.
  private var position: UInt64 = 0

  /// One more than the last block that a file can have.
  private static let fileBlockEnd: UInt64 = 1 << 54

  /// Reads the map of a fork that is extents or a tree of them; that of any other is empty.
  init(_ reader: XFSReader, _ fork: XFSFork, of number: UInt64, _ record: [UInt8])
    throws(FileSystemError)
  {
    (self.reader, self.number) = (reader, number)
    let bytes = record.span.extracting(fork.bytes)
    switch fork.format {
    case .device, .local: break
    case .extents:
      let room = UInt64(bytes.count / XFSExtent.byteCount)
      if fork.extentCount > room { note("has \(fork.extentCount) extents, and room for \(room)") }
      for index in 0..<Int(min(fork.extentCount, room)) {
        add(XFSExtent(bytes, at: index * XFSExtent.byteCount), at: nil)
      }
    case .btree:
      guard let root = XFSBtreeBlock(root: bytes) else {
        lose(0..<Self.fileBlockEnd)
        note("its tree of extents has no root")
        return
      }
      try visitChildren(of: root, in: record, from: fork.bytes.lowerBound, 0..<Self.fileBlockEnd)
    }
  }

  private mutating func note(_ problem: String, at bytes: Range<UInt64>? = nil) {
    damage.append(FileSystemDamage("inode \(number): \(problem)", at: bytes))
  }

  // MARK: - Trees

  private mutating func visitChildren(
    of node: XFSBtreeBlock, in record: [UInt8], from start: Int, _ range: Range<UInt64>
  ) throws(FileSystemError) {
    let end = record.count
    for index in 0..<node.count {
      let bytes = record.span.extracting(start..<end)
      let pointer = node.pointer(index, in: bytes)
      let first = index == 0 ? range.lowerBound : node.key(index, in: bytes)
      let next =
        index + 1 < node.count
        ? min(node.key(index + 1, in: bytes), range.upperBound)
        : range.upperBound
      try visit(pointer, level: node.level - 1, min(first, next)..<next)
    }
  }

  private mutating func visit(
    _ block: UInt64, level: Int, _ range: Range<UInt64>
  ) throws(FileSystemError) {
    guard let place = reader.geometry.bytes(ofBlocks: block, count: 1) else {
      note("a block of its tree of extents is beyond the end")
      return lose(range)
    }
    guard visited.insert(block).inserted else {
      note("a block of its tree of extents occurs twice", at: place)
      return lose(range)
    }
    guard reader.superblock.hasChecksums || reader.mapBlocks.claim(block, by: number) else {
      note("a block of its tree of extents is claimed by many inodes", at: place)
      return lose(range)
    }
    let (bytes, problem) = try reader.block(place, .extents, owner: number)
    guard problem == nil,
      let node = XFSBtreeBlock(
        bytes.span, of: .extents, hasChecksums: reader.superblock.hasChecksums),
      node.level == level
    else {
      note("a block of its tree of extents: \(problem ?? "is something else")", at: place)
      return lose(range)
    }
    blocks.append(place)
    guard level == 0 else {
      return try visitChildren(of: node, in: bytes, from: 0, range)
    }
    for index in 0..<node.count {
      add(XFSExtent(bytes.span, at: node.recordOffset(index)), at: place)
    }
  }

  // MARK: - Extents

  private mutating func add(_ extent: XFSExtent, at place: Range<UInt64>?) {
    guard let file = reader.geometry.fileBytes(of: extent), !file.isEmpty,
      extent.fileBlock >= position
    else { return note("an extent is out of order", at: place) }
    position = extent.fileBlock + extent.blockCount
    guard let bytes = reader.geometry.bytes(ofBlocks: extent.block, count: extent.blockCount) else {
      note("an extent is beyond the end", at: place)
      return append(FileExtent(file, .lost))
    }
    append(
      FileExtent(
        file, extent.isUnwritten ? .unwritten(at: bytes.lowerBound) : .data(at: bytes.lowerBound)))
  }

  /// Marks the mapping of a part of the tree as unknown.
  private mutating func lose(_ blocks: Range<UInt64>) {
    let end = min(blocks.upperBound, (1 << 63) / UInt64(reader.geometry.blockByteCount))
    let start = max(blocks.lowerBound, position)
    guard start < end else { return }
    position = end
    let size = UInt64(reader.geometry.blockByteCount)
    append(FileExtent(start * size..<end * size, .lost))
  }

  private mutating func append(_ extent: FileExtent) {
    if let last = extents.last, last.file.upperBound == extent.file.lowerBound,
      Self.continues(last, extent)
    {
      extents[extents.count - 1] = FileExtent(
        last.file.lowerBound..<extent.file.upperBound, last.place)
    } else {
      extents.append(extent)
    }
  }

  private static func continues(_ first: FileExtent, _ second: FileExtent) -> Bool {
    switch (first.place, second.place) {
    case (.data(let start), .data(let next)), (.unwritten(let start), .unwritten(let next)):
      start + (first.file.upperBound - first.file.lowerBound) == next
    case (.lost, .lost): true
    default: false
    }
  }

  // MARK: - Metadata in forks

  /// Where bytes of the fork are, in pieces; nil unless all of them are somewhere.
  func places(_ file: Range<UInt64>) -> [Range<UInt64>]? {
    var (places, position) = ([Range<UInt64>](), file.lowerBound)
    var index = extents.partitioningIndex { $0.file.upperBound > position }
    while position < file.upperBound {
      guard index < extents.count, extents[index].file.contains(position),
        case .data(let start) = extents[index].place
      else { return nil }
      let end = min(extents[index].file.upperBound, file.upperBound)
      let first = start + (position - extents[index].file.lowerBound)
      places.append(first..<first + (end - position))
      position = end
      index += 1
    }
    return places
  }
}
