public import BlockIO
public import SnapshotFormat

/// Walks the metadata areas of a store in the order in which Linux reads them.
///
/// One buffer serves the whole walk; an area larger than it comes in pieces. The walk reads each
/// area once, stops with the first one that has an exception with new chunk 0, and loops over
/// nothing but areas that lie in the store, so that it ends on any input.
///
/// - Source: Linux `drivers/md/dm-snap-persistent.c`, `read_exceptions`, `insert_exceptions`.
public struct StoreScanner {
  private static let bufferByteCount = 1 << 20

  private let source: any BlockSource
  private let geometry: StoreGeometry

  /// A scanner of `source`, whose areas lie as `geometry` says.
  public init(_ source: any BlockSource, _ geometry: StoreGeometry) {
    self.source = source
    self.geometry = geometry
  }

  /// A piece of an area, as the walk comes by it.
  public struct Piece: Sendable {
    /// The area that it belongs to.
    public let area: AreaIndex
    /// The slot of its first exception in the area.
    public let firstSlot: Int
    /// How many of its exceptions are in the table; those behind the terminator are not.
    public let liveCount: Int
  }

  /// Walks the table and calls `visit` with each piece and its exceptions.
  ///
  /// Every piece of the terminator's area is visited, for what lies behind the terminator.
  public func scan<Failure: Error>(
    _ visit: (Piece, Span<DiskException>) throws(Failure) -> Void
  ) throws(Failure) -> TableExtent {
    let areaByteCount = geometry.chunkSize.byteCount
    let buffer = IOBuffer(byteCount: Int(min(areaByteCount, UInt64(Self.bufferByteCount))))
    var extent = TableExtent()
    while true {
      let area = AreaIndex(extent.areaCount)
      guard area.index < geometry.wholeAreaCount,
        let areaOffset = geometry.byteOffset(of: area)
      else {
        extent.end = .beyondEnd(area)
        return extent
      }
      var byteOffset: UInt64 = 0
      while byteOffset < areaByteCount {
        do throws(BlockIOError) {
          try source.read(at: areaOffset + byteOffset, into: buffer, 0..<buffer.byteCount)
        } catch {
          extent.end = .unreadable(area, error)
          return extent
        }
        let slot = Int(byteOffset) / DiskException.byteCount
        try buffer.withRecords(
          of: DiskException.self, count: buffer.byteCount / DiskException.byteCount
        ) { (exceptions) throws(Failure) in
          let live = extent.isTerminated ? 0 : extent.count(exceptions, in: area, from: slot)
          try visit(Piece(area: area, firstSlot: slot, liveCount: live), exceptions)
        }
        byteOffset += UInt64(buffer.byteCount)
      }
      extent.areaCount += 1
      if extent.isTerminated { return extent }
    }
  }
}
