package import BlockIO
package import SnapshotFormat

/// Walks the metadata areas of a store in the order in which Linux reads them.
///
/// A few buffers serve the whole walk; an area larger than them comes in pieces. The walk reads
/// each area once, stops with the first one that has an exception with new chunk 0, and only visits
/// areas within the store, so it ends on any input. A large table is read by another thread while
/// the visitor is busy; the visitor does not notice.
///
/// - Source: Linux `drivers/md/dm-snap-persistent.c`, `read_exceptions`, `insert_exceptions`.
package struct StoreScanner {
  private let source: any BlockSource
  private let geometry: StoreGeometry

  /// A scanner of `source`, whose areas are where `geometry` puts them.
  package init(_ source: any BlockSource, _ geometry: StoreGeometry) {
    self.source = source
    self.geometry = geometry
  }

  /// A piece of an area, as the walk passes it.
  package struct Piece: Sendable {
    /// The area that it belongs to.
    package let area: AreaIndex
    /// The slot of its first exception in the area.
    package let firstSlot: Int
    /// The number of its exceptions that are in the table; those after the terminator are not.
    package let liveCount: Int
  }

  /// Walks the table and calls `visit` with each piece and its exceptions.
  ///
  /// Every piece of the terminator's area is visited, for the slots after the terminator.
  package func scan<Failure: Error>(
    _ visit: (Piece, Span<DiskException>) throws(Failure) -> Void
  ) throws(Failure) -> TableSummary {
    var reader = TableReader(source, geometry)
    let buffer = IOBuffer(byteCount: reader.pieceByteCount)
    while !reader.isAtEnd, reader.extent.areaCount < UInt64(reader.batchPieceCount) {
      try reader.next(into: buffer).forEachPiece(in: buffer, visit)
    }
    return reader.isAtEnd ? reader.extent : try scanOn(from: reader, visit)
  }

  /// Continues with a large table.
  private func scanOn<Failure: Error>(
    from reader: TableReader, _ visit: (Piece, Span<DiskException>) throws(Failure) -> Void
  ) throws(Failure) -> TableSummary {
    var extent = reader.extent
    try Conveyor<TableReader.Batch>.run(
      bufferByteCount: reader.pieceByteCount * reader.batchPieceCount
    ) { (conveyor) throws(Failure) in
      var reader = reader
      while !reader.isAtEnd, let buffer = conveyor.nextBuffer() {
        conveyor.send(buffer, reader.next(into: buffer))
      }
    } unload: { (buffer, batch) throws(Failure) in
      try batch.forEachPiece(in: buffer, visit)
      extent = batch.extent
    }
    return extent
  }
}
