internal import BlockIO
internal import SnapshotFormat

/// Finds orphans in another snapshot of the same origin.
///
/// From the moment the younger of two snapshots was made, whatever was copied for one was copied
/// for the other, in the same order and with the same content. Of what was copied before, the
/// other has nothing, or something newer. So an orphan is proven by equal content only where the
/// orders of both stores agree around it; what agrees also shows when that moment was.
struct SiblingSearch: EvidenceSearch {
  /// Fewer exceptions in a common order may be chance.
  private static let chainCountMin = 4
  /// Where one store has more chunks than so many that the other lacks, nothing is counted.
  private static let surplusMax = 8

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
    let candidates = orphans.filter { matches[$0.hash] != nil }.map(\.position)
    let common = CommonOrder(
      links, ownStrangers: strangers,
      otherStrangers: named.otherStrangers + strangersOfSibling(order, matches),
      candidates: candidates)
    guard common.links.count >= Self.chainCountMin else { return [] }
    // Of a store without exceptions there is nothing to compare.
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
    let counted = try counted(scene, common, order, besides: equal, &anchors)
    // Then only the content shows that both are snapshots of one origin, and that this is the
    // table's data, not what an earlier use of the space left.
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
    var places: [Place] = []
  }

  /// Where the sibling has the content of an orphan, for a chunk that the store does not name.
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

  /// What the common order says of the orphans that are left, read or not.
  ///
  /// Between two things that both stores have, the sibling has just as many more chunks as there
  /// are orphans: these are they, in that order, and the sibling has their content. One that cannot
  /// be read as a whole is proven by what can be read of it; if that is nothing it is likely,
  /// because it may have been written through the sibling. So is everything where something that
  /// can be read is not the same: it was written through a snapshot, perhaps of this store alone.
  ///
  /// Where one of the stores has a few more, what is the same wherever those are is likely.
  private func counted(
    _ scene: PlacementScene, _ common: CommonOrder, _ order: SiblingOrder,
    besides equal: [Evidence], _ anchors: inout SiblingAnchors?
  ) throws(BlockIOError) -> [Evidence] {
    let (placed, given) = (Set(equal.map(\.new)), Set(equal.map(\.old)))
    var groups: [Range<UInt64>: [UInt64]] = [:]
    for orphan in scene.orphans {
      for new in orphan.new..<orphan.new + orphan.count where !placed.contains(new) {
        guard let position = geometry.position(ofData: Chunk(new)),
          let fit = common.fit(of: position), fit.isAfterLink, fit.range.upperBound < .max
        else { continue }
        groups[fit.range, default: []].append(new)
      }
    }
    var evidence: [Evidence] = []
    for (range, news) in groups {
      let limit = news.count + given.count + Self.surplusMax
      let olds = order.olds(in: range, limit: limit).filter {
        !scene.isMapped($0) && !given.contains($0)
      }
      guard !olds.isEmpty, abs(news.count - olds.count) <= Self.surplusMax,
        let first = geometry.position(ofData: Chunk(news[0])),
        try anchors?.hold(around: first) ?? true
      else { continue }
      evidence += try counted(news, olds, order)
    }
    return evidence
  }

  /// What orphans and a sibling's chunks, both in order, have in common.
  private func counted(
    _ news: [UInt64], _ olds: [UInt64], _ order: SiblingOrder
  ) throws(BlockIOError) -> [Evidence] {
    let size = geometry.chunkSize.byteCount
    guard let comparison = ChunkComparison(store, sibling.store, chunkByteCount: size) else {
      return []
    }
    let surplus = news.count - olds.count
    var isSure = surplus == 0
    var evidence: [Evidence] = []
    var next = 0
    for (index, old) in olds.enumerated() {
      guard let place = order.byteOffset(of: old, sibling.geometry) else { continue }
      var (isEqual, isShown) = (true, true)
      let window = (index + min(surplus, 0)...index + max(surplus, 0)).clamped(
        to: 0...news.count - 1)
      for new in news[window] where isEqual {
        let found = try comparison.compare(new * size, place)
        if found.isDifferent { isSure = false }
        isEqual = found.isEqual
        isShown = isShown && (found.isWhole || found.hasContent)
      }
      let slot = max(next, window.lowerBound)
      guard isEqual, isShown || surplus == 0, slot <= window.upperBound else { continue }
      next = slot + 1
      evidence.append(
        Evidence(
          kind: .sibling, strength: isShown ? .proven : .likely, new: news[slot], old: old))
    }
    return isSure ? evidence : evidence.map(\.atMostLikely)
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
      let places = matches[key.hash]?.places ?? []
      let first = places.partitioningIndex { $0.position >= key.fit.range.lowerBound }
      let end = places.partitioningIndex { $0.position >= key.fit.range.upperBound }
      guard first < end, end - first <= news.count else { return nil }
      let isSure = key.fit.isAfterLink && end - first == news.count
      return (news, Array(places[first..<end]), isSure ? .proven : .likely)
    }
  }

  /// What the common order proves: equal content, at a place between those that agree.
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
