internal import BlockIO
internal import SnapshotFormat

/// Reads the areas of a table one after the other, each byte once, until the table ends.
///
/// It looks for the end itself, so nothing after the terminator's area is read. A few of the next
/// areas are announced to the medium: they are far apart, and a medium that gets many requests at
/// once serves them many times faster. No more are announced than were read, which keeps a small
/// table cheap; an announced area that fails is an error only if the table gets there.
struct TableReader: Sendable {
  /// A larger area comes in pieces of this size.
  private static let pieceByteCountMax: UInt64 = 1 << 20
  private static let batchAreaCountMax = 64

  private let source: any BlockSource
  private let geometry: StoreGeometry
  private let wholeAreaCount: UInt64
  /// The size of a piece of an area: all of it, unless it is very large.
  let pieceByteCount: Int
  /// The number of pieces worth reading at once.
  let batchPieceCount: Int

  /// The known extent of the table.
  private(set) var extent = TableSummary()
  /// Whether everything was read.
  private(set) var isAtEnd = false
  /// The number of bytes of the current area that were read.
  private var areaByteCountRead: UInt64 = 0
  private var announcedEnd: UInt64 = 0

  init(_ source: any BlockSource, _ geometry: StoreGeometry) {
    self.source = source
    self.geometry = geometry
    wholeAreaCount = geometry.wholeAreaCount
    pieceByteCount = Int(min(geometry.chunkSize.byteCount, Self.pieceByteCountMax))
    batchPieceCount = min(Int(Self.pieceByteCountMax) / pieceByteCount, Self.batchAreaCountMax)
  }

  /// Pieces of areas, one after the other in a buffer.
  struct Batch: Sendable {
    /// The area of the first piece.
    let area: AreaIndex
    /// The slot of its first exception: not 0 only after the beginning of a large area, which is
    /// then alone in the batch.
    let firstSlot: Int
    let pieceByteCount: Int
    fileprivate(set) var pieceCount = 0
    /// The number of exceptions of the last piece that are in the table; of the others, all are.
    fileprivate(set) var lastLiveCount = 0
    /// The known extent of the table with this batch.
    fileprivate(set) var extent: TableSummary

    /// Calls `visit` with each piece, in order.
    func forEachPiece<Failure: Error>(
      in buffer: IOBuffer,
      _ visit: (StoreScanner.Piece, Span<DiskException>) throws(Failure) -> Void
    ) throws(Failure) {
      let slotCount = pieceByteCount / DiskException.byteCount
      try buffer.withRecords(of: DiskException.self, count: pieceCount * slotCount) {
        (exceptions) throws(Failure) in
        for index in 0..<pieceCount {
          let piece = StoreScanner.Piece(
            area: AreaIndex(area.index + UInt64(index)), firstSlot: firstSlot,
            liveCount: index == pieceCount - 1 ? lastLiveCount : slotCount)
          try visit(piece, exceptions.extracting(index * slotCount..<(index + 1) * slotCount))
        }
      }
    }
  }

  /// Reads as many of the next pieces as fit into `buffer`, or as there are.
  mutating func next(into buffer: IOBuffer) -> Batch {
    var batch = Batch(
      area: AreaIndex(extent.areaCount),
      firstSlot: Int(areaByteCountRead) / DiskException.byteCount,
      pieceByteCount: pieceByteCount, extent: extent)
    announce()
    while !isAtEnd, (batch.pieceCount + 1) * pieceByteCount <= buffer.byteCount {
      if let liveCount = readPiece(into: buffer, batch.pieceCount) {
        batch.lastLiveCount = liveCount
        batch.pieceCount += 1
      }
    }
    batch.extent = extent
    return batch
  }

  /// Reads a piece to the place of the piece of that number in a buffer.
  ///
  /// - Returns: How many of its exceptions are in the table; nil if there are no more pieces.
  private mutating func readPiece(into buffer: IOBuffer, _ index: Int) -> Int? {
    let area = AreaIndex(extent.areaCount)
    guard area.index < wholeAreaCount, let start = geometry.byteOffset(of: area) else {
      extent.end = .beyondEnd(area)
      isAtEnd = true
      return nil
    }
    let place = index * pieceByteCount..<(index + 1) * pieceByteCount
    do throws(BlockIOError) {
      try source.read(at: start + areaByteCountRead, into: buffer, place)
    } catch {
      extent.end = .unreadable(area, error)
      isAtEnd = true
      return nil
    }
    let firstSlot = Int(areaByteCountRead) / DiskException.byteCount
    let slotCount = pieceByteCount / DiskException.byteCount
    var liveCount = 0
    if !extent.isTerminated {
      liveCount = buffer.withRecords(of: DiskException.self, count: (index + 1) * slotCount) {
        extent.count(
          $0.extracting(index * slotCount..<(index + 1) * slotCount), in: area, from: firstSlot)
      }
    }
    areaByteCountRead += UInt64(pieceByteCount)
    if areaByteCountRead == geometry.chunkSize.byteCount {
      areaByteCountRead = 0
      extent.areaCount += 1
      isAtEnd = extent.isTerminated
    }
    return liveCount
  }

  private func isCached(_ area: UInt64) -> Bool {
    geometry.byteOffset(of: AreaIndex(area)).map(source.hasCached) ?? true
  }

  /// Announces areas after the next one to the medium.
  private mutating func announce() {
    let count = min(extent.areaCount, UInt64(2 * batchPieceCount))
    let end = min(extent.areaCount + 1 + count, wholeAreaCount)
    announcedEnd = max(announcedEnd, extent.areaCount + 1)
    // Cached areas need not be announced; if the ends are cached, assume that all is.
    if announcedEnd < end, isCached(announcedEnd), isCached(end - 1) { announcedEnd = end }
    while announcedEnd < end, let start = geometry.byteOffset(of: AreaIndex(announcedEnd)) {
      source.willRead(start..<start + UInt64(pieceByteCount))
      announcedEnd += 1
    }
  }
}
