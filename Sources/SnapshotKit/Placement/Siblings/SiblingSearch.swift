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
  /// More chunks of which something cannot be read are not compared with a sibling's.
  private static let comparisonCountMax = 1 << 12

  private let sibling: Sibling
  /// The exceptions of the store that survive, by their places in its order.
  private let known: [(position: UInt64, run: ExceptionRun)]
  private let store: any BlockSource
  private let geometry: StoreGeometry
  private var orphans: [(position: UInt64, new: UInt64, hash: ContentHash)] = []
  private var found: [Evidence]?
  private(set) var substitutes: [Substitute] = []
  private var verdict = SiblingUse.Verdict.noCommonOrder

  var siblingUse: SiblingUse? { SiblingUse(name: sibling.store.name, verdict: verdict) }

  /// Nil where the two stores cannot be compared: their chunks are not of one size.
  init?(
    _ sibling: Sibling, _ runs: [ExceptionRun], _ store: any BlockSource, _ geometry: StoreGeometry
  ) {
    guard sibling.geometry.chunkSize == geometry.chunkSize else { return nil }
    self.sibling = sibling
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
    let matches = try matches(order)
    var links: [CommonOrder.Link] = []
    for orphan in orphans {
      guard let places = matches[orphan.hash], places.places.count == 1, places.orphanCount == 1,
        !orphan.hash.isZero
      else { continue }
      links.append(CommonOrder.Link(own: orphan.position, other: places.places[0].position))
    }
    let named = try NamedLinks(known, store, geometry, order, sibling)
    links += named.links
    var strangers = named.ownStrangers
    strangers += orphans.lazy.filter { matches[$0.hash] == nil }.map(\.position)
    // Any unreadable chunk may be the same.
    let others = Set(orphans.lazy.filter { matches[$0.hash] == nil }.map(\.new))
    var candidates: [UInt64] = []
    for orphan in scene.orphans {
      for new in orphan.new..<orphan.new + orphan.count where !others.contains(new) {
        if let position = geometry.position(ofData: Chunk(new)) { candidates.append(position) }
      }
    }
    let common = CommonOrder(
      links, ownStrangers: strangers,
      otherStrangers: named.otherStrangers + strangersOfSibling(order, matches),
      candidates: candidates)
    guard common.links.count >= Self.chainCountMin else { return [] }
    // A store without exceptions offers nothing to compare.
    var anchors =
      known.isEmpty
      ? nil
      : SiblingAnchors(
        common.links.filter { known.containsPosition($0.own) }, store, sibling.store, geometry)
    if try anchors?.agree() == false {
      verdict = .otherContent
      return []
    }
    verdict = .used
    let equal = try evidence(common, matches, &anchors)
    let counted = try counted(scene, common, order, matches, besides: equal, &anchors)
    // Then only the content shows that both are snapshots of one origin, and that this is the
    // table's data, not the remains of an earlier use of the space.
    if anchors == nil { return (equal + counted).map(\.atMostLikely) }
    substitutes = substitutes(common, order, counted)
    return equal + counted
  }

  /// An exception of the sibling whose chunk the store does not name.
  private struct Place {
    let position: UInt64
    let old: UInt64
    let new: UInt64
  }

  private struct Matches {
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

  /// The evidence of the common order for the remaining orphans, read or not.
  ///
  /// Between two things that both stores have, the sibling has just as many more chunks as there
  /// are orphans: these are they, in that order, if all readable parts are the same, and the
  /// sibling has their content. One that cannot be read as a whole is proven by its readable parts;
  /// if there are none it is likely, because it may have been written through the sibling.
  ///
  /// Otherwise the orphans that are the same as chunks of the sibling are identified, and those
  /// between them are likely.
  private func counted(
    _ scene: PlacementScene, _ common: CommonOrder, _ order: SiblingOrder,
    _ matches: [ContentHash: Matches], besides equal: [Evidence],
    _ anchors: inout SiblingAnchors?
  ) throws(BlockIOError) -> [Evidence] {
    let (placed, given) = (Set(equal.map(\.new)), Set(equal.map(\.old)))
    var groups: [CommonOrder.Fit: [UInt64]] = [:]
    for orphan in scene.orphans {
      for new in orphan.new..<orphan.new + orphan.count where !placed.contains(new) {
        guard let position = geometry.position(ofData: Chunk(new)),
          let fit = common.fit(of: position)
        else { continue }
        groups[fit, default: []].append(new)
      }
    }
    let size = geometry.chunkSize.byteCount
    guard let comparison = ChunkComparison(store, sibling.store, chunkByteCount: size) else {
      return []
    }
    var evidence: [Evidence] = []
    for (fit, news) in groups {
      let limit = news.count + given.count + OrderAlignment.pairCountMax / news.count
      let olds = order.olds(in: fit.range, limit: limit).filter {
        !scene.isMapped($0) && !given.contains($0)
      }
      guard !olds.isEmpty, let first = geometry.position(ofData: Chunk(news[0])),
        try anchors?.hold(around: first) ?? true
      else { continue }
      let isBetween = fit.isAfterLink && fit.range.upperBound < .max
      if isBetween, let all = try sideBySide(news, olds, order, comparison) {
        evidence += all
      } else {
        evidence += try aligned(
          news, olds, order, matches, comparison, in: fit.range, isBetween: isBetween)
      }
    }
    return evidence
  }

  /// Orphans and as many chunks of a sibling, if all that can be read is the same.
  private func sideBySide(
    _ news: [UInt64], _ olds: [UInt64], _ order: SiblingOrder, _ comparison: ChunkComparison
  ) throws(BlockIOError) -> [Evidence]? {
    guard news.count == olds.count else { return nil }
    var evidence: [Evidence] = []
    for (new, old) in zip(news, olds) {
      guard let place = order.byteOffset(of: old, sibling.geometry) else { return nil }
      let found = try comparison.compare(new * geometry.chunkSize.byteCount, place)
      guard found.isEqual else { return nil }
      evidence.append(
        Evidence(
          kind: .sibling, strength: found.isWhole || found.hasContent ? .proven : .likely,
          new: new, old: old))
    }
    return evidence
  }

  /// The chunks that orphans and a sibling, both in order, have in common.
  ///
  /// Chunks that differ may still be one chunk, written through one of the snapshots.
  ///
  /// - Parameter isBetween: Whether they lie between two things that both stores have: elsewhere, a
  ///   chunk of which nothing can be read, or that differs, may be anything.
  private func aligned(
    _ news: [UInt64], _ olds: [UInt64], _ order: SiblingOrder, _ matches: [ContentHash: Matches],
    _ comparison: ChunkComparison, in range: Range<UInt64>, isBetween: Bool
  ) throws(BlockIOError) -> [Evidence] {
    let size = geometry.chunkSize.byteCount
    let places = olds.compactMap { order.byteOffset(of: $0, sibling.geometry) }
    guard places.count == olds.count else { return [] }
    var hashes: [UInt64: ContentHash] = [:]  // of the sibling's chunks, by their old chunks
    var own: [(new: UInt64, hash: ContentHash?)] = []
    var commonCount = 0
    let mayDiffer = isBetween && news.count * olds.count <= OrderAlignment.pairCountMax
    for new in news {
      let hash = hash(ofOrphan: new)
      let there = hash.flatMap { matches[$0]?.places(in: range) } ?? []
      for place in there { hashes[place.old] = hash }
      let isCommon = hash == nil || !there.isEmpty
      if isCommon || mayDiffer { own.append((new, hash)) }
      commonCount += isCommon ? 1 : 0
    }
    if commonCount == 0 { return [] }
    // The evidence for each chunk of which something cannot be read.
    let unread = own.filter { $0.hash == nil }
    guard own.count * olds.count <= OrderAlignment.pairCountMax,
      unread.count * olds.count <= Self.comparisonCountMax
    else { return [] }
    var weights: [UInt64: [Int32]] = [:]
    for orphan in unread {
      weights[orphan.new] = try places.map { place throws(BlockIOError) -> Int32 in
        let found = try comparison.compare(orphan.new * size, place)
        if !found.isEqual { return 0 }
        return found.hasContent ? 1 << 12 : found.isReadable ? 1 << 5 : isBetween ? 1 << 2 : 0
      }
    }
    let alignment = OrderAlignment(own.count, olds.count) { index, other in
      guard let hash = own[index].hash else { return weights[own[index].new]?[other] ?? 0 }
      if hashes[olds[other]] != hash { return mayDiffer ? 1 : 0 }
      return hash.isZero ? 1 << 10 : 1 << 12
    }
    var evidence: [Evidence] = []
    for pair in alignment.pairs {
      let new = own[pair.own].new
      guard try comparison.compare(new * size, places[pair.other]).isEqual else { continue }
      evidence.append(
        Evidence(kind: .sibling, strength: .likely, new: new, old: olds[pair.other]))
    }
    return evidence
  }

  /// The hash of an orphan; nil if it cannot be read as a whole.
  private func hash(ofOrphan new: UInt64) -> ContentHash? {
    let index = orphans.partitioningIndex { $0.new >= new }
    return index < orphans.count && orphans[index].new == new ? orphans[index].hash : nil
  }

  /// The chunks that both stores hold, by the common order.
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
  /// If the sibling has more of that content there, it is unknown which are missing: zeroes are
  /// everywhere, and writes through a snapshot leave gaps in the order. If it has fewer, the places
  /// are likely: the others belong to chunks that only this store copied. So they are before
  /// anything that both stores have.
  private func alike(
    _ common: CommonOrder, _ matches: [ContentHash: Matches]
  ) -> [(orphans: [UInt64], places: [Place], strength: Evidence.Strength)] {
    struct Key: Hashable {
      let hash: ContentHash
      let fit: CommonOrder.Fit
    }
    var groups: [Key: [UInt64]] = [:]
    for orphan in orphans where matches[orphan.hash] != nil {
      guard let fit = common.fit(of: orphan.position) else { continue }
      groups[Key(hash: orphan.hash, fit: fit), default: []].append(orphan.new)
    }
    return groups.compactMap { key, news in
      let places = matches[key.hash]?.places(in: key.fit.range) ?? []
      guard !places.isEmpty, places.count <= news.count else { return nil }
      let isSure = key.fit.isAfterLink && places.count == news.count
      return (news, Array(places), isSure ? .proven : .likely)
    }
  }

  /// The proofs of the common order: equal content, at a place between those that agree.
  private func evidence(
    _ common: CommonOrder, _ matches: [ContentHash: Matches], _ anchors: inout SiblingAnchors?
  ) throws(BlockIOError) -> [Evidence] {
    let size = geometry.chunkSize.byteCount
    guard let comparison = ChunkComparison(store, sibling.store, chunkByteCount: size) else {
      return []
    }
    var evidence: [Evidence] = []
    for group in alike(common, matches) {
      for (orphan, place) in zip(group.orphans, group.places) {
        guard let position = geometry.position(ofData: Chunk(orphan)),
          try anchors?.hold(around: position) ?? true,
          try comparison.compare(orphan * size, place.new * size).isSame
        else { continue }
        evidence.append(
          Evidence(kind: .sibling, strength: group.strength, new: orphan, old: place.old))
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
