internal import BlockIO
internal import FileSystemFormat

/// An item of a leaf.
struct BtrfsItem: Sendable {
  let leaf: BtrfsNode
  let index: Int

  init(_ leaf: BtrfsNode, _ index: Int) { (self.leaf, self.index) = (leaf, index) }

  /// One that is nowhere on the disk.
  init(_ key: BtrfsKey, _ bytes: [UInt8]) { self.init(BtrfsNode(key, bytes), 0) }

  var key: BtrfsKey { leaf.key(at: index) }
  var byteCount: Int { leaf.item(at: index).count }
  var bytes: [UInt8] { Array(leaf.bytes[leaf.item(at: index)]) }
}

/// Items that a tree has or lacks, contrary to its nodes.
struct BtrfsChanges: Sendable {
  /// A change at a key: an item, or none.
  struct Change: Sendable {
    let key: BtrfsKey
    let item: BtrfsItem?
  }

  /// Changes that are not merged yet, ascending.
  struct Rest {
    fileprivate var changes: ArraySlice<Change>

    var isEmpty: Bool { changes.isEmpty }

    /// Calls `body` with the items of a leaf as changed, and with those before them, until it
    /// returns false.
    mutating func merge(
      into leaf: BtrfsNode, _ items: Range<Int>,
      _ body: (BtrfsNode, Range<Int>) throws(FileSystemError) -> Bool
    ) throws(FileSystemError) -> Bool {
      var start = items.lowerBound
      let last = leaf.key(at: items.upperBound - 1)
      while let change = changes.first, change.key <= last {
        let index = leaf.firstIndex(notBelow: change.key)
        if start < index {
          guard try body(leaf, start..<index) else { return false }
        }
        start = max(start, leaf.key(at: index) == change.key ? index + 1 : index)
        changes = changes.dropFirst()
        if let item = change.item {
          guard try body(item.leaf, item.index..<item.index + 1) else { return false }
        }
      }
      return start < items.upperBound ? try body(leaf, start..<items.upperBound) : true
    }

    /// Calls `body` with the items after the last leaf, until it returns false.
    func finish(
      _ body: (BtrfsNode, Range<Int>) throws(FileSystemError) -> Bool
    ) throws(FileSystemError) -> Bool {
      for item in changes.compactMap(\.item) {
        guard try body(item.leaf, item.index..<item.index + 1) else { return false }
      }
      return true
    }
  }

  /// Ascending.
  private let changes: [Change]

  /// Those, by key; nil for an item that is gone.
  init(_ changes: [BtrfsKey: BtrfsItem?] = [:]) {
    self.changes = changes.map { Change(key: $0.key, item: $0.value) }.sorted { $0.key < $1.key }
  }

  /// The change at a key; nil if the nodes are right.
  subscript(key: BtrfsKey) -> Change? {
    let index = index(notBelow: key)
    return index < changes.count && changes[index].key == key ? changes[index] : nil
  }

  /// Those of some keys.
  subscript(keys: ClosedRange<BtrfsKey>) -> Rest {
    let (start, end) = (index(notBelow: keys.lowerBound), index(notBelow: keys.upperBound))
    let isLastThere = end < changes.count && changes[end].key == keys.upperBound
    return Rest(changes: changes[start..<(isLastThere ? end + 1 : end)])
  }

  private func index(notBelow key: BtrfsKey) -> Int {
    changes.partitioningIndex { $0.key >= key }
  }
}
