internal import BlockIO
internal import SnapshotFormat

/// Where chunks of file data are, as far as is known: in the table, proven, or likely by now.
struct FileDataPlaces {
  private let scene: PlacementScene
  /// The bytes that were free in the origin.
  private let free: [Range<UInt64>]
  /// The orphans, ascending.
  private let chunks: [UInt64]
  /// How many data chunks are before each, without the areas between them.
  private let positions: [UInt64]
  /// The chunk of the origin of each orphan that has a place.
  private var olds: [UInt64?]
  /// What has been found: chunks of the store, by chunk of the origin.
  private var news: [UInt64: UInt64] = [:]
  private(set) var evidence: [Evidence] = []

  init(_ scene: PlacementScene, free: [Range<UInt64>], _ chunks: [UInt64]) {
    self.scene = scene
    self.free = free
    self.chunks = chunks
    positions = chunks.map { scene.geometry.position(ofData: Chunk($0)) ?? $0 }
    olds = chunks.map { scene.proven[$0] }
  }

  /// Whether nobody had a chunk of the origin.
  func isFree(_ chunk: UInt64) -> Bool {
    let bytes = chunk * scene.chunkByteCount..<(chunk + 1) * scene.chunkByteCount
    let index = free.indexOfFirst(endingAfter: bytes.lowerBound)
    return index < free.count && free[index].lowerBound <= bytes.lowerBound
      && bytes.upperBound <= free[index].upperBound
  }

  /// Whether a chunk was free in the origin, and nothing is known of it.
  func isLost(_ chunk: UInt64) -> Bool {
    chunk < scene.originChunkCount && news[chunk] == nil && !scene.isMapped(chunk)
      && isFree(chunk)
  }

  /// The chunk of the store that has a chunk of the origin, if nobody had it before.
  private func newChunk(_ chunk: UInt64) -> UInt64? {
    if let new = news[chunk] { return new }
    guard let new = scene.view.table.newChunk(for: Chunk(chunk)), isFree(chunk)
    else { return nil }
    return new.index
  }

  /// Whether an orphan, and those before it, may be a chunk of the origin, and those before it.
  func mayBe(_ orphan: Int, _ chunk: UInt64, runCount: Int) -> Bool {
    guard orphan + 1 >= runCount, chunk + 1 >= UInt64(runCount) else { return false }
    let first = orphan - runCount + 1
    for index in first...orphan where olds[index] != nil { return false }
    let (start, end) = (chunks[first], chunks[orphan])
    guard positions[orphan] - positions[first] == UInt64(runCount) - 1 else { return false }
    let firstChunk = chunk + 1 - UInt64(runCount)
    let reach = FileDataSearch.reach
    for other in max(firstChunk, reach) - reach..<firstChunk {
      if let new = newChunk(other), new >= start { return false }
    }
    for other in chunk + 1..<chunk + 1 + reach {
      if let new = newChunk(other), new <= end { return false }
    }
    return true
  }

  /// The known chunks nearest to some lost ones, with nothing between that anybody has now or had
  /// before: how many chunks before the first, and after the last.
  func nearest(_ chunks: ClosedRange<UInt64>) -> (before: UInt64?, after: UInt64?) {
    func isGap(_ chunk: UInt64) -> Bool { newChunk(chunk) == nil && isLost(chunk) }
    let limit: UInt64 = 64
    var before: UInt64? = 1
    while let distance = before, distance <= min(limit, chunks.lowerBound) {
      if newChunk(chunks.lowerBound - distance) != nil { break }
      before = isGap(chunks.lowerBound - distance) ? distance + 1 : nil
    }
    var after: UInt64? = 1
    while let distance = after, distance <= limit {
      if newChunk(chunks.upperBound + distance) != nil { break }
      after = isGap(chunks.upperBound + distance) ? distance + 1 : nil
    }
    return (
      before.flatMap { $0 <= min(limit, chunks.lowerBound) ? $0 : nil },
      after.flatMap { $0 <= limit ? $0 : nil }
    )
  }

  /// The orphan that comes, in the store, that many data chunks after a chunk of the origin that
  /// nobody had before; nil if that is none, or has a place.
  func orphan(_ distance: Int, after chunk: UInt64) -> Int? {
    guard let new = newChunk(chunk), let position = scene.geometry.position(ofData: Chunk(new))
    else { return nil }
    let (wanted, overflow) = Int(position).addingReportingOverflow(distance)
    guard !overflow, wanted >= 0 else { return nil }
    let index = positions.partitioningIndex { $0 >= UInt64(wanted) }
    return index < positions.count && positions[index] == UInt64(wanted) && olds[index] == nil
      ? index : nil
  }

  /// Says that an orphan is likely a copy of a chunk of the origin.
  mutating func claim(_ orphan: Int, _ chunk: UInt64, _ kind: Evidence.Kind) {
    guard olds[orphan] == nil, isLost(chunk) else { return }
    olds[orphan] = chunk
    news[chunk] = chunks[orphan]
    let start = chunks[orphan] * scene.chunkByteCount
    evidence.append(
      Evidence(
        kind: kind, new: chunks[orphan], old: chunk, strength: .likely,
        bytes: start..<start + scene.chunkByteCount))
  }

  /// Fills what is missing between known chunks where as many orphans are left between theirs.
  mutating func fillGaps() {
    // What is known that nobody had before, ascending by chunk of the origin.
    var known: [(old: UInt64, new: UInt64)] = news.map { ($0.key, $0.value) }
    for run in scene.view.table.runs where run.lastOld < scene.originChunkCount {
      for index in [0, run.count - 1] where isFree(run.old + index) {
        known.append((run.old + index, run.new + index))
        if run.count == 1 { break }
      }
    }
    known.sort { $0.old < $1.old }
    for (before, after) in zip(known, known.dropFirst()) {
      guard after.old > before.old + 1, after.new > before.new else { continue }
      let count = after.old - before.old - 1
      guard count <= UInt64(chunks.count) else { continue }
      let first = chunks.partitioningIndex { $0 > before.new }
      let end = chunks.partitioningIndex { $0 >= after.new }
      guard first < end else { continue }
      let left = (first..<end).filter { olds[$0] == nil }
      guard UInt64(left.count) == count,
        (before.old + 1..<after.old).allSatisfy(isLost)
      else { continue }
      for (orphan, chunk) in zip(left, before.old + 1..<after.old) {
        claim(orphan, chunk, .neighbours)
      }
    }
  }
}
