internal import BlockIO
internal import SnapshotFormat

/// The exceptions that a store and its sibling have in one order, compared by content.
///
/// Orphans of equal content in one order do not show by themselves that two stores are snapshots of
/// one origin: two machines that install the same package write the same content in one order, in
/// other places. The chunks mapped by both tables must be the same too.
struct SiblingAnchors {
  /// The number of chunks compared to judge all.
  private static let sampleCount = 64
  /// The number of comparable chunks on each side of an orphan: one of them may have been written
  /// through a snapshot.
  private static let reach = 4
  /// The number of chunks examined to find these: there may be many zeroes, which show nothing.
  private static let lookCount = 512

  /// Ascending.
  private let links: [CommonOrder.Link]
  private let geometry: StoreGeometry
  private let comparison: ChunkComparison?
  /// Results of comparisons, by the place of the first store.
  private var results: [UInt64: Bool?] = [:]

  /// - Parameter links: Exceptions of both tables, in the common order.
  init(
    _ links: [CommonOrder.Link], _ store: any BlockSource, _ sibling: any BlockSource,
    _ geometry: StoreGeometry
  ) {
    self.links = links
    self.geometry = geometry
    comparison = ChunkComparison(store, sibling, chunkByteCount: geometry.chunkSize.byteCount)
  }

  /// Whether three of four, or more, are the same, of those that can be compared; nil if none can.
  mutating func agree() throws(BlockIOError) -> Bool? {
    let step = max(1, links.count / Self.sampleCount)
    var (same, all) = (0, 0)
    for index in stride(from: 0, to: links.count, by: step) {
      guard let isSame = try isSame(links[index]) else { continue }
      all += 1
      same += isSame ? 1 : 0
    }
    return all == 0 ? nil : same * 4 >= all * 3
  }

  /// Whether exceptions before and after a place are the same in both.
  ///
  /// - Returns: Nil if none near it can be compared; one side is enough if the other has none.
  mutating func hold(around position: UInt64) throws(BlockIOError) -> Bool? {
    let next = links.partitioningIndex { $0.own >= position }
    let before = try isAnySame(links[..<next].suffix(Self.lookCount).reversed())
    if before == false { return false }
    let after = try isAnySame(links[next...].prefix(Self.lookCount).map(\.self))
    return after ?? before
  }

  /// Whether any of the first that can be compared is the same; nil if they are too few to decide:
  /// they may have been written through a snapshot.
  private mutating func isAnySame(_ links: [CommonOrder.Link]) throws(BlockIOError) -> Bool? {
    var count = 0
    for link in links where count < Self.reach {
      guard let isSame = try isSame(link) else { continue }
      if isSame { return true }
      count += 1
    }
    return count < Self.reach ? nil : false
  }

  /// Whether both hold the same; nil if that cannot be read, or is zeroes.
  private mutating func isSame(_ link: CommonOrder.Link) throws(BlockIOError) -> Bool? {
    if let known = results[link.own] { return known }
    var result: Bool?
    if let comparison, let own = geometry.dataChunk(inOrder: link.own),
      let other = geometry.dataChunk(inOrder: link.other),
      let start = geometry.byteOffset(of: own), let otherStart = geometry.byteOffset(of: other)
    {
      let found = try comparison.compare(start, otherStart)
      result = found.isDifferent ? false : found.isSame && found.hasContent ? true : nil
    }
    results[link.own] = .some(result)
    return result
  }
}
