internal import BlockIO
internal import SnapshotFormat

/// Reads every place where the geometry puts an area, regardless of what precedes it.
///
/// The survey continues where Linux stops (at the first exception with new chunk 0, at an area that
/// cannot be read or is past the end): the rest is either more of the table after damage, or an
/// older table whose space this one uses.
struct AreaSurvey {
  /// The reach of a survey.
  enum Reach {
    /// At every area in the store.
    case whole
    /// Until that many areas in a row hold nothing.
    case near(UInt64)

    /// Far enough to meet an older table after one that Linux reads to its end; a whole disk need
    /// not be searched for it.
    static let nearby = Reach.near(256)
  }

  /// The content of an area that is in no segment and is not zero.
  enum Content { case foreign, unreadable }

  private static let bufferByteCount = 1 << 20
  /// The number of never-read areas that are listed individually.
  private static let listedCountMax: UInt64 = 4096

  /// The segments, ascending by area.
  private(set) var segments: [AreaSegment] = []
  /// The areas that hold something, but nothing usable, ascending.
  private(set) var lostAreas: [(areas: Range<UInt64>, content: Content)] = []
  /// The bytes of areas that could not be read, ascending.
  private(set) var unreadable: [Range<UInt64>] = []
  /// The number of areas in the store; the last may be partial.
  let areaCount: UInt64

  /// E.
  var exceptionsPerArea: UInt64 { geometry.chunkSize.exceptionsPerArea }

  /// The number of areas, from the first, that hold nothing usable.
  var leadingLostCount: UInt64 {
    var end: UInt64 = 0
    for lost in lostAreas where lost.areas.lowerBound == end { end = lost.areas.upperBound }
    return end
  }

  /// The smallest unit of damage, in slots.
  var damageSlotCount: UInt64 { AreaLaw.damageSlotCount(geometry) }

  let source: any BlockSource
  private let areas: any BlockSource
  private let geometry: StoreGeometry
  private let buffer: IOBuffer
  /// The data chunks that may hold anything.
  let used: UsedChunks
  private var judge: SlotJudge
  private var olds = ChunkSet()

  /// Surveys the areas of a store.
  ///
  /// - Parameters:
  ///   - areas: The same bytes as areas are read from them; nil if that is `source`.
  ///   - isExpected: Whether a table is known to begin in area 0.
  init(
    _ source: any BlockSource, areas: (any BlockSource)? = nil, _ geometry: StoreGeometry,
    isExpected: Bool, reach: Reach = .whole
  ) throws(BlockIOError) {
    self.source = source
    self.areas = areas ?? source
    self.geometry = geometry
    let areaByteCount = geometry.chunkSize.byteCount
    used = UsedChunks(source, geometry)
    buffer = IOBuffer(byteCount: Int(min(areaByteCount, UInt64(Self.bufferByteCount))))
    judge = SlotJudge(geometry)
    areaCount = geometry.areaCount
    // Areas that were never read, according to a map, are not tried: an unfinished copy may have
    // very many.
    let unread = source.knownUnreadable(in: 0..<source.byteCount)
    var nextUnread = 0
    var data: Range<UInt64>?
    var area = AreaIndex(0)
    var lastUsed: UInt64 = 0
    while area.index < areaCount, let start = geometry.byteOffset(of: area) {
      if case .near(let limit) = reach, area.index - lastUsed > limit { break }
      while nextUnread < unread.count, unread[nextUnread].upperBound <= start { nextUnread += 1 }
      if nextUnread < unread.count, unread[nextUnread].lowerBound <= start,
        unread[nextUnread].upperBound - start >= areaByteCount
      {
        area = passOver(area, upTo: unread[nextUnread].upperBound)
        continue
      }
      // Holes are zero, and a sparse store has many.
      if data.map({ $0.upperBound <= start }) ?? true {
        data = Self.nextData(of: source, from: start)
        guard let data else { break }
        if data.lowerBound >= start + areaByteCount {
          area = Self.area(reaching: data.lowerBound, geometry)
          continue
        }
      }
      let before = segments.count
      let used = segments.last?.areas.upperBound
      try survey(area, start, isExpected: area.index == 0 && isExpected)
      if segments.count != before || segments.last?.areas.upperBound != used {
        lastUsed = area.index
      }
      area.index += 1
    }
  }

  /// Notes the areas that end at or before a byte as unreadable, and returns the next one.
  private mutating func passOver(_ first: AreaIndex, upTo end: UInt64) -> AreaIndex {
    let strideByteCount = geometry.chunkSize.areaStride * geometry.chunkSize.byteCount
    let areaByteCount = geometry.chunkSize.byteCount
    let start = geometry.byteOffset(of: first) ?? end
    let count = (end - areaByteCount - start) / strideByteCount + 1
    for index in 0..<min(count, Self.listedCountMax) {
      let offset = start + index * strideByteCount
      unreadable.append(mergingInto: offset..<offset + areaByteCount)
    }
    lostAreas.append((first.index..<first.index + count, .unreadable))
    return AreaIndex(first.index + count)
  }

  /// The next bytes that are no hole; if that cannot be determined, all that follow.
  private static func nextData(
    of source: any BlockSource, from byteOffset: UInt64
  ) -> Range<UInt64>? {
    do throws(BlockIOError) {
      return try source.nextData(from: byteOffset)
    } catch {
      return byteOffset..<source.byteCount  // reading it will report the error
    }
  }

  /// The first area that ends after a byte.
  private static func area(reaching byteOffset: UInt64, _ geometry: StoreGeometry) -> AreaIndex {
    let chunk = geometry.chunk(containing: byteOffset).index - StoreGeometry.headerChunkCount
    let stride = geometry.chunkSize.areaStride
    return AreaIndex(chunk / stride + (chunk % stride == 0 ? 0 : 1))
  }

  private mutating func survey(
    _ area: AreaIndex, _ start: UInt64, isExpected: Bool
  ) throws(BlockIOError) {
    let isContinued = segments.last?.isContinued(in: area) ?? false
    var reader = AreaPieces(area, geometry)
    var context = SlotJudge.Context(
      shift: isContinued ? segments.last?.confirmedShift : nil,
      isExpected: isContinued || isExpected)
    let end = start + geometry.presentByteCount(of: geometry.chunk(of: area) ?? Chunk(0))
    var position = start
    while position < end {
      let byteCount = Int(min(end - position, UInt64(buffer.byteCount)))
      let lost = try areas.readAround(at: position, into: buffer, 0..<byteCount)
      for range in lost { unreadable.append(mergingInto: range) }
      buffer.withRecords(of: DiskException.self, count: byteCount / DiskException.byteCount) {
        reader.take(
          $0, at: (position - start) / UInt64(DiskException.byteCount),
          unreadable: lost.map { SlotJudge.slots(of: $0, from: position) }, &judge, &context)
      }
      position += UInt64(byteCount)
    }
    file(reader, isContinued: isContinued)
  }

  /// Adds the content of an area where it belongs.
  private mutating func file(_ reader: AreaPieces, isContinued: Bool) {
    let area = reader.area
    let segment = reader.closed
    if segment.exceptionCount == 0 {
      if reader.isZero { return }
      addLost(area.index..<area.index + 1, reader.isUnreadable ? .unreadable : .foreign)
      return
    }
    if isContinued, segments[segments.count - 1].isContradicted(by: segment) {
      segments[segments.count - 1].dropUnconfirmed(exceptionsPerArea)
    }
    dropDisplaced(before: segment)
    if segments.last?.isContinued(in: area) ?? false, let last = segments.last,
      segment.isPlaced(after: last), !isRepeated(segment)
    {
      segments[segments.count - 1].append(segment)
    } else {
      olds = ChunkSet()
      segments.append(segment)
    }
    olds.insert(oldChunksOf: segment.runs)
  }

  /// Removes areas before one that contradicts them.
  private mutating func dropDisplaced(before next: AreaSegment) {
    guard let last = segments.last, !next.isPlaced(after: last) else { return }
    // After a lost area another table may follow: then only whole sectors of another area are
    // dropped.
    let goesOn =
      last.areas.upperBound + 1 == next.areas.lowerBound
      && olds.count(ofOldChunksOf: next.runs) <= 1
    guard
      let areas = segments[segments.count - 1].dropDisplaced(
        before: next, geometry, goesOn: goesOn)
    else { return }
    addLost(areas, .foreign)
    if segments[segments.count - 1].exceptionCount == 0 { segments.removeLast() }
    olds = ChunkSet()
    olds.insert(oldChunksOf: segments.last?.runs ?? [])
  }

  /// Notes areas that hold nothing of any table.
  private mutating func addLost(_ areas: Range<UInt64>, _ content: Content) {
    if areas.isEmpty { return }
    let index =
      lostAreas.lastIndex { $0.areas.upperBound <= areas.lowerBound }.map { $0 + 1 } ?? 0
    if index > 0, lostAreas[index - 1].areas.upperBound == areas.lowerBound,
      lostAreas[index - 1].content == content
    {
      lostAreas[index - 1].areas = lostAreas[index - 1].areas.lowerBound..<areas.upperBound
    } else {
      lostAreas.insert((areas, content), at: index)
    }
  }

  /// Whether an area is for chunks that the table before it already has: then it is an older one
  /// that was not cleared in time, as Linux up to 2.6.28 could leave it.
  private func isRepeated(_ segment: AreaSegment) -> Bool {
    let count = olds.count(ofOldChunksOf: segment.runs)
    return count >= 4 && count * 8 >= segment.exceptionCount
  }
}

/// Assembles the pieces of one area.
private struct AreaPieces {
  let area: AreaIndex
  var segment: AreaSegment
  private(set) var isZero = true
  private(set) var isUnreadable = false
  private let firstPosition: UInt64
  private let slotCount: UInt64
  /// The number of slots that could be read: fewer in an area that the store's end cuts.
  private var presentCount: UInt64 = 0
  /// One above the last slot that is kept, and above the last that is not zero.
  private var keptEnd: UInt64 = 0
  private var usedEnd: UInt64 = 0

  init(_ area: AreaIndex, _ geometry: StoreGeometry) {
    self.area = area
    segment = AreaSegment(startingAt: area)
    slotCount = geometry.chunkSize.exceptionsPerArea
    firstPosition = area.index * slotCount
  }

  mutating func take(
    _ exceptions: Span<DiskException>, at firstSlot: UInt64, unreadable: [Range<Int>],
    _ judge: inout SlotJudge, _ context: inout SlotJudge.Context
  ) {
    judge.judge(
      exceptions, at: firstPosition + firstSlot, unreadable: unreadable, after: context)
    for slot in exceptions.indices {
      let kind = judge.kinds[slot]
      if kind == .zero { continue }
      isZero = false
      usedEnd = firstSlot + UInt64(slot) + 1
      switch kind {
      case .zero: break
      case .unreadable: isUnreadable = true
      case .kept:
        keptEnd = usedEnd
        segment.append(
          exceptions[slot], at: firstPosition + keptEnd - 1, shift: judge.shift(at: slot))
        context.shift = judge.shift(at: slot)
      case .impossible, .outOfPlace:
        segment.passOver(1)
        let isBefore = slot == 0 || judge.kinds[slot - 1] == .kept
        let isBehind =
          slot + 1 == exceptions.count || judge.kinds[slot + 1] == .kept
          || judge.kinds[slot + 1] == .zero
        if isBefore, isBehind {
          segment.drop(
            AreaSegment.Dropped(
              area: area, slot: Int(firstSlot) + slot, exception: exceptions[slot]))
        }
      }
    }
    presentCount = firstSlot + UInt64(exceptions.count)
    context.isExpected = keptEnd == presentCount
  }

  /// The area alone, as a segment.
  var closed: AreaSegment {
    var segment = segment
    let tail: AreaSegment.Tail =
      keptEnd == slotCount ? .full : usedEnd < presentCount ? .ended : .unknown
    segment.close(
      area, tail: tail, usedEnd: firstPosition + usedEnd,
      lostSlotCount: usedEnd - segment.exceptionCount,
      isUnreadable: isUnreadable)
    return segment
  }
}

extension AreaSurvey {
  /// The number of exceptions kept, of all areas.
  var exceptionCount: UInt64 { segments.reduce(0) { $0 + $1.exceptionCount } }

  /// Whether the areas leave room for a shift; a table that begins in area 0, ends in its last area
  /// and has all between them does not.
  var mayBeShifted: Bool {
    guard let segment = segments.first, segment.areas.lowerBound == 0 else { return true }
    return segment.tail != .ended || !segment.damages.isEmpty || segment.lastShift != 0
      || segment.usedEnd % UInt64(AreaLaw.slotsPerSector) == 0
  }
}
