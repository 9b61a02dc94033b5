package import BlockIO
internal import SnapshotFormat

/// The ranges in which a snapshot and its origin really differ, sector by sector.
///
/// Linux copies whole chunks, so much of an exception, or all of it, may equal the origin. Only
/// chunks in the table are read and compared; elsewhere the two are the same bytes.
public struct SnapshotDiff: Sendable {
  /// The number of bytes that differ.
  public private(set) var changedByteCount: UInt64 = 0
  /// In how many ranges they are.
  public private(set) var changedRangeCount: UInt64 = 0
  /// The number of bytes of the table that are the same in the origin.
  public private(set) var sameByteCount: UInt64 = 0
  /// The number of whole chunks of the table that are the same in the origin.
  public private(set) var identicalChunkCount: UInt64 = 0
  /// Ranges that could not be compared.
  public private(set) var lost: [LostRange] = []

  private let chunkByteCount: UInt64
  private var equalInChunk: UInt64 = 0
  /// The last range that differs, which may continue.
  private var open: Range<UInt64>?

  /// Compares `view` with the origin that it is made of.
  ///
  /// One thread reads the store ahead, the caller's reads the origin and compares.
  ///
  /// - Parameter visit: Called with each range that differs, ascending, in whole sectors.
  package init(
    _ view: SnapshotView, _ origin: any BlockSource, progress: ProgressHandler = { _, _ in },
    visit: (Range<UInt64>) throws(BlockIOError) -> Void
  ) throws(BlockIOError) {
    chunkByteCount = view.table.geometry.chunkSize.byteCount
    let byteCount = view.mappedByteCount
    let origins = IOBuffer(byteCount: MappedWindow.byteCountMax)
    var done: UInt64 = 0
    try view.forEachMappedWindow { (ours, window) throws(BlockIOError) in
      let lostHere = window.lost.merged(with: try window.read(origin, into: origins))
      for span in window.spans {
        try compare(ours, origins, span, excluding: lostHere, visit)
        done += UInt64(span.place.count)
      }
      for range in lostHere { lost.append(merging: range) }
      progress(done, byteCount)
    }
    if let open { try visit(open) }
  }

  private mutating func compare(
    _ ours: IOBuffer, _ origins: IOBuffer, _ span: MappedWindow.Span, excluding lost: [LostRange],
    _ visit: (Range<UInt64>) throws(BlockIOError) -> Void
  ) throws(BlockIOError) {
    func isEqual(_ bytes: Range<UInt64>) -> Bool {
      let start = span.place.lowerBound + Int(bytes.lowerBound - span.range.lowerBound)
      return ours.equals(start..<start + bytes.count, in: origins, at: start)
    }
    var position = span.range.lowerBound
    while position < span.range.upperBound {
      // A whole chunk at once if it is equal, otherwise its sectors one by one.
      let chunkEnd = min((position / chunkByteCount + 1) * chunkByteCount, span.range.upperBound)
      if position % chunkByteCount == 0 { equalInChunk = 0 }
      let isLost = lost.contains { $0.range.overlaps(position..<chunkEnd) }
      if !isLost, isEqual(position..<chunkEnd) {
        sameByteCount += chunkEnd - position
        equalInChunk += chunkEnd - position
      } else {
        var sector = position
        while sector < chunkEnd {
          let end = min((sector / 512 + 1) * 512, chunkEnd)
          let isSectorLost = isLost && lost.contains { $0.range.overlaps(sector..<end) }
          if !isSectorLost, isEqual(sector..<end) {
            sameByteCount += end - sector
          } else if !isSectorLost {
            try note(sector..<end, visit)
          }
          sector = end
        }
      }
      if chunkEnd % chunkByteCount == 0, equalInChunk == chunkByteCount { identicalChunkCount += 1 }
      position = chunkEnd
    }
  }

  /// Counts bytes that differ, and visits the range before them if they do not continue it.
  private mutating func note(
    _ range: Range<UInt64>, _ visit: (Range<UInt64>) throws(BlockIOError) -> Void
  ) throws(BlockIOError) {
    changedByteCount += UInt64(range.count)
    if let open, open.upperBound == range.lowerBound {
      self.open = open.lowerBound..<range.upperBound
      return
    }
    if let open { try visit(open) }
    changedRangeCount += 1
    open = range
  }
}
