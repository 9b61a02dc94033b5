package import SnapshotFormat

/// An obstacle that keeps Linux's own merge from ending with the snapshot's content, and its place.
package struct MergeObstacle: Equatable, Sendable, CustomStringConvertible {
  /// The kinds of obstacles.
  package enum Kind: Equatable, Sendable {
    /// Its top byte makes the snapshot show chunks that a merge does not copy.
    case topByte
    /// Its old chunk is past the end of the origin, or wraps around to another one's place.
    case oldBeyondOrigin
    /// Its new chunk is not wholly within the store.
    case newBeyondStore
    /// Its new chunk is a metadata area, which the merge itself clears before it copies it.
    case newInClearedArea
    /// Of several exceptions for one chunk, the merge leaves another one's data than the
    /// snapshot's.
    case otherDuplicate
    /// Its run has 2^32 sectors or more, a number that Linux keeps in 32 bits.
    case runTooLong
    /// After its merge Linux cannot remove it from its table.
    case notRemovable
  }

  /// Its kind.
  package let kind: Kind
  /// The area of the exception.
  package let area: AreaIndex
  /// Its slot in the area, from 0.
  package let slot: Int
  /// The exception.
  package let exception: DiskException

  package var description: String {
    let why =
      switch kind {
      case .topByte: "has a top byte: Linux's merge would leave data that differs from the snapshot"
      case .oldBeyondOrigin:
        "is past the end of the origin, where Linux's merge would stop or go wrong"
      case .newBeyondStore: "points past the end of the store, where Linux's merge would stop"
      case .newInClearedArea:
        "points to a metadata area that Linux's merge would clear before it copies it"
      case .otherDuplicate:
        "is a duplicate that Linux's merge would leave, though the snapshot shows the other"
      case .runTooLong: "is in a run of 2 TiB or more, of which Linux's merge copies only a part"
      case .notRemovable: "cannot be removed from Linux's table: its merge would stop half-way"
      }
    return "area \(area.index), slot \(slot)"
      + " (\(exception.oldChunk) → \(exception.newChunk)): \(why)"
  }
}

/// Simulates Linux's own merge without touching a byte.
///
/// The kernel goes from the last exception to the first, copies runs that are consecutive within an
/// area at once, clears them in the area and removes them from its table in memory. Of several
/// duplicates, the first in the table remains. It stops for good at the first error; its work until
/// then remains.
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
    buckets = KernelBuckets(table.geometry, table.reading)
  }

  /// An exception and its place.
  private struct Entry {
    let area: AreaIndex
    let slot: Int
    let exception: DiskException

    func obstacle(_ kind: MergeObstacle.Kind) -> MergeObstacle {
      MergeObstacle(kind: kind, area: area, slot: slot, exception: exception)
    }
  }

  /// The first obstacle that keeps the merge from ending with the snapshot's content.
  func obstacle(
    in store: Store, _ extent: TableSummary
  ) throws(TableError) -> MergeObstacle? {
    var found: MergeObstacle?
    var contested: [Entry] = []
    var wrapped: [Entry] = []
    var run = Run()
    let scanner = StoreScanner(store.source, geometry)
    let walked = scanner.scan { piece, exceptions in
      guard found == nil else { return }
      if piece.firstSlot == 0 { run = Run() }
      for slot in 0..<piece.liveCount {
        let exception = exceptions[slot]
        run.take(exception)
        let endsArea =
          piece.liveCount < exceptions.count
          || UInt64(piece.firstSlot + exceptions.count) == geometry.chunkSize.exceptionsPerArea
        // Matters, and is worth the loop, only if a new chunk is an area.
        let isLastRun =
          geometry.isMetadata(Chunk(exception.newChunk)) && endsArea
          && Self.isLastRun(from: slot, exceptions, piece.liveCount)
        let entry = Entry(area: piece.area, slot: piece.firstSlot + slot, exception: exception)
        if let kind = check(exception, run, piece.area, extent, isLastRun: isLastRun) {
          found = entry.obstacle(kind)
          return
        }
        if table.contestedBuckets.contains(buckets.bucket(of: exception.oldChunk)) {
          contested.append(entry)
        }
        if target(of: exception, in: run) != nil { wrapped.append(entry) }
      }
    }
    try walked.require(equals: extent)
    if let found { return found }
    if let obstacle = try obstacle(among: contested) { return obstacle }
    return try obstacle(amongWrapped: wrapped, scanner, extent)
  }

  /// The chunk that Linux writes to for an exception past the origin's end whose place wraps around
  /// into it, in 64 bits of sectors; nil for all others.
  private func target(of exception: DiskException, in run: Run) -> UInt64? {
    guard exception.oldChunk >= originChunkCount else { return nil }
    let start = geometry.kernelSector(of: Chunk(run.first.oldChunk))
    let sector = geometry.kernelSector(of: Chunk(exception.oldChunk))
    guard start < originSectorCount, start <= sector, sector < originSectorCount else { return nil }
    return sector >> geometry.chunkSize.shift
  }

  private var originChunkCount: UInt64 { geometry.chunkCount(ofOrigin: originSectorCount * 512) }

  /// The run that Linux copies at once: consecutive exceptions within an area.
  private struct Run {
    var first = DiskException(oldChunk: 0, newChunk: 0)
    var last: DiskException?
    var count: UInt64 = 0

    mutating func take(_ exception: DiskException) {
      if let last, exception.oldChunk == last.oldChunk &+ 1,
        exception.newChunk == last.newChunk &+ 1
      {
        self.last = exception
        count += 1
      } else {
        first = exception
        last = exception
        count = 1
      }
    }
  }

  private func check(
    _ exception: DiskException, _ run: Run, _ area: AreaIndex, _ extent: TableSummary,
    isLastRun: Bool
  ) -> MergeObstacle.Kind? {
    // A run is written as one, clipped at the end of the origin: only its beginning must be in it.
    // One that begins exactly there is clipped to nothing, and Linux goes on.
    let start = geometry.kernelSector(of: Chunk(run.first.oldChunk))
    if start >= originSectorCount { return start == originSectorCount ? nil : .oldBeyondOrigin }
    if run.count << geometry.chunkSize.shift >= 1 << 32 { return .runTooLong }
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
    // Areas after the current one are already cleared, and this one after the current run.
    if pointed.index < area.index || pointed.index >= extent.areaCount { return nil }
    if pointed == area { return isLastRun ? nil : .newInClearedArea }
    return .newInClearedArea
  }

  /// Whether the run that contains `slot` is the last of its area.
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

  /// If Linux writes to another chunk than an exception names, that chunk's own exception must
  /// overwrite it: one that is earlier in the table, and so is merged later.
  private func obstacle(
    amongWrapped wrapped: [Entry], _ scanner: StoreScanner, _ extent: TableSummary
  ) throws(TableError) -> MergeObstacle? {
    if wrapped.isEmpty { return nil }
    let targets = Set(
      wrapped.map {
        geometry.kernelSector(of: Chunk($0.exception.oldChunk)) >> geometry.chunkSize.shift
      })
    var overwritten: Set<UInt64> = []
    var remaining = wrapped[...]
    var found: MergeObstacle?
    let walked = scanner.scan { piece, exceptions in
      for slot in 0..<piece.liveCount where found == nil {
        let old = exceptions[slot].oldChunk
        if targets.contains(old) { overwritten.insert(old) }
        guard let entry = remaining.first, entry.area == piece.area,
          entry.slot == piece.firstSlot + slot
        else { continue }
        remaining.removeFirst()
        let target = geometry.kernelSector(of: Chunk(old)) >> geometry.chunkSize.shift
        if !overwritten.contains(target) { found = entry.obstacle(.oldBeyondOrigin) }
      }
    }
    try walked.require(equals: extent)
    return found
  }

  /// Compares the merge's result for contested chunks with the snapshot's content, and simulates
  /// their removal, last to first.
  private func obstacle(among contested: [Entry]) throws(TableError) -> MergeObstacle? {
    var lists: [UInt64: KernelBucket] = [:]
    var mergedChunks: Set<UInt64> = []
    for entry in contested {
      let exception = entry.exception
      let (old, new) = (exception.oldChunk, exception.newChunk)
      do throws(KernelBucket.Failure) {
        try lists[buckets.bucket(of: old), default: KernelBucket(table.reading)]
          .insert(old: old, new: new)
      } catch {
        throw .changed  // the table was built from the same exceptions, without this
      }
      // The first of several duplicates is merged last, and remains.
      guard old < originChunkCount, mergedChunks.insert(old).inserted else { continue }
      let shown = table.newChunk(for: Chunk(old)).map(geometry.kernelSector(of:))
      if shown != geometry.kernelSector(of: Chunk(new)) {
        return entry.obstacle(exception.topByte != 0 ? .topByte : .otherDuplicate)
      }
    }
    // Chunks that only a top byte maps are shown, but not merged.
    let isShownOnly = { (old: UInt64) in
      old < originChunkCount && !mergedChunks.contains(old)
        && table.newChunk(for: Chunk(old)) != nil
    }
    for entry in contested where entry.exception.topByte != 0 {
      let old = entry.exception.oldChunk
      let lastOld = min(old | 255, old &+ entry.exception.topByte)
      if old <= lastOld, (old...lastOld).contains(where: isShownOnly) {
        return entry.obstacle(.topByte)
      }
    }
    for entry in contested.reversed() {
      let old = entry.exception.oldChunk
      do throws(KernelBucket.RemovalFailure) {
        try lists[buckets.bucket(of: old)]?.remove(old: old)
      } catch {
        return entry.obstacle(.notRemovable)
      }
    }
    return nil
  }
}
