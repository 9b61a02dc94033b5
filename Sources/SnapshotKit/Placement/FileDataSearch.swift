internal import BlockIO
internal import SnapshotFormat

/// Finds likely places of file data in an overlay: what files have now and nobody had before.
///
/// A block that was free in the origin, and that a file of the snapshot has, was written; if no
/// exception has it, its data is among the orphans. A file's last block ends in zeroes after the
/// file's last byte, and the blocks before it were written just before it. Linux allocates such
/// blocks in ascending order, mostly. So what is placed must not contradict the order of what is
/// known nearby. Where as many orphans as chunks are missing between two known ones, they are
/// these.
struct FileDataSearch: EvidenceSearch {
  /// How far away in the origin a chunk's order still counts, in chunks.
  static let reach: UInt64 = 256

  private let mapper: any FileMapper
  private let blockByteCount: Int
  /// The orphans, ascending.
  private var chunks: [UInt64] = []
  /// One above the last byte of each block that is not zero, for each block of each orphan.
  private var ends: [UInt32] = []
  private var blocksPerChunk = 1

  /// A search among the files of a file system.
  init(_ mapper: any FileMapper) {
    self.mapper = mapper
    blockByteCount = mapper.blockByteCount
  }

  var provesNothing: Bool { true }

  mutating func look(at new: UInt64, _ content: Span<UInt8>) {
    blocksPerChunk = max(1, content.count / blockByteCount)
    chunks.append(new)
    for index in 0..<blocksPerChunk {
      let start = index * blockByteCount
      var end = min(content.count, start + blockByteCount)
      while end > start, content[end - 1] == 0 { end -= 1 }
      ends.append(UInt32(end - start))
    }
  }

  mutating func evidence(in scene: PlacementScene) throws(BlockIOError) -> [Evidence] {
    guard !chunks.isEmpty, scene.chunkByteCount >= UInt64(blockByteCount),
      try mapper.isNewer(scene.view)
    else { return [] }
    var places = FileDataPlaces(scene, free: try mapper.freeRanges(of: scene.view), chunks)
    var tails: [UInt64: FileTail] = [:]
    try mapper.forEachFile(of: scene.view) { file in
      guard !file.isDirectory, tails.count < Self.tailCountMax else { return }
      if let (chunk, tail) = tail(of: file, scene.chunkByteCount, places) {
        tails[chunk, default: FileTail(runCount: tail.runCount, ends: [])].add(tail)
      }
    }
    let order = tails.sorted { $0.key < $1.key }.map { (chunk: $0.key, tail: $0.value) }
    repeat {
      placeByEnds(order, &places)
      places.fillGaps()
    } while placeByNeighbours(order, &places)
    return places.evidence
  }

  /// More ends of files are not looked at: 64 MiB.
  private static let tailCountMax = 1 << 20

  /// Where a file ends, if that is a chunk that was lost.
  private func tail(
    of file: FileMap, _ chunkByteCount: UInt64, _ places: FileDataPlaces
  ) -> (chunk: UInt64, FileTail)? {
    let size = UInt64(blockByteCount)
    guard file.byteCount % size != 0, let extent = file.extents.last,
      file.byteCount > extent.logicalByte,
      file.byteCount - extent.logicalByte <= extent.byteCount
    else { return nil }
    let end = extent.physicalByte + (file.byteCount - extent.logicalByte)
    let chunk = end / chunkByteCount
    guard places.isLost(chunk) else { return nil }
    var first = chunk
    // A chunk in which the file begins may have been written before, for another.
    let start = (extent.physicalByte + chunkByteCount - 1) / chunkByteCount
    while first > start, places.isLost(first - 1) { first -= 1 }
    return (
      chunk,
      FileTail(
        runCount: Int(chunk - first) + 1,
        ends: [
          FileTail.End(
            index: Int(end % chunkByteCount / size), byteCount: UInt32(file.byteCount % size))
        ])
    )
  }

  /// Places the ends of files that one orphan alone fits, until no more are found.
  private func placeByEnds(
    _ tails: [(chunk: UInt64, tail: FileTail)], _ places: inout FileDataPlaces
  ) {
    var byEnd: [FileTail.End: [Int]] = [:]
    for orphan in chunks.indices {
      for index in 0..<blocksPerChunk {
        let end = FileTail.End(index: index, byteCount: ends[orphan * blocksPerChunk + index])
        byEnd[end, default: []].append(orphan)
      }
    }
    var isNew = true
    while isNew {
      isNew = false
      var found: [(chunk: UInt64, tail: FileTail, orphan: Int)] = []
      var claims: [Int: Int] = [:]
      let missing = missingEnds(tails, places)
      for (chunk, tail) in tails where places.isLost(chunk) {
        // In a chunk of several blocks, the end of one short file is a weak sign.
        if blocksPerChunk > 1, tail.runCount == 1, tail.ends.count == 1 { continue }
        let candidates = (byEnd[tail.ends[0]] ?? []).filter { orphan in
          fits(orphan, tail, slack: 0, missing)
            && places.mayBe(orphan, chunk, runCount: tail.runCount)
        }
        for orphan in candidates { claims[orphan, default: 0] += 1 }
        if candidates.count == 1 { found.append((chunk, tail, candidates[0])) }
      }
      for (chunk, tail, orphan) in found where claims[orphan] == 1 {
        if claim(orphan, chunk, tail, .fileTail, &places) { isNew = true }
      }
    }
  }

  /// How files end whose ends have no place, and how many end so.
  private func missingEnds(
    _ tails: [(chunk: UInt64, tail: FileTail)], _ places: FileDataPlaces
  ) -> [FileTail.End: Int] {
    let ends = tails.lazy.filter { places.isLost($0.chunk) }.flatMap(\.tail.ends)
    return Dictionary(ends.map { ($0, 1) }, uniquingKeysWith: +)
  }

  /// Places the ends of files that are as far from the nearest chunk that is known in the store as
  /// in the origin.
  ///
  /// Right beside that chunk, a file may also end in zeroes of its own.
  ///
  /// - Returns: Whether any was found.
  private func placeByNeighbours(
    _ tails: [(chunk: UInt64, tail: FileTail)], _ places: inout FileDataPlaces
  ) -> Bool {
    var isNew = false
    let missing = missingEnds(tails, places)
    for (chunk, tail) in tails where places.isLost(chunk) {
      let first = chunk + 1 - UInt64(tail.runCount)
      let (before, after) = places.nearest(first...chunk)
      // Far away, or among others that end alike, only what is exact and unlike others tells.
      let isAlike = tail.ends.contains { missing[$0, default: 0] > 1 }
      var candidates: Set<Int> = []
      if let before, before == 1 || !isAlike,
        let orphan = places.orphan(Int(before) + tail.runCount - 1, after: first - before),
        fits(orphan, tail, slack: before == 1 ? Self.zeroesMax : 0, missing)
      {
        candidates.insert(orphan)
      }
      if let after, after == 1 || !isAlike,
        let orphan = places.orphan(-Int(after), after: chunk + after),
        fits(orphan, tail, slack: after == 1 ? Self.zeroesMax : 0, missing)
      {
        candidates.insert(orphan)
      }
      guard candidates.count == 1, let orphan = candidates.first,
        claim(orphan, chunk, tail, .neighbours, &places)
      else { continue }
      isNew = true
    }
    return isNew
  }

  /// How many zeroes of its own a file may end in: programs end in a few.
  private static let zeroesMax: UInt32 = 64

  /// Whether an orphan ends as files do in a chunk, and those before it do not end as others do.
  private func fits(
    _ orphan: Int, _ tail: FileTail, slack: UInt32, _ missing: [FileTail.End: Int]
  ) -> Bool {
    for end in tail.ends {
      let found = ends[orphan * blocksPerChunk + end.index]
      if found > end.byteCount || end.byteCount - found > slack || found == 0 { return false }
    }
    guard orphan + 1 >= tail.runCount else { return false }
    for other in orphan + 1 - tail.runCount..<orphan {
      for index in 0..<blocksPerChunk {
        let end = FileTail.End(index: index, byteCount: ends[other * blocksPerChunk + index])
        if missing[end] != nil { return false }
      }
    }
    return true
  }

  /// Places the end of a file, and what the file has before it.
  private func claim(
    _ orphan: Int, _ chunk: UInt64, _ tail: FileTail, _ kind: Evidence.Kind,
    _ places: inout FileDataPlaces
  ) -> Bool {
    guard places.isLost(chunk), places.mayBe(orphan, chunk, runCount: tail.runCount) else {
      return false
    }
    for distance in 0..<tail.runCount {
      places.claim(orphan - distance, chunk - UInt64(distance), kind)
    }
    return true
  }
}

/// The ends of files in a chunk.
struct FileTail {
  /// The end of a file in a block.
  struct End: Hashable {
    /// Which block of the chunk.
    let index: Int
    /// How many bytes of the block are the file's.
    let byteCount: UInt32
  }

  /// How many chunks, ending with this one, the file has one after another.
  private(set) var runCount: Int
  private(set) var ends: [End]

  init(runCount: Int, ends: [End]) {
    self.runCount = runCount
    self.ends = ends
  }

  /// Adds what another file has in the chunk.
  mutating func add(_ other: FileTail) {
    runCount = max(runCount, other.runCount)
    ends += other.ends
  }
}
