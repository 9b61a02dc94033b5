internal import BlockIO
internal import SnapshotFormat

/// Finds orphans in another snapshot of the same origin.
///
/// From the moment the younger of two snapshots was made, every chunk copied for one was copied for
/// the other, in the same order and with the same content. Of chunks copied before, the other has
/// nothing, or something newer. So an orphan is proven by equal content only where the orders of
/// both stores agree around it; the agreement also shows when that moment was.
struct SiblingSearch: EvidenceSearch {
  /// Fewer exceptions in a common order may be chance.
  private static let chainCountMin = 4

  let sibling: Sibling
  /// The exceptions of the store that survive, by their places in its order.
  private let known: [(position: UInt64, run: ExceptionRun)]
  let store: any BlockSource
  let geometry: StoreGeometry
  private(set) var orphans: [(position: UInt64, new: UInt64, hash: ContentHash)] = []
  private let emptyTail: [Orphan]
  private var found: [Evidence]?
  private(set) var substitutes: [Substitute] = []
  private var verdict = SiblingUse.Verdict.noCommonOrder

  var siblingUse: SiblingUse? { SiblingUse(name: sibling.store.name, verdict: verdict) }

  /// Nil where the two stores cannot be compared: their chunks are not of one size.
  ///
  /// - Parameter emptyTail: Chunks of zeroes that may be copies, after the last orphan.
  init?(
    _ sibling: Sibling, _ runs: [ExceptionRun], emptyTail: [Orphan] = [],
    _ store: any BlockSource, _ geometry: StoreGeometry
  ) {
    guard sibling.geometry.chunkSize == geometry.chunkSize else { return nil }
    self.sibling = sibling
    self.emptyTail = emptyTail
    self.store = store
    self.geometry = geometry
    known = runs.compactMap { run in
      geometry.position(ofData: Chunk(run.new)).map { ($0, run) }
    }.sorted { $0.position < $1.position }
  }

  mutating func look(at new: UInt64, _ content: Span<UInt8>) {
    guard let position = geometry.position(ofData: Chunk(new)) else { return }
    orphans.append((position, new, ContentHash(content)))
  }

  mutating func evidence(in scene: PlacementScene) throws(BlockIOError) -> [Evidence] {
    if let found { return found }
    let evidence = try search(in: scene)
    found = evidence
    return evidence
  }

  private mutating func search(in scene: PlacementScene) throws(BlockIOError) -> [Evidence] {
    let order = SiblingOrder(sibling)
    addEmptyTail()
    let matches = try matches(order)
    let wiped = try takeWiped()
    var readCount = orphans.count - Int(clamping: emptyTail.chunkCount)
    var links: [CommonOrder.Link] = []
    for orphan in orphans.prefix(readCount) {
      guard let places = matches[orphan.hash], places.places.count == 1, places.orphanCount == 1,
        !orphan.hash.isZero
      else { continue }
      links.append(CommonOrder.Link(own: orphan.position, other: places.places[0].position))
    }
    let named = try NamedLinks(known, store, geometry, order, sibling)
    links += named.links
    var strangers = named.ownStrangers
    strangers += orphans.prefix(readCount).lazy.filter { matches[$0.hash] == nil }.map(\.position)
    // Of what cannot be read, any may be the same.
    let others = Set(orphans.lazy.filter { matches[$0.hash] == nil }.map(\.new))
    var candidates: [UInt64] = []
    for orphan in scene.orphans {
      for new in orphan.new..<orphan.new + orphan.count where !others.contains(new) {
        if let position = geometry.position(ofData: Chunk(new)) { candidates.append(position) }
      }
    }
    let lacking = strangersOfSibling(order, matches)
    func commonOrder(_ candidates: ArraySlice<UInt64>) -> CommonOrder {
      CommonOrder(
        links, shared: named.shared, ownStrangers: strangers,
        otherStrangers: named.otherStrangers + lacking, candidates: Array(candidates))
    }
    var common = commonOrder(candidates.dropFirst(wiped.count))
    if !wiped.isEmpty, areCopies(wiped, common, matches) {
      orphans.insert(contentsOf: wiped, at: 0)
      readCount += wiped.count
      common = commonOrder(candidates[...])
    }
    guard common.links.count >= Self.chainCountMin else { return [] }
    var anchors: SiblingAnchors? = SiblingAnchors(
      common.links.filter { known.containsPosition($0.own) }, store, sibling.store, geometry)
    switch try anchors?.agree() {
    case true?: break
    case nil where mayShareOrigin(common, scene.orphans, named, order):
      anchors = nil
    default:
      verdict = .otherContent
      return []
    }
    verdict = .used
    // A sibling that lived longer has more than the store ever had.
    if let last = common.links.last,
      lacking.count(where: { $0 > last.other }) > strangers.count(where: { $0 > last.own })
    {
      orphans.removeSubrange(readCount...)
    }
    let equal = try evidence(common, matches, &anchors, readCount)
    let counted = try counted(scene, common, order, matches, besides: equal, &anchors)
    // Then only the content shows that both are snapshots of one origin, and that this is the
    // table's data, not the remains of an earlier use of the space.
    if anchors == nil { return (equal + counted).map(\.atMostLikely) }
    substitutes = substitutes(common, order, counted)
    return equal + counted
  }

  /// Whether the tables of both could be those of snapshots of one origin, where no exception that
  /// survives shows it.
  ///
  /// The older of two snapshots has whatever was copied for the younger: all of it was copied for
  /// both, or earlier for the older, but for writes through the younger. What was copied twice lies
  /// before the common order in the older, and anywhere in the younger. Of two machines that
  /// installed the same package, each has much that the other lacks; or both began with the same
  /// chunks of the origin, in other versions.
  private func mayShareOrigin(
    _ common: CommonOrder, _ orphans: [Orphan], _ named: NamedLinks, _ order: SiblingOrder
  ) -> Bool {
    guard let first = common.links.first else { return false }
    // After the first, whatever one has was copied for both, or written through a snapshot.
    let strangerCount = named.ownStrangers.count { $0 > first.own }
    if strangerCount * 4 > common.links.count { return false }
    let sharedCount = UInt64(named.shared.count)
    let twiceCount = named.shared.count {
      ($0.own < first.own) != ($0.other < first.other)
    }
    if UInt64(twiceCount) * 2 < sharedCount { return false }
    let count = known.reduce(0) { $0 + $1.run.count }
    let lackCount = order.chunkCount - min(sharedCount, order.chunkCount)
    let orphanCount = orphans.chunkCount
    return sharedCount == count || lackCount <= orphanCount + orphanCount / 4
  }

  /// An exception of the sibling whose chunk the store does not name.
  struct Place {
    let position: UInt64
    let old: UInt64
    let new: UInt64
  }

  struct Matches {
    var orphanCount = 0
    /// Ascending.
    var places: [Place] = []

    func places(in range: Range<UInt64>) -> ArraySlice<Place> {
      let first = places.partitioningIndex { $0.position >= range.lowerBound }
      return places[
        first..<max(first, places.partitioningIndex { $0.position >= range.upperBound })]
    }
  }

  /// The places where the sibling has the content of an orphan, for a chunk that the store does not
  /// map.
  private func matches(_ order: SiblingOrder) throws(BlockIOError) -> [ContentHash: Matches] {
    var counts: [ContentHash: Int] = [:]
    for orphan in orphans { counts[orphan.hash, default: 0] += 1 }
    let named = ExceptionTable(salvaged: known.map(\.run), geometry)
    var matches: [ContentHash: Matches] = [:]
    let candidates = order.runs.flatMap { placed -> [Orphan] in
      // Whatever the store names is no candidate; the rest is read like orphans.
      var parts: [Orphan] = []
      for within in 0..<placed.run.count {
        if named.newChunk(for: Chunk(placed.run.old + within)) != nil { continue }
        let new = placed.run.new + within
        if let last = parts.last, last.new + last.count == new {
          parts[parts.count - 1].count += 1
        } else {
          parts.append(Orphan(new: new, count: 1, old: nil, reason: .leaked))
        }
      }
      return parts
    }
    try OrphanReader(sibling.store, sibling.geometry, candidates).forEach { new, content in
      let hash = ContentHash(content)
      guard let count = counts[hash], let exception = order.exception(at: new) else { return }
      matches[hash, default: Matches(orphanCount: count)].places.append(
        Place(position: exception.position, old: exception.old, new: new))
    }
    return matches
  }

  /// The sibling's chunks that the store has neither by an exception nor as an orphan.
  private func strangersOfSibling(
    _ order: SiblingOrder, _ matches: [ContentHash: Matches]
  ) -> [UInt64] {
    var ours = Set<UInt64>()
    for match in matches.values { ours.formUnion(match.places.map(\.position)) }
    let named = ExceptionTable(salvaged: known.map(\.run), geometry)
    var strangers: [UInt64] = []
    for placed in order.runs {
      for within in 0..<placed.run.count
      where named.newChunk(for: Chunk(placed.run.old + within)) == nil
        && !ours.contains(placed.position + within)
      {
        strangers.append(placed.position + within)
      }
    }
    return strangers
  }

  /// What both stores hold, by the common order.
  private func substitutes(
    _ common: CommonOrder, _ order: SiblingOrder, _ counted: [Evidence]
  ) -> [Substitute] {
    let size = geometry.chunkSize.byteCount
    typealias Pair = (own: UInt64, byteOffset: UInt64, strength: Evidence.Strength)
    var pairs = common.links.compactMap { link -> Pair? in
      guard let own = geometry.dataChunk(inOrder: link.own),
        let other = geometry.dataChunk(inOrder: link.other),
        let byteOffset = sibling.geometry.byteOffset(of: other)
      else { return nil }
      return (own.index, byteOffset, .proven)
    }
    pairs += counted.compactMap { evidence in
      order.byteOffset(of: evidence.old, sibling.geometry).map {
        (evidence.new, $0, evidence.strength)
      }
    }
    var substitutes: [Substitute] = []
    for (own, byteOffset, strength) in pairs.sorted(by: { $0.own < $1.own }) {
      if let last = substitutes.last, last.new + last.count == own, last.strength == strength,
        last.byteOffset + last.count * size == byteOffset
      {
        substitutes[substitutes.count - 1].count += 1
      } else {
        substitutes.append(
          Substitute(
            new: own, count: 1, source: sibling.store, byteOffset: byteOffset, strength: strength))
      }
    }
    return substitutes
  }

  /// Orphans of one content between two things that both stores have, and their places.
  ///
  /// If the sibling has more of that content there, which are missing is not known: zeroes are
  /// everywhere, and what was written through a snapshot leaves gaps in the order. If it has fewer,
  /// the places are likely: the others belong to what only this store copied. So they are before
  /// anything that both stores have, and where the store's last chunks are zeroes: those are no
  /// orphans by themselves.
  ///
  /// - Parameter readCount: How many of the orphans come before the empty tail.
  private func alike(
    _ common: CommonOrder, _ matches: [ContentHash: Matches], _ readCount: Int
  ) -> [(orphans: [UInt64], places: [Place], isOnly: Bool, strength: Evidence.Strength)] {
    struct Key: Hashable {
      let hash: ContentHash
      let fit: CommonOrder.Fit
    }
    var groups: [Key: (news: [UInt64], readCount: Int)] = [:]
    for (index, orphan) in orphans.enumerated() where matches[orphan.hash] != nil {
      guard let fit = common.fit(of: orphan.position) else { continue }
      let key = Key(hash: orphan.hash, fit: fit)
      groups[key, default: ([], 0)].news.append(orphan.new)
      if index < readCount { groups[key, default: ([], 0)].readCount += 1 }
    }
    return groups.compactMap { key, group in
      let places = matches[key.hash]?.places(in: key.fit.range) ?? []
      guard !places.isEmpty, places.count <= group.news.count else { return nil }
      let isSure = key.fit.isAfterLink && places.count == group.readCount
      let isOnly = matches[key.hash].map { $0.orphanCount == 1 && $0.places.count == 1 } ?? false
      return (
        group.news, Array(places), isOnly && !key.hash.isZero, isSure ? .proven : .likely
      )
    }
  }

  /// Takes out the first orphans, if they are zeroes that may have been wiped together with the
  /// store's header or its first area.
  private mutating func takeWiped() throws(BlockIOError) -> [(
    position: UInt64, new: UInt64, hash: ContentHash
  )] {
    let count = orphans.prefix(while: \.hash.isZero).enumerated().prefix {
      $0.element.position == UInt64($0.offset)
    }.count
    guard count > 0, count < orphans.count else { return [] }
    let size = Int(clamping: geometry.chunkSize.byteCount)
    var isWiped = false
    for chunk in 0..<StoreGeometry.firstDataChunk where !isWiped {
      let start = chunk * geometry.chunkSize.byteCount
      isWiped = try store.whole(at: start, count: size)?.allSatisfy { $0 == 0 } ?? false
    }
    guard isWiped else { return [] }
    defer { orphans.removeFirst(count) }
    return Array(orphans.prefix(count))
  }

  /// Whether zeroes at the store's beginning are copies: counted back from the first chunk that
  /// both stores have, the sibling has zeroes too, and what is between them is the same, but for a
  /// few that were written through a snapshot.
  private func areCopies(
    _ zeroes: [(position: UInt64, new: UInt64, hash: ContentHash)], _ common: CommonOrder,
    _ matches: [ContentHash: Matches]
  ) -> Bool {
    guard let first = common.links.first else { return false }
    func areCopies(_ orphans: some Collection<(position: UInt64, new: UInt64, hash: ContentHash)>)
      -> Bool
    {
      let count = orphans.count {
        let distance = first.own - min($0.position, first.own)
        guard distance <= first.other, let matching = matches[$0.hash] else { return false }
        return !matching.places(in: first.other - distance..<first.other - distance + 1).isEmpty
      }
      return count * 4 >= orphans.count * 3
    }
    return areCopies(zeroes) && areCopies(orphans.prefix { $0.position < first.own })
  }

  /// Adds what may be copies of zeroes after the last orphan.
  private mutating func addEmptyTail() {
    if emptyTail.isEmpty { return }
    let hash = ContentHash(zeroByteCount: Int(clamping: geometry.chunkSize.byteCount))
    for chunks in emptyTail {
      for new in chunks.new..<chunks.new + chunks.count {
        guard let position = geometry.position(ofData: Chunk(new)) else { continue }
        orphans.append((position, new, hash))
      }
    }
  }

  /// The proofs of the common order: equal content, at a place between those that agree.
  private func evidence(
    _ common: CommonOrder, _ matches: [ContentHash: Matches], _ anchors: inout SiblingAnchors?,
    _ readCount: Int
  ) throws(BlockIOError) -> [Evidence] {
    let size = geometry.chunkSize.byteCount
    guard let comparison = ChunkComparison(store, sibling.store, chunkByteCount: size) else {
      return []
    }
    var evidence: [Evidence] = []
    for group in alike(common, matches, readCount) {
      for (orphan, place) in zip(group.orphans, group.places) {
        guard let position = geometry.position(ofData: Chunk(orphan)) else { continue }
        let holds = try anchors?.hold(around: position)
        if holds == false { continue }
        guard try comparison.compare(orphan * size, place.new * size).isSame else { continue }
        // What was written through a snapshot may be the same as another chunk.
        let isSure = group.isOnly || common.areOpposite(position, place.position)
        evidence.append(
          Evidence(
            kind: .sibling, strength: holds == true && isSure ? group.strength : .likely,
            new: orphan, old: place.old))
      }
    }
    return evidence
  }
}

extension [(position: UInt64, run: ExceptionRun)] {
  /// Whether any of the runs has an exception at that place.
  fileprivate func containsPosition(_ position: UInt64) -> Bool {
    let index = partitioningIndex { $0.position + $0.run.count > position }
    return index < count && self[index].position <= position
  }
}
