internal import BlockIO
internal import SnapshotFormat

extension SiblingSearch {
  /// More chunks of which something cannot be read are not compared with a sibling's.
  private static let comparisonCountMax = 1 << 12

  /// The evidence of the common order for the remaining orphans, read or not.
  ///
  /// Between two things that both stores have, the sibling has just as many more chunks as there
  /// are orphans: these are they, in that order, if all that can be read is the same, and the
  /// sibling has their content. One that cannot be read as a whole is proven by what can be read of
  /// it; if that is nothing it is likely, because it may have been written through the sibling.
  ///
  /// Otherwise the orphans that are the same as chunks of the sibling show which they are, and what
  /// lies between those: that is likely.
  func counted(
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
      guard !olds.isEmpty, let first = geometry.position(ofData: Chunk(news[0])) else { continue }
      let holds = try anchors?.hold(around: first)
      if holds == false { continue }
      let isBetween = fit.isAfterLink && fit.range.upperBound < .max
      if isBetween, let all = try sideBySide(news, olds, order, comparison) {
        evidence += holds == true ? all : all.map(\.atMostLikely)
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
}
