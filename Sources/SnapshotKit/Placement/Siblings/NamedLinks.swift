internal import BlockIO
internal import SnapshotFormat

/// Exceptions that two stores have for the same chunks of the origin.
///
/// Chunks that the older snapshot had copied before the younger was made, the younger copied as
/// well when they were written again, and a file system that writes as before writes in the same
/// order. But their content differs: the stores do not have such exceptions in common.
struct NamedLinks {
  /// The exceptions that both stores have.
  private(set) var links: [CommonOrder.Link] = []
  /// Places of the first store that the second has nothing for, or something else.
  private(set) var ownStrangers: [UInt64] = []
  /// Places of the second store for which the first has something else.
  private(set) var otherStrangers: [UInt64] = []
  /// The exceptions of both stores for one chunk of the origin, whatever they hold.
  private(set) var shared: [CommonOrder.Link] = []

  private let comparison: ChunkComparison?
  private let geometry: StoreGeometry
  private let siblingGeometry: StoreGeometry
  private var comparisonCount = 0

  /// The number of consecutive exceptions that are compared: one may have been written through a
  /// snapshot.
  private static let sampleCount = 4
  /// More are not compared: those are assumed to have the same content.
  private static let comparisonCountMax = 1 << 16

  /// - Parameter known: The exceptions of the store that survive, ascending by their places in its
  ///   order.
  init(
    _ known: [(position: UInt64, run: ExceptionRun)], _ store: any BlockSource,
    _ geometry: StoreGeometry, _ order: SiblingOrder, _ sibling: Sibling
  ) throws(BlockIOError) {
    self.geometry = geometry
    siblingGeometry = sibling.geometry
    comparison = ChunkComparison(
      store, sibling.store, chunkByteCount: geometry.chunkSize.byteCount)
    var row: [CommonOrder.Link] = []
    for (position, run) in known {
      for within in 0..<run.count {
        guard let other = order.position(of: run.old + within) else {
          if sibling.isComplete { ownStrangers.append(position + within) }
          continue
        }
        let link = CommonOrder.Link(own: position + within, other: other)
        if let last = row.last, last.own + 1 != link.own || last.other + 1 != link.other {
          try add(row)
          row = []
        }
        row.append(link)
        shared.append(link)
      }
    }
    try add(row)
  }

  /// Adds consecutive exceptions, if their content does not differ.
  private mutating func add(_ row: [CommonOrder.Link]) throws(BlockIOError) {
    if try isDifferent(row) {
      ownStrangers += row.map(\.own)
      otherStrangers += row.map(\.other)
    } else {
      links += row
    }
  }

  private mutating func isDifferent(_ row: [CommonOrder.Link]) throws(BlockIOError) -> Bool {
    var isDifferent = false
    for index in stride(from: 0, to: row.count, by: max(1, row.count / Self.sampleCount)) {
      guard let comparison, comparisonCount < Self.comparisonCountMax,
        let own = geometry.dataChunk(inOrder: row[index].own),
        let other = siblingGeometry.dataChunk(inOrder: row[index].other),
        let start = geometry.byteOffset(of: own),
        let otherStart = siblingGeometry.byteOffset(of: other)
      else { continue }
      comparisonCount += 1
      let found = try comparison.compare(start, otherStart)
      if found.isSame, found.hasContent { return false }
      isDifferent = isDifferent || found.isDifferent
    }
    return isDifferent
  }
}
