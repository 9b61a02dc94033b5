internal import BlockIO
internal import SnapshotFormat

/// The layout of our own stores: exceptions ascend by old chunk, and data chunks are in the order
/// in which Linux hands them out, with only areas between them.
///
/// Undo stores and salvaged stores are made this way.
struct OrderedStore: Sendable {
  /// Where its chunks are.
  let geometry: StoreGeometry
  /// The number of exceptions.
  let exceptionCount: UInt64
  private let runs: [ExceptionRun]
  /// Only old chunks below this one are in it.
  private let oldEnd: UInt64

  /// The store of the old chunks of ascending `runs` that are below `oldEnd`.
  init(of runs: [ExceptionRun], below oldEnd: UInt64 = .max, _ chunkSize: ChunkSize) {
    self.runs = runs
    self.oldEnd = oldEnd
    var count: UInt64 = 0
    for run in runs where run.old < oldEnd { count += min(run.count, oldEnd - run.old) }
    exceptionCount = count
    geometry = StoreGeometry(
      chunkSize: chunkSize, byteCount: Self.byteCount(exceptionCount: count, chunkSize))
  }

  /// Its length.
  var byteCount: UInt64 { Self.byteCount(exceptionCount: exceptionCount, geometry.chunkSize) }

  private static func byteCount(exceptionCount count: UInt64, _ size: ChunkSize) -> UInt64 {
    // A full last area needs another one after it, in which Linux finds the end of the table.
    (StoreGeometry.headerChunkCount + count + count / size.exceptionsPerArea + 1) * size.byteCount
  }

  /// Calls `body` with the copies that fill the store's data, ascending, and their runs.
  ///
  /// - Parameters:
  ///   - chunk: Which chunk of the source a run begins at.
  ///   - sourceEnd: The end of the source, in bytes: chunks past it are left out.
  func forEachDataExtent<Failure: Error>(
    from chunk: (ExceptionRun) -> UInt64, before sourceEnd: UInt64,
    _ body: (CopyExtent, ExceptionRun) throws(Failure) -> Void
  ) throws(Failure) {
    let chunkByteCount = geometry.chunkSize.byteCount
    // As much data as there is between two areas.
    let spanByteCount = geometry.chunkSize.exceptionsPerArea * chunkByteCount
    var position: UInt64 = 0  // in the data, areas not counted
    for run in runs where run.old < oldEnd {
      let byteCount = min(run.count, oldEnd - run.old) * chunkByteCount
      let source = chunk(run) * chunkByteCount
      let presentCount = min(byteCount, sourceEnd - min(source, sourceEnd))
      var done: UInt64 = 0
      while done < presentCount {
        let within = position + done
        let count = min(presentCount - done, spanByteCount - within % spanByteCount)
        let areaCount = within / spanByteCount + 1
        let target = (StoreGeometry.headerChunkCount + areaCount) * chunkByteCount + within
        try body(
          CopyExtent(sourceOffset: source + done, targetOffset: target, byteCount: count), run)
        done += count
      }
      position += byteCount
    }
  }

  /// Calls `body` with every piece of every area, and its place.
  func forEachAreaPiece<Failure: Error>(
    _ body: (UInt64, IOBuffer, Int) throws(Failure) -> Void
  ) throws(Failure) {
    let areaByteCount = geometry.chunkSize.byteCount
    let buffer = IOBuffer(byteCount: Int(min(areaByteCount, 1 << 20)))
    let pieceCount = UInt64(buffer.byteCount / DiskException.byteCount)
    let areaCount = exceptionCount / geometry.chunkSize.exceptionsPerArea + 1
    let slotCount = areaCount * geometry.chunkSize.exceptionsPerArea
    var olds = OldChunks(runs: runs, end: oldEnd)
    var position: UInt64 = 0
    while position < slotCount {
      buffer.withMutableRecords(of: DiskException.self, count: Int(pieceCount)) { records in
        for slot in records.indices {
          let new = geometry.dataChunk(inOrder: position + UInt64(slot))
          let old = olds.next()
          records[slot] = DiskException(
            oldChunk: old ?? 0, newChunk: old == nil ? 0 : new?.index ?? 0)
        }
      }
      let area = position / geometry.chunkSize.exceptionsPerArea
      let slot = position % geometry.chunkSize.exceptionsPerArea
      let offset = geometry.byteOffset(of: AreaIndex(area), slot: Int(slot)) ?? 0
      try body(offset, buffer, buffer.byteCount)
      position += pieceCount
    }
  }

  /// The old chunks, one by one.
  private struct OldChunks {
    let runs: [ExceptionRun]
    let end: UInt64
    private var index = 0
    private var within: UInt64 = 0

    init(runs: [ExceptionRun], end: UInt64) {
      self.runs = runs
      self.end = end
    }

    mutating func next() -> UInt64? {
      guard index < runs.count, runs[index].old + within < end else { return nil }
      let old = runs[index].old + within
      within += 1
      if within == runs[index].count { (index, within) = (index + 1, 0) }
      return old
    }
  }
}
