public import BlockIO
internal import SnapshotFormat

/// Where a snapshot and its origin really differ, sector by sector.
///
/// Linux copies whole chunks, so that an exception may hold much, or only, what the origin holds
/// too. Only chunks in the table are read and compared; elsewhere the two are the same bytes.
public struct SnapshotDiff: Sendable {
  private static let windowByteCount: UInt64 = 1 << 20

  /// The byte ranges that differ, ascending, in whole sectors.
  public private(set) var changed: [Range<UInt64>] = []
  /// How many bytes differ.
  public private(set) var changedByteCount: UInt64 = 0
  /// How many bytes the table holds that the origin holds just so.
  public private(set) var sameByteCount: UInt64 = 0
  /// How many whole chunks the table holds that the origin holds just so.
  public private(set) var identicalChunkCount: UInt64 = 0
  /// What could not be compared.
  public private(set) var lost: [LostRange] = []

  /// Compares `view` with the origin that it is made of.
  public init(
    _ view: SnapshotView, _ origin: any BlockSource, progress: ProgressHandler = { _, _ in }
  ) throws(BlockIOError) {
    let ours = IOBuffer(byteCount: Int(Self.windowByteCount))
    let origins = IOBuffer(byteCount: Int(Self.windowByteCount))
    let chunkByteCount = view.table.geometry.chunkSize.byteCount
    let byteCount = view.mappedByteCount
    var done: UInt64 = 0
    var equalInChunk: UInt64 = 0
    try view.forEachSegment(in: 0..<view.byteCount) { (segment) throws(BlockIOError) in
      if segment.place == .origin { return }
      var position = segment.range.lowerBound
      while position < segment.range.upperBound {
        // Windows end at chunk boundaries, or within a chunk that is larger than they are.
        let step = max(chunkByteCount, Self.windowByteCount)
        let end = min(
          segment.range.upperBound, position + Self.windowByteCount, (position / step + 1) * step)
        let window = position..<end
        var lostHere: [LostRange] = []
        try view.read(window, into: ours, lost: &lostHere)
        for range in try origin.readAround(at: position, into: origins, 0..<window.count) {
          lostHere.append(LostRange(range, .originUnreadable))
        }
        compare(ours, origins, window, excluding: lostHere, chunkByteCount, &equalInChunk)
        for range in lostHere { lost.append(merging: range) }
        done += UInt64(window.count)
        progress(done, byteCount)
        position = end
      }
    }
  }

  private mutating func compare(
    _ ours: IOBuffer, _ origins: IOBuffer, _ window: Range<UInt64>,
    excluding lost: [LostRange], _ chunkByteCount: UInt64, _ equalInChunk: inout UInt64
  ) {
    var position = window.lowerBound
    while position < window.upperBound {
      // A whole chunk at once where it is equal, else its sectors one by one.
      let chunkEnd = min((position / chunkByteCount + 1) * chunkByteCount, window.upperBound)
      if position % chunkByteCount == 0 { equalInChunk = 0 }
      let isLost = lost.contains { $0.range.overlaps(position..<chunkEnd) }
      if !isLost, isEqual(ours, origins, position..<chunkEnd, in: window) {
        sameByteCount += chunkEnd - position
        equalInChunk += chunkEnd - position
      } else {
        var sector = position
        while sector < chunkEnd {
          let end = min((sector / 512 + 1) * 512, chunkEnd)
          let isSectorLost = isLost && lost.contains { $0.range.overlaps(sector..<end) }
          if !isSectorLost, isEqual(ours, origins, sector..<end, in: window) {
            sameByteCount += end - sector
          } else if !isSectorLost {
            changed.append(mergingInto: sector..<end)
            changedByteCount += end - sector
          }
          sector = end
        }
      }
      if chunkEnd % chunkByteCount == 0, equalInChunk == chunkByteCount { identicalChunkCount += 1 }
      position = chunkEnd
    }
  }

  private func isEqual(
    _ ours: IOBuffer, _ origins: IOBuffer, _ bytes: Range<UInt64>, in window: Range<UInt64>
  ) -> Bool {
    let start = Int(bytes.lowerBound - window.lowerBound)
    return ours.equals(start..<start + bytes.count, in: origins, at: start)
  }
}
