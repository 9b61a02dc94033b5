internal import BlockIO
internal import SnapshotFormat

/// What the areas themselves say of the chunk size, whatever the header says.
///
/// Area 0 stands at chunk 1, one chunk size from the beginning, and Linux hands out data chunks
/// in order from chunk 2. So there is one place to look for each chunk size, and file data does
/// not look like that.
struct GeometryEvidence {
  /// As much of an area as is looked at.
  private static let sampleByteCount: UInt64 = 4096
  /// Fewer exceptions than these must begin with new chunk 2 to be believed.
  private static let convincingCount = 4

  /// The chunk size by which area 0 holds most exceptions, all of them possible.
  let geometry: StoreGeometry
  /// How many exceptions of area 0 speak for it, of the few hundred that were looked at.
  let exceptionCount: Int

  /// Looks for an area 0 by every chunk size, except those in `excluded`.
  ///
  /// - Returns: nil when there is none.
  init?(_ source: any BlockSource, excluding excluded: StoreGeometry? = nil) {
    let candidates = ChunkSize.all.filter { $0 != excluded?.chunkSize }.compactMap { size in
      Self.score(source, StoreGeometry(chunkSize: size, byteCount: source.byteCount))
    }
    guard let best = candidates.max(by: { $0.1 < $1.1 }) else { return nil }
    (geometry, exceptionCount) = best
  }

  /// Looks for an area 0 where one geometry puts it.
  init?(_ source: any BlockSource, only geometry: StoreGeometry) {
    guard let found = Self.score(source, geometry) else { return nil }
    (self.geometry, exceptionCount) = found
  }

  /// How many of the first exceptions of a geometry's area 0 are possible.
  static func possibleCount(_ source: any BlockSource, _ geometry: StoreGeometry) -> Int {
    sample(source, geometry) { exceptions in
      var count = 0
      for slot in exceptions.indices {
        if exceptions[slot].isTerminator { break }
        if isPossible(exceptions[slot], geometry) { count += 1 }
      }
      return count
    } ?? 0
  }

  /// How many exceptions begin area 0, or nil if any of them is impossible or they are too few.
  private static func score(
    _ source: any BlockSource, _ geometry: StoreGeometry
  ) -> (StoreGeometry, Int)? {
    let count: Int? = sample(source, geometry) { exceptions in
      var live = 0
      while live < exceptions.count, !exceptions[live].isTerminator {
        guard isPossible(exceptions[live], geometry) else { return nil }
        live += 1
      }
      guard live > 0 else { return nil }
      let beginsInOrder = exceptions[0].newChunk == StoreGeometry.firstDataChunk
      return beginsInOrder || live >= convincingCount ? live : nil
    }
    return count.map { (geometry, $0) }
  }

  private static func isPossible(_ exception: DiskException, _ geometry: StoreGeometry) -> Bool {
    exception.newChunk < geometry.wholeChunkCount && geometry.isData(Chunk(exception.newChunk))
      && exception.oldChunk >> 48 == 0
  }

  /// Lends the beginning of a geometry's area 0, or returns nil where there is none to read.
  private static func sample<Result>(
    _ source: any BlockSource, _ geometry: StoreGeometry, _ body: (Span<DiskException>) -> Result?
  ) -> Result? {
    let offset = geometry.chunkSize.byteCount
    let byteCount = Int(min(offset, sampleByteCount))
    guard offset + UInt64(byteCount) <= source.byteCount else { return nil }
    let buffer = IOBuffer(byteCount: byteCount)
    do throws(BlockIOError) {
      try source.read(at: offset, into: buffer, 0..<byteCount)
    } catch {
      return nil  // no evidence to be had here; reading on its own account will say so
    }
    return buffer.withRecords(
      of: DiskException.self, count: byteCount / DiskException.byteCount, body)
  }
}
