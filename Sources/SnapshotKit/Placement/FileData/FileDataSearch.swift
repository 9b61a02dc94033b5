internal import BlockIO
internal import SnapshotFormat

/// Finds likely places of file data in an overlay: blocks that files have now and that were free
/// before.
///
/// A block that was free in the origin, and that a file of the snapshot has, was written; if no
/// exception has it, its data is among the orphans. The ends of files show which orphan it is, with
/// zeroes after a file's last byte, and so does the order in which Linux writes. Data written over
/// something older is found by the remains of that.
struct FileDataSearch: EvidenceSearch {
  private let mapper: any FileMapper

  /// A search among the files of a file system.
  init(_ mapper: any FileMapper) { self.mapper = mapper }

  var provesNothing: Bool { true }

  /// Each place makes others more certain, but not endlessly.
  private static let roundCountMax = 6
  /// Orphans and targets are compared each with each, up to so many pairs: 96 MiB.
  private static let pairCountMax = 1 << 23
  /// More pairs are not compared.
  private static let pairCountInAllMax = 1 << 28

  func evidence(in scene: PlacementScene) throws(BlockIOError) -> [Evidence] {
    let blockByteCount = UInt64(mapper.blockByteCount)
    guard scene.chunkByteCount >= blockByteCount,
      scene.chunkByteCount <= OrphanReader.chunkByteCountMax, try mapper.isNewer(scene.view)
    else { return [] }
    var places = FileDataPlaces(scene, free: try mapper.freeRanges(of: scene.view))
    let needs = try FileDataNeeds(mapper, scene, places)
    guard !needs.isTooMuch else { return [] }
    var rewrites = try FileDataRewrites(mapper, scene, needs, places)
    let looks = try FileDataLooks(mapper, scene, noting: &rewrites)
    for (orphan, chunk) in rewrites.found { places.claim(looks.chunks[orphan], chunk, .rewritten) }
    let scores = FileDataScores(
      looks, alike: rewrites.alike, for: needs, blockByteCount: mapper.blockByteCount)
    // The content of orphans is tried first, and then how many of them are needed.
    for isCounted in [false, true] {
      for _ in 0..<Self.roundCountMax {
        let found = align(looks, scores, needs, scene, places, isCounted)
        if found.isEmpty { break }
        for (orphan, chunk, isHit) in found {
          places.claim(looks.chunks[orphan], chunk, isHit ? .fileTail : .neighbours)
        }
      }
    }
    return places.evidence
  }

  private typealias Found = (orphan: Int, chunk: UInt64, isHit: Bool)

  /// Places certain matches so far; orphans are numbered as they were looked at.
  private func align(
    _ looks: FileDataLooks, _ scores: FileDataScores, _ needs: FileDataNeeds,
    _ scene: PlacementScene, _ places: FileDataPlaces, _ isCounted: Bool
  ) -> [Found] {
    let open = looks.chunks.indices.compactMap { orphan -> (orphan: Int, position: Int)? in
      guard let position = scene.position(looks.chunks[orphan]),
        places.old(at: position) == nil
      else { return nil }
      return (orphan, position)
    }
    let targets = targets(needs, places, Set(open.map(\.position)))
    guard !targets.isEmpty, open.count <= Self.pairCountInAllMax / targets.count else { return [] }
    let indices = Dictionary(
      targets.enumerated().map { ($1.chunk, $0) }, uniquingKeysWith: { first, _ in first })
    let neededCount = targets.count { $0.need != nil }
    let prior =
      isCounted
      ? FileDataScores.prior(neededCount: neededCount, orphanCount: open.count) : 0
    let rowCount = min(
      FileDataAlignment.rowCountMax, max(1, Self.pairCountMax / targets.count))
    var found: [Found] = []
    for start in stride(from: 0, to: open.count, by: rowCount) {
      let rows = open[start..<min(open.count, start + rowCount)]
      let alignment = FileDataAlignment(
        targets: targets, positions: rows.map(\.position),
        successors: rows.map { row in
          places.old(at: row.position - 1).flatMap { indices[$0 &+ 1] }
        })
      let orphans = rows.map(\.orphan)
      let certain = alignment.certain { row, column in
        targets[column].need.map { prior + scores.score(orphans[row], $0) } ?? 0
      }
      let runs = FileDataRuns(needs, places, scores)
      found += runs.sound(
        zip(rows, certain).compactMap { row, column in
          column.map { (row.orphan, row.position, targets[$0].chunk) }
        })
    }
    let counts = Dictionary(found.map { ($0.chunk, 1) }, uniquingKeysWith: +)
    return found.filter { counts[$0.chunk] == 1 }
  }

  /// The distance to which chunks that no file needs are examined: deleted files lie between
  /// others.
  private static let reach: UInt64 = 64

  /// The chunks that orphans may be copies of, ascending.
  ///
  /// - Parameter open: Where in the store's order orphans are that have no place.
  private func targets(
    _ needs: FileDataNeeds, _ places: FileDataPlaces, _ open: Set<Int>
  ) -> [FileDataAlignment.Target] {
    let needed = needs.needs.keys.filter(places.isLost)
    var chunks = Set(needed)
    for chunk in needed {
      for other in chunk + 1..<chunk + Self.reach {
        if chunks.contains(other) || !places.isFree(other) || !places.isLost(other) { break }
        chunks.insert(other)
      }
    }
    return chunks.sorted().map { chunk in
      let need = needs.needs[chunk]
      let before = chunk > 0 ? places.position(of: chunk - 1) : nil
      let after = places.position(of: chunk + 1)
      let isAdjoining = need != nil && needs.adjoining.contains(chunk)
      return FileDataAlignment.Target(
        chunk: chunk, need: need, isNext: chunk > 0 && chunks.contains(chunk - 1),
        isMiddle: isAdjoining && chunks.contains(chunk - 1) && needs.needs[chunk - 1] != nil,
        before: before, after: after,
        isTornBefore: isAdjoining && before.map { open.contains($0 + 1) } == true,
        isTornAfter: need != nil && needs.adjoining.contains(chunk + 1)
          && after.map { open.contains($0 - 1) } == true,
        isFreeAfter: places.isFree(chunk + 1))
    }
  }
}
