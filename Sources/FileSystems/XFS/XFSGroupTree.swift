import BlockIO
import FileSystemFormat

/// A walk over the leaves of a btree of a group: of free space or of inodes.
struct XFSGroupTree {
  private let reader: XFSReader
  private let tree: XFSBtreeBlock.Tree
  private let group: UInt64
  private var visited: Set<UInt64> = []
  /// Damage met while reading.
  private(set) var damage: [FileSystemDamage] = []
  /// The blocks of the tree, in bytes.
  private(set) var blocks: [Range<UInt64>] = []

  /// Lends a leaf; returns its problem.
  typealias Body = (Span<UInt8>, XFSBtreeBlock) -> String?

  init(_ reader: XFSReader, _ tree: XFSBtreeBlock.Tree, of group: UInt64) {
    (self.reader, self.tree, self.group) = (reader, tree, group)
  }

  /// Calls `body` with each leaf, in order.
  mutating func forEachLeaf(_ body: Body) throws(FileSystemError) {
    let geometry = reader.geometry
    guard let groupStart = geometry.byteOffset(ofGroup: group) else { return }
    let sector = UInt64(geometry.sectorByteCount)
    let isInodes = tree == .inodes
    let start = groupStart + (isInodes ? 2 : 1) * sector
    let header = start..<start + sector
    let what = "\(isInodes ? "AGI" : "AGF") of group \(group)"
    let (bytes, problem) = try reader.block(
      header, isInodes ? .inodeHeader : .freeSpaceHeader, owner: group)
    let span = bytes.span
    guard problem == nil,
      span.big(at: 0, as: UInt32.self) == (isInodes ? 0x5841_4749 : 0x5841_4746),
      UInt64(span.big(at: 8, as: UInt32.self)) == group
    else {
      damage.append(FileSystemDamage("\(what): \(problem ?? "is something else")", at: header))
      return
    }
    let (rootOffset, levelOffset) =
      switch tree {
      case .freeByBlock: (16, 28)
      case .freeByCount: (20, 32)
      case .inodes, .extents: (20, 24)
      }
    let level = Int(span.big(at: levelOffset, as: UInt32.self))
    guard 1...XFSBtreeBlock.levelMax ~= level else {
      damage.append(FileSystemDamage("\(what): a btree of \(level) levels", at: header))
      return
    }
    try visit(UInt64(span.big(at: rootOffset, as: UInt32.self)), level: level - 1, body)
  }

  private mutating func visit(
    _ block: UInt64, level: Int, _ body: Body
  ) throws(FileSystemError) {
    let geometry = reader.geometry
    let what = "btree block \(block) of group \(group)"
    let number = group << UInt64(geometry.groupBlockBits) | block
    guard block < geometry.groupBlockCount, let range = geometry.bytes(ofBlocks: number, count: 1)
    else {
      return damage.append(FileSystemDamage("\(what): is beyond the end"))
    }
    guard visited.insert(block).inserted else {
      return damage.append(FileSystemDamage("\(what): occurs twice", at: range))
    }
    let (bytes, problem) = try reader.block(range, tree.kind, owner: group)
    let span = bytes.span
    guard problem == nil,
      let header = XFSBtreeBlock(span, of: tree, hasChecksums: reader.superblock.hasChecksums),
      header.level == level
    else {
      return damage.append(
        FileSystemDamage("\(what): \(problem ?? "is something else")", at: range))
    }
    blocks.append(range)
    if level == 0 {
      if let problem = body(span, header) {
        damage.append(FileSystemDamage("\(what): \(problem)", at: range))
      }
      return
    }
    for index in 0..<header.count {
      try visit(header.pointer(index, in: bytes.span), level: level - 1, body)
    }
  }
}
