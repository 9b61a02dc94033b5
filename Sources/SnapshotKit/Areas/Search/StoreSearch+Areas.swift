internal import BlockIO
internal import SnapshotFormat

// Stores found by an area, without their headers.

extension StoreSearch {
  /// A store that an area may belong to, and the evidence for it.
  private struct Candidate {
    let place: StorePlace
    let chain: AreaChain
    let header: CarvedStore.Header
    /// The zeroes after the exceptions end where the area does.
    let hasExactEnd: Bool
    /// Everything between the header's sector and area 0 is zero.
    let hasEmptyHeaderChunk: Bool

    /// Decides between candidates, the most important first.
    private var rank: (UInt64, Int, Int, Int, ChunkSize) {
      let headerCount: UInt64 = header == .lost ? 0 : 8
      return (
        chain.inOrderCount + headerCount, hasExactEnd ? 1 : 0, hasEmptyHeaderChunk ? 1 : 0,
        place.start >= 0 ? 1 : 0, place.chunkSize
      )
    }

    static func < (left: Candidate, right: Candidate) -> Bool { left.rank < right.rank }
  }

  /// Examines a sector that begins with exceptions with rising new chunks and is in no known store.
  mutating func examineArea(at byteOffset: UInt64) throws(BlockIOError) {
    // Once a list was counted to its end, none of its sectors need be counted again.
    if byteOffset < countedEnd { return }
    let count = try reader.count(at: byteOffset)
    countedEnd = byteOffset + count.count * UInt64(DiskException.byteCount)
    guard count.count >= AreaLaw.strongCount, !count.hasDuplicates,
      try !isCounting(upTo: byteOffset, count.firstNewChunk)
    else { return }
    var best: Candidate?
    for chunkSize in ChunkSize.all where chunkSize.exceptionsPerArea >= count.count {
      // After a full area anything may follow, after fewer exceptions only zeroes.
      guard count.isTerminated || chunkSize.exceptionsPerArea == count.count else { continue }
      guard chunkSize.byteCount <= source.byteCount - byteOffset else { break }
      guard let candidate = try candidate(at: byteOffset, count, chunkSize) else { continue }
      if let other = best, !(other < candidate) { continue }
      best = candidate
    }
    if let best { try add(best.chain, at: best.place, best.header) }
  }

  /// Whether the bytes before an area count up to its first new chunk: then it is the middle of a
  /// list of numbers, and no area's beginning.
  private func isCounting(
    upTo byteOffset: UInt64, _ firstNewChunk: UInt64
  ) throws(BlockIOError) -> Bool {
    guard byteOffset >= 512 else { return false }
    _ = try source.readAround(at: byteOffset - 512, into: sector, 0..<512)
    let before = sector.withBytes(504..<512) { $0.littleEndian(at: 0, as: UInt64.self) }
    return before &+ 1 == firstNewChunk
  }

  /// The store that an area would belong to with a chunk size; nil if its other areas, or its own
  /// end, contradict that.
  private func candidate(
    at byteOffset: UInt64, _ count: ExceptionCount, _ chunkSize: ChunkSize
  ) throws(BlockIOError) -> Candidate? {
    let geometry = StoreGeometry(chunkSize: chunkSize, byteCount: .max)
    guard let position = geometry.position(ofData: Chunk(count.firstNewChunk)) else { return nil }
    let (index, shift) = position.quotientAndRemainder(dividingBy: chunkSize.exceptionsPerArea)
    let area = AreaIndex(index)
    guard let place = StorePlace(area: area, at: byteOffset, chunkSize: chunkSize),
      try reader.look(at: byteOffset, area, shift: 0, chunkSize, isStrict: true).isLawful
    else { return nil }
    let chain = try reader.chain(of: place, from: area, hasSoundHeader: false)
    let header = try headerState(of: place)
    guard chain.inOrderCount >= AreaLaw.strongCount else { return nil }
    // Numbers that fit by chance are few, and in one area: a list of numbered rows.
    if header == .lost, chain.areaCount == 1, count.count < chunkSize.exceptionsPerArea {
      guard shift == 0 else { return nil }
      if index > 0, chain.inOrderCount < AreaLaw.aloneCount {
        guard try isAreaZero(AreaIndex(index - 1), of: place) else { return nil }
      }
    }
    return Candidate(
      place: place, chain: chain, header: header,
      hasExactEnd: try !isZero(byteOffset + chunkSize.byteCount, byteCount: 512),
      hasEmptyHeaderChunk: index == 0 ? try isHeaderChunkEmpty(of: place) : false)
  }

  /// Whether an area is zero, as after a reset of the store's beginning.
  private func isAreaZero(_ area: AreaIndex, of place: StorePlace) throws(BlockIOError) -> Bool {
    guard let byteOffset = place.byteOffset(of: area) else { return false }
    return try isZero(byteOffset, byteCount: place.chunkSize.byteCount)
  }

  /// Whether chunk 0 is zero but for its first sector.
  private func isHeaderChunkEmpty(of place: StorePlace) throws(BlockIOError) -> Bool {
    guard let start = UInt64(exactly: place.start) else { return false }
    return try isZero(start + 512, byteCount: place.chunkSize.byteCount - 512)
  }

  /// Whether those bytes are zero, as far as the image has them.
  private func isZero(_ byteOffset: UInt64, byteCount: UInt64) throws(BlockIOError) -> Bool {
    guard byteOffset < source.byteCount else { return true }
    return try reader.isZero(
      byteOffset..<byteOffset + min(byteCount, source.byteCount - byteOffset))
  }
}
