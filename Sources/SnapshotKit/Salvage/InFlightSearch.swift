internal import BlockIO
internal import SnapshotFormat

/// Finds data chunks that Linux may have copied to, among those that no exception names.
///
/// Linux allocates a data chunk when a copy begins, and writes its exception when the area is full
/// or no copy is pending. When the snapshot is invalidated it drops the rest. So every data chunk
/// of an overflowed store was allocated; if the store's file has a hole, nothing was ever written
/// there.
///
/// - Source: Linux `drivers/md/dm-snap-persistent.c`, `persistent_prepare_exception`,
///   `persistent_commit_exception`; docs/format.md, "Chunks in flight".
struct InFlightSearch {
  /// More ranges than this are counted, but not listed.
  private static let rangeCountMax = 1 << 16

  /// The chunks, ascending; none of the ranges has an area in it.
  private(set) var ranges: [Range<UInt64>] = []
  /// The number of chunks, including those not listed.
  private(set) var count: UInt64 = 0

  private let source: any BlockSource
  private let geometry: StoreGeometry
  /// The last known data of the store's file; empty after the last.
  private var data: Range<UInt64> = 0..<0

  init(_ source: any BlockSource, _ geometry: StoreGeometry) {
    self.source = source
    self.geometry = geometry
  }

  /// One above the position of the last data chunk that is wholly within the store.
  var positionEnd: UInt64 {
    geometry.position(ofDataFrom: Chunk(geometry.wholeChunkCount)) ?? 0
  }

  /// Examines the data chunks at those positions that are wholly within the store.
  mutating func look(at positions: Range<UInt64>) throws(BlockIOError) {
    let slotCount = geometry.chunkSize.exceptionsPerArea
    let positionsEnd = min(positions.upperBound, positionEnd)
    var position = positions.lowerBound
    while position < positionsEnd, let first = geometry.dataChunk(inOrder: position) {
      let end = min(positionsEnd, (position / slotCount + 1) * slotCount)
      try search(first.index..<first.index + (end - position))
      position = end
    }
  }

  /// Examines chunks without an area between them.
  private mutating func search(_ chunks: Range<UInt64>) throws(BlockIOError) {
    let size = geometry.chunkSize.byteCount
    var position = chunks.lowerBound * size
    let end = chunks.upperBound * size
    while position < end {
      if data.upperBound <= position {
        data = try source.nextData(from: position) ?? source.byteCount..<UInt64.max
      }
      let start = max(position, data.lowerBound)
      guard start < end else { return }
      let used = start / size..<(min(data.upperBound, end) - 1) / size + 1
      add(used)
      position = used.upperBound * size
    }
  }

  private mutating func add(_ chunks: Range<UInt64>) {
    count += chunks.upperBound - chunks.lowerBound
    if let last = ranges.last, last.upperBound == chunks.lowerBound {
      ranges[ranges.count - 1] = last.lowerBound..<chunks.upperBound
    } else if ranges.count < Self.rangeCountMax {
      ranges.append(chunks)
    }
  }
}
