public import SnapshotFormat

/// What keeps Linux's own merge from ending with what the snapshot shows, and where.
public struct MergeObstacle: Equatable, Sendable, CustomStringConvertible {
  public enum Kind: Equatable, Sendable {
    /// Its top byte makes the snapshot show chunks that a merge does not copy.
    case topByte
    /// Its old chunk lies past the end of the origin.
    case oldBeyondOrigin
    /// Its new chunk does not lie wholly in the store.
    case newBeyondStore
    /// Its new chunk is a metadata area, which the merge itself clears before it copies it.
    case newInClearedArea
    /// Among exceptions for one chunk, the merge leaves another one's data than the snapshot shows.
    case otherDuplicate
    /// After its merge Linux cannot take it out of its table.
    case notRemovable
  }

  public let kind: Kind
  public let area: AreaIndex
  public let slot: Int
  public let exception: DiskException

  public var description: String {
    let why =
      switch kind {
      case .topByte: "has a top byte, so that Linux's merge would end with other data than it shows"
      case .oldBeyondOrigin: "lies past the end of the origin, where Linux's merge would stop"
      case .newBeyondStore: "points past the end of the store, where Linux's merge would stop"
      case .newInClearedArea:
        "points to a metadata area that Linux's merge would clear before it copies it"
      case .otherDuplicate:
        "is a duplicate that Linux's merge would leave, though the snapshot shows the other"
      case .notRemovable: "cannot be taken out of Linux's table: its merge would stop half-way"
      }
    return "area \(area.index), slot \(slot)"
      + " (\(exception.oldChunk) → \(exception.newChunk)): \(why)"
  }
}

/// Linux's own merge, played through without touching a byte.
///
/// The kernel goes from the last exception to the first, copies runs that are consecutive within
/// an area at once, clears them in the area and removes them from its table in memory. Of
/// duplicates the first in the table stays. It stops for good at the first error, with what it
/// did until then done.
///
/// - Source: Linux `drivers/md/dm-snap.c`, `snapshot_merge_next_chunks`,
///   `remove_single_exception_chunk`; `dm-snap-persistent.c`, `persistent_prepare_merge`.
struct KernelMerge {
  private let geometry: StoreGeometry
  private let originSectorCount: UInt64
  private let table: ExceptionTable
  private let buckets: KernelBuckets

  /// The merge of a table into an origin of `originByteCount` bytes.
  init(_ table: ExceptionTable, originByteCount: UInt64) {
    geometry = table.geometry
    originSectorCount = originByteCount / 512
    self.table = table
    buckets = KernelBuckets(table.geometry)
  }

  /// The first thing that keeps the merge from ending with what the snapshot shows.
  func obstacle(in store: Store, _ extent: TableExtent) -> MergeObstacle? {
    var found: MergeObstacle?
    var contested: [(area: AreaIndex, slot: Int, exception: DiskException)] = []
    var run = Run()
    let scanner = StoreScanner(store.source, geometry)
    _ = scanner.scan { piece, exceptions in
      guard found == nil else { return }
      if piece.firstSlot == 0 { run = Run() }
      for slot in 0..<piece.liveCount {
        let exception = exceptions[slot]
        run.take(exception)
        let endsArea =
          piece.liveCount < exceptions.count
          || UInt64(piece.firstSlot + exceptions.count) == geometry.chunkSize.exceptionsPerArea
        // Only of interest, and only worth the loop, for a new chunk that is an area.
        let isLastRun =
          geometry.isMetadata(Chunk(exception.newChunk)) && endsArea
          && Self.isLastRun(from: slot, exceptions, piece.liveCount)
        if let kind = check(exception, run, piece.area, extent, isLastRun: isLastRun) {
          found = MergeObstacle(
            kind: kind, area: piece.area, slot: piece.firstSlot + slot, exception: exception)
          return
        }
        if table.contestedBuckets.contains(buckets.bucket(of: exception.oldChunk)) {
          contested.append((piece.area, piece.firstSlot + slot, exception))
        }
      }
    }
    return found ?? obstacle(among: contested)
  }

  /// The run that Linux copies at once: consecutive exceptions within an area.
  private struct Run {
    var first = DiskException(oldChunk: 0, newChunk: 0)
    var last: DiskException?

    mutating func take(_ exception: DiskException) {
      if let last, exception.oldChunk == last.oldChunk &+ 1,
        exception.newChunk == last.newChunk &+ 1
      {
        self.last = exception
      } else {
        first = exception
        last = exception
      }
    }
  }

  private func check(
    _ exception: DiskException, _ run: Run, _ area: AreaIndex, _ extent: TableExtent,
    isLastRun: Bool
  ) -> MergeObstacle.Kind? {
    // A run is written as one, clipped at the end of the origin: only its beginning must lie in it.
    // One that begins just there is clipped to nothing, and Linux goes on.
    let start = geometry.kernelSector(of: Chunk(run.first.oldChunk))
    let isInOrigin = run.first.oldChunk < geometry.chunkCount(ofOrigin: originSectorCount * 512)
    if !isInOrigin { return start == originSectorCount ? nil : .oldBeyondOrigin }
    let runOffset = geometry.kernelSector(of: Chunk(exception.oldChunk &- run.first.oldChunk))
    guard start &+ runOffset < originSectorCount else { return nil }
    let sectors = min(UInt64(geometry.chunkSize.sectorCount), originSectorCount - start - runOffset)
    let source = geometry.kernelSector(of: Chunk(exception.newChunk))
    guard source < geometry.sectorCount, geometry.sectorCount - source >= sectors else {
      return .newBeyondStore
    }
    guard let pointed = geometry.area(at: Chunk(source >> geometry.chunkSize.shift)) else {
      return nil
    }
    // Areas behind the current one are cleared by then, and this one behind the current run.
    if pointed.index < area.index || pointed.index >= extent.areaCount { return nil }
    if pointed == area { return isLastRun ? nil : .newInClearedArea }
    return .newInClearedArea
  }

  /// Whether the run that goes through `slot` is the last of its area.
  private static func isLastRun(
    from slot: Int, _ exceptions: Span<DiskException>, _ liveCount: Int
  ) -> Bool {
    var run = Run()
    run.take(exceptions[slot])
    for next in slot + 1..<max(liveCount, slot + 1) {
      let first = run.first
      run.take(exceptions[next])
      if run.first != first { return false }
    }
    return true
  }

  /// Compares what the merge leaves of contended chunks with what the snapshot shows of them, and
  /// plays their removal, last to first.
  private func obstacle(
    among contested: [(area: AreaIndex, slot: Int, exception: DiskException)]
  ) -> MergeObstacle? {
    let originChunkCount = geometry.chunkCount(ofOrigin: originSectorCount * 512)
    var lists: [UInt64: KernelBucket] = [:]
    var mergedChunks: Set<UInt64> = []
    for (area, slot, exception) in contested {
      let (old, new) = (exception.oldChunk, exception.newChunk)
      do throws(KernelBucket.Failure) {
        try lists[buckets.bucket(of: old), default: KernelBucket(table.reading)]
          .insert(old: old, new: new)
      } catch {
        preconditionFailure("the table was built from the same exceptions: \(error)")
      }
      // The first of duplicates is merged last, and stays.
      guard old < originChunkCount, mergedChunks.insert(old).inserted else { continue }
      let shown = table.newChunk(for: Chunk(old)).map(geometry.kernelSector(of:))
      if shown != geometry.kernelSector(of: Chunk(new)) {
        return MergeObstacle(
          kind: exception.topByte != 0 ? .topByte : .otherDuplicate, area: area, slot: slot,
          exception: exception)
      }
    }
    // Chunks that only a top byte maps are shown, but not merged.
    let isShownOnly = { (old: UInt64) in
      old < originChunkCount && !mergedChunks.contains(old)
        && table.newChunk(for: Chunk(old)) != nil
    }
    for (area, slot, exception) in contested where exception.topByte != 0 {
      let old = exception.oldChunk
      let lastOld = min(old | 255, old.addingReportingOverflow(exception.topByte).partialValue)
      if old <= lastOld, (old...lastOld).contains(where: isShownOnly) {
        return MergeObstacle(kind: .topByte, area: area, slot: slot, exception: exception)
      }
    }
    for (area, slot, exception) in contested.reversed() {
      do throws(KernelBucket.RemovalFailure) {
        try lists[buckets.bucket(of: exception.oldChunk)]?.remove(old: exception.oldChunk)
      } catch {
        return MergeObstacle(kind: .notRemovable, area: area, slot: slot, exception: exception)
      }
    }
    return nil
  }
}
