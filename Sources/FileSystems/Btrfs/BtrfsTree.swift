internal import BlockIO
internal import FileSystemFormat

/// A tree of items.
struct BtrfsTree: Sendable {
  /// Its number.
  let id: UInt64
  /// Its root.
  let root: BtrfsPointer
  /// The reader of its nodes.
  let nodes: BtrfsNodeReader
  /// Differences from its nodes, by a log that was replayed.
  var changes = BtrfsChanges()
}

/// A part of a tree that could not be read.
struct BtrfsLoss {
  let damage: FileSystemDamage
  /// The first key that may be missing; nil for the first of all.
  let start: BtrfsKey?
  /// The first key after it that is not; nil if there is none.
  var end: BtrfsKey?
}

/// The parts of a tree that could not be read, ascending.
struct BtrfsLosses {
  /// More are one from the last on.
  private static let countMax = 1 << 16

  private(set) var losses: [BtrfsLoss] = []

  var isEmpty: Bool { losses.isEmpty }
  var damage: [FileSystemDamage] { losses.map(\.damage) }

  mutating func append(_ loss: BtrfsLoss) {
    if losses.count < Self.countMax {
      losses.append(loss)
    } else {
      losses[losses.count - 1].end = loss.end
    }
  }
}

extension BtrfsTree {
  /// Calls `body` with each leaf that has items of those keys, and the indices of these, ascending,
  /// until it returns false.
  ///
  /// - Parameters:
  ///   - isFloorIncluded: Whether the last item before `keys` is one of them.
  ///   - losses: Gets the parts that could not be read.
  /// - Returns: Whether `body` never returned false.
  @discardableResult
  func forEachLeaf(
    _ keys: ClosedRange<BtrfsKey>, isFloorIncluded: Bool = false, losses: inout BtrfsLosses,
    _ body: (BtrfsNode, Range<Int>) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    let walk = BtrfsWalk(nodes: nodes, keys: keys, isFloorIncluded: isFloorIncluded)
    var rest = changes[keys]
    if rest.isEmpty { return try walk.visit(root, before: nil, losses: &losses, body) }
    let isWhole = try walk.visit(root, before: nil, losses: &losses) {
      leaf, items throws(FileSystemError) in try rest.merge(into: leaf, items, body)
    }
    return isWhole ? try rest.finish(body) : false
  }

  /// The item of a key; nil if there is none.
  ///
  /// - Throws: `damaged` if that cannot be determined.
  func item(_ key: BtrfsKey) throws(FileSystemError) -> (leaf: BtrfsNode, index: Int)? {
    if let change = changes[key] { return change.item.map { ($0.leaf, $0.index) } }
    var pointer = root
    while true {
      let node = try nodes.node(pointer)
      let index = node.firstIndex(notBelow: key)
      let isThere = index < node.header.itemCount && node.key(at: index) == key
      if node.header.level == 0 { return isThere ? (node, index) : nil }
      guard isThere || index > 0 else { return nil }
      pointer = node.pointer(at: isThere ? index : index - 1)
    }
  }
}

/// A walk over the leaves of a tree.
///
/// It ends, whatever is on the disk: levels fall, and a node begins with the key that its parent
/// has for it, so that none is visited twice.
private struct BtrfsWalk {
  let nodes: BtrfsNodeReader
  let keys: ClosedRange<BtrfsKey>
  let isFloorIncluded: Bool

  func visit(
    _ pointer: BtrfsPointer, before end: BtrfsKey?, losses: inout BtrfsLosses,
    _ body: (BtrfsNode, Range<Int>) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> Bool {
    let node: BtrfsNode
    do throws(FileSystemError) {
      node = try self.node(pointer, before: end)
    } catch {
      guard case .damaged(_, let damage) = error else { throw error }
      losses.append(BtrfsLoss(damage: damage, start: pointer.firstKey, end: end))
      return true
    }
    var start = node.firstIndex(notBelow: keys.lowerBound)
    let isThere = start < node.header.itemCount && node.key(at: start) == keys.lowerBound
    if node.header.level == 0 {
      if isFloorIncluded, !isThere, start > 0 { start -= 1 }
      var stop = node.firstIndex(notBelow: keys.upperBound)
      if stop < node.header.itemCount, node.key(at: stop) == keys.upperBound { stop += 1 }
      return start < stop ? try body(node, start..<stop) : true
    }
    if !isThere, start > 0 { start -= 1 }
    announceChildren(of: node, from: start)
    for index in start..<max(start, node.header.itemCount) {
      let child = node.pointer(at: index)
      if index > start, node.key(at: index) > keys.upperBound { break }
      let childEnd = index + 1 < node.header.itemCount ? node.key(at: index + 1) : end
      guard try visit(child, before: childEnd, losses: &losses, body) else { return false }
    }
    return true
  }

  /// Reads a node whose keys must be below `end`.
  private func node(
    _ pointer: BtrfsPointer, before end: BtrfsKey?
  ) throws(FileSystemError) -> BtrfsNode {
    let node = try nodes.node(pointer)
    let count = node.header.itemCount
    if let end, count > 0, node.key(at: count - 1) >= end {
      throw nodes.damaged("node at logical address \(pointer.address): not in order")
    }
    return node
  }

  /// Lets the medium fetch the leaves that come next.
  private func announceChildren(of node: BtrfsNode, from start: Int) {
    guard node.header.level == 1, keys.lowerBound.object != keys.upperBound.object else { return }
    let byteCount = UInt64(nodes.superblock.nodeByteCount)
    let ranges = (start..<max(start, node.header.itemCount)).compactMap { index in
      nodes.places(of: node.pointer(at: index).address, count: byteCount).first.map {
        $0..<$0 + byteCount
      }
    }
    nodes.source.willRead(ranges)
  }
}
