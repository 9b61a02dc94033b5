public import BlockIO
internal import SnapshotFormat

/// The snapshot: the origin seen through a table, as long as the origin.
///
/// A chunk that the table maps is read from the store, any other from the origin. A chunk of the
/// store that is past its end fails to read, sector by sector, as it does under Linux. Bytes of an
/// origin image after its last whole sector, which Linux would not see, are the origin's.
///
/// - Source: Linux `drivers/md/dm-snap.c`, `snapshot_map`, `remap_exception`.
public final class SnapshotView: BlockSource {
  public let name: String
  /// The table of the view.
  public let table: ExceptionTable
  let store: any BlockSource
  /// The source of all bytes that the table does not map.
  public let origin: any BlockSource

  /// The view of `origin` through a store's `table`.
  package init(of origin: any BlockSource, through table: ExceptionTable, of store: any BlockSource)
  {
    name = "\(store.name) over \(origin.name)"
    self.table = table
    self.store = store
    self.origin = origin
  }

  public var byteCount: UInt64 { origin.byteCount }

  public var files: [FileSource] { origin.files + store.files }

  /// The origin's name in messages.
  package var originName: String { origin.name }

  /// The number of bytes of the view that come from the table.
  public var mappedByteCount: UInt64 {
    var byteCount: UInt64 = 0
    forEachSegment(in: 0..<self.byteCount) { segment in
      if segment.place != .origin { byteCount += UInt64(segment.range.count) }
    }
    return byteCount
  }

  /// Whether a merge of this view leaves another snapshot of the same origin unchanged: the other
  /// has a copy of all that the merge overwrites.
  func leavesAlone(_ other: SnapshotView) -> Bool {
    var isCovered = true
    forEachSegment(in: 0..<byteCount) { segment in
      guard segment.place != .origin, isCovered else { return }
      other.forEachSegment(in: segment.range) { if $0.place == .origin { isCovered = false } }
    }
    return isCovered
  }

  /// The parts of the view that are past the end of the store, ascending.
  var rangesBeyondStore: [LostRange] {
    var lost: [LostRange] = []
    forEachSegment(in: 0..<byteCount) { segment in
      if segment.place == .beyondStore {
        lost.append(merging: LostRange(segment.range, .beyondStore))
      }
    }
    return lost
  }

  /// The losses of the view that are known without reading.
  public var knownLosses: [LostRange] {
    var lost: [LostRange] = []
    forEachSegment(in: 0..<byteCount) { segment in
      switch segment.place {
      case .origin: break
      case .beyondStore: lost.append(merging: LostRange(segment.range, .beyondStore))
      case .store(let offset):
        let count = segment.range.upperBound - segment.range.lowerBound
        let shift = segment.range.lowerBound &- offset
        for range in store.knownUnreadable(in: offset..<offset + count) {
          lost.append(
            merging: LostRange(
              range.lowerBound &+ shift..<range.upperBound &+ shift, .storeUnreadable))
        }
      }
    }
    return lost
  }

  /// The first bytes at or after `byteOffset` that are the origin's own, at most `limit`.
  func firstOriginBytes(from byteOffset: UInt64, limit: UInt64) -> Range<UInt64>? {
    let geometry = table.geometry
    let mappedEnd = byteCount / 512 * 512
    var position = byteOffset
    var index = table.indexOfRun(endingAtOrAfter: geometry.chunk(containing: position).index)
    while index < table.runs.count {
      let run = table.runs[index]
      guard let start = geometry.byteOffset(of: Chunk(run.old)), start < mappedEnd else { break }
      if position < start { return position..<min(start, position + limit, byteCount) }
      position = min(geometry.byteOffset(of: Chunk(run.old &+ run.count)) ?? .max, mappedEnd)
      index += 1
    }
    return position < byteCount ? position..<min(position + limit, byteCount) : nil
  }

  /// Contiguous bytes of the view that come from one place.
  public struct Segment: Equatable, Sendable {
    /// A source of bytes.
    public enum Place: Equatable, Sendable {
      /// The origin, at the same bytes.
      case origin
      /// The store, from this byte on.
      case store(UInt64)
      /// The store, past its end: reading fails.
      case beyondStore
    }
    /// The bytes of the view.
    public var range: Range<UInt64>
    /// Their source.
    public var place: Place
  }

  /// The bytes of the view that a run of the table is for; nil if it is past its end.
  func bytes(of run: ExceptionRun) -> Range<UInt64>? {
    let mappedEnd = byteCount / 512 * 512
    guard let start = table.geometry.byteOffset(of: Chunk(run.old)), start < mappedEnd else {
      return nil
    }
    let (size, overflow) = run.count.multipliedReportingOverflow(
      by: table.geometry.chunkSize.byteCount)
    return start..<(overflow || size > mappedEnd - start ? mappedEnd : start + size)
  }

  /// Calls `body` with the segments that make up `range`, ascending.
  public func forEachSegment<Failure: Error>(
    in range: Range<UInt64>, _ body: (Segment) throws(Failure) -> Void
  ) throws(Failure) {
    let geometry = table.geometry
    let mappedEnd = min(range.upperBound, byteCount / 512 * 512)
    var index = table.indexOfRun(
      endingAtOrAfter: geometry.chunk(containing: range.lowerBound).index)
    var position = range.lowerBound
    while position < mappedEnd, index < table.runs.count {
      let run = table.runs[index]
      guard let runStart = geometry.byteOffset(of: Chunk(run.old)), runStart < mappedEnd else {
        break
      }
      let start = max(position, runStart)
      if start > position { try body(Segment(range: position..<start, place: .origin)) }
      let (size, overflow) = run.count.multipliedReportingOverflow(by: geometry.chunkSize.byteCount)
      let end = overflow || size > mappedEnd - runStart ? mappedEnd : runStart + size
      try forEachStoreSegment(of: run, at: runStart, in: start..<end, body)
      position = end
      index += 1
    }
    if position < range.upperBound {
      try body(Segment(range: position..<range.upperBound, place: .origin))
    }
  }

  /// Splits the bytes `range` of a run, which begins at byte `runStart`, where the store ends.
  private func forEachStoreSegment<Failure: Error>(
    of run: ExceptionRun, at runStart: UInt64, in range: Range<UInt64>,
    _ body: (Segment) throws(Failure) -> Void
  ) throws(Failure) {
    // In sectors and modulo 2^64, like the kernel: wild chunk numbers wrap around.
    let sectorCount = table.geometry.sectorCount
    let firstSector = table.geometry.kernelSector(of: Chunk(run.new))
    var position = range.lowerBound
    while position < range.upperBound {
      let within = position - runStart
      let sector = firstSector &+ within / 512
      let isPresent = sector < sectorCount
      let room = isPresent ? sectorCount - sector : 0 &- sector
      let (byteCount, overflow) = room.multipliedReportingOverflow(by: 512)
      let reach = overflow ? UInt64.max : byteCount - within % 512
      let end = min(
        range.upperBound,
        position.addingReportingOverflow(reach).overflow
          ? .max : position + reach)
      let place: Segment.Place = isPresent ? .store(sector * 512 + within % 512) : .beyondStore
      try body(Segment(range: position..<end, place: place))
      position = end
    }
  }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    try forEachSegment(in: bytes) { (segment) throws(BlockIOError) in
      let start = range.lowerBound + Int(segment.range.lowerBound - byteOffset)
      let target = start..<start + segment.range.count
      switch segment.place {
      case .origin: try origin.read(at: segment.range.lowerBound, into: buffer, target)
      case .store(let storeOffset): try store.read(at: storeOffset, into: buffer, target)
      case .beyondStore:
        throw BlockIOError(
          store.name, .read, .beyondEnd(byteCount: store.byteCount), at: segment.range)
      }
    }
  }

  /// Reads like `read`, but around unreadable sectors, which become zeroes.
  ///
  /// - Parameters:
  ///   - place: Where in the buffer they go.
  ///   - lost: Gets the ranges of the view that could not be read.
  public func read(
    _ bytes: Range<UInt64>, into buffer: IOBuffer, at place: Int = 0, lost: inout [LostRange]
  ) throws(BlockIOError) {
    try forEachSegment(in: bytes) { (segment) throws(BlockIOError) in
      let start = place + Int(segment.range.lowerBound - bytes.lowerBound)
      let target = start..<start + segment.range.count
      switch segment.place {
      case .origin:
        for range in try origin.readAround(at: segment.range.lowerBound, into: buffer, target) {
          lost.append(merging: LostRange(range, .originUnreadable))
        }
      case .store(let storeOffset):
        for range in try store.readAround(at: storeOffset, into: buffer, target) {
          let shift = segment.range.lowerBound &- storeOffset
          lost.append(
            merging: LostRange(
              range.lowerBound &+ shift..<range.upperBound &+ shift, .storeUnreadable))
        }
      case .beyondStore:
        buffer.zero(target)
        lost.append(merging: LostRange(segment.range, .beyondStore))
      }
    }
  }

  public func hasCached(at byteOffset: UInt64) -> Bool {
    guard byteOffset < byteCount else { return false }
    var hasCached = false
    forEachSegment(in: byteOffset..<min(byteOffset + 1, byteCount)) { segment in
      if let extent = segment.extent {
        hasCached = store.hasCached(at: extent.sourceOffset)
      } else if segment.place == .origin {
        hasCached = origin.hasCached(at: byteOffset)
      }
    }
    return hasCached
  }

  public func willRead(_ range: Range<UInt64>) {
    forEachSegment(in: range) { segment in
      if let extent = segment.extent {
        store.willRead(extent.sourceRange)
      } else if segment.place == .origin {
        origin.willRead(segment.range)
      }
    }
  }

  public func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    guard byteOffset < byteCount else { return nil }
    let originData = try origin.nextData(from: byteOffset)
    let index = table.indexOfRun(
      endingAtOrAfter: table.geometry.chunk(containing: byteOffset).index)
    guard index < table.runs.count,
      let runStart = table.geometry.byteOffset(of: Chunk(table.runs[index].old)),
      runStart < byteCount
    else { return originData }
    let run = table.runs[index]
    let (size, overflow) = run.count.multipliedReportingOverflow(
      by: table.geometry.chunkSize.byteCount)
    let runEnd = overflow || size > byteCount - runStart ? byteCount : runStart + size
    let storeData = max(runStart, byteOffset)..<runEnd
    guard let originData, originData.lowerBound < storeData.lowerBound else { return storeData }
    return originData
  }
}
