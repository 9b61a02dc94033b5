internal import SnapshotFormat

/// Checks every exception of a table as a walk passes it.
///
/// An exception is *possible* if its new chunk is a data chunk that is wholly within the store and
/// in no earlier exception, and its old chunk is in the origin and in no earlier exception. Linux
/// checks none of that. Possible exceptions cost a few comparisons and two bits each; only the
/// others are examined closely.
struct TableCensus: Sendable {
  private let geometry: StoreGeometry
  private let originChunkCount: UInt64
  /// The largest chunk number if the origin is not known.
  private let lastOriginChunk: UInt64
  private var tallies: [FindingCode: Tally] = [:]
  private var oldChunks = ChunkSet()
  private var newChunks = ChunkSet()
  /// The data chunks, whole and in the store, around the last good new chunk.
  private var span: Range<UInt64> = 0..<0
  private var newBefore: UInt64 = 0

  /// The number of possible exceptions.
  private(set) var usableCount: UInt64 = 0
  /// The highest old chunk of the possible exceptions.
  private(set) var lastOld: UInt64 = 0
  /// One above the highest new chunk that a complete store of this table would have: past the end
  /// of a truncated store, but not past the chunks that its exceptions account for.
  private(set) var neededChunkCount: UInt64 = 0
  /// The highest old chunk past the origin that a larger origin may well have had.
  private(set) var neededOriginChunkCount: UInt64 = 0
  private let plausibleNewEnd: UInt64

  /// A census of a table in a store of that geometry.
  ///
  /// - Parameter originChunkCount: How many chunks the origin has; nil if unknown.
  init(_ geometry: StoreGeometry, originChunkCount: UInt64?) {
    self.geometry = geometry
    self.originChunkCount = originChunkCount ?? .max
    lastOriginChunk = originChunkCount.map { $0 &- 1 } ?? .max
    let (end, overflow) = geometry.wholeChunkCount.multipliedReportingOverflow(by: 64)
    plausibleNewEnd = overflow ? .max : max(end, 1 << 20)
  }

  /// Counts and checks the exceptions of a piece of an area.
  mutating func visit(_ piece: StoreScanner.Piece, _ exceptions: Span<DiskException>) {
    var nonsenseCount = 0
    for start in stride(from: 0, to: piece.liveCount, by: 64) {
      let slots = start..<min(start + 64, piece.liveCount)
      nonsenseCount += visit(slots, of: piece, exceptions)
    }
    checkArea(piece, exceptions, nonsenseCount: nonsenseCount)
    if piece.liveCount < exceptions.count { checkRest(piece, exceptions) }
  }

  /// Counts and checks at most 64 exceptions: at once if Linux made them one after the other, and
  /// nothing is wrong with any.
  ///
  /// - Returns: How many are nonsense.
  private mutating func visit(
    _ slots: Range<Int>, of piece: StoreScanner.Piece, _ exceptions: Span<DiskException>
  ) -> Int {
    let first = exceptions[slots.lowerBound].newChunk
    var (gaps, highestOld) = (UInt64(0), UInt64(0))
    for slot in slots {
      let exception = exceptions[slot]
      gaps |= exception.newChunk ^ (first &+ UInt64(slot - slots.lowerBound))
      highestOld = max(highestOld, exception.oldChunk)
    }
    let newOlds = oldChunks.insert(oldChunksOf: exceptions, slots)
    // Consecutive new chunks are in one span, or there is something between them.
    guard gaps == 0, span.contains(first) || findSpan(of: first),
      span.upperBound - first >= UInt64(slots.count)
    else { return visitEach(slots, of: piece, exceptions, newOlds: newOlds, newNews: nil) }
    let newNews = newChunks.insert(slots.count, from: first)
    guard first >= newBefore, highestOld <= lastOriginChunk, originChunkCount > 0,
      (newOlds & newNews).nonzeroBitCount == slots.count
    else { return visitEach(slots, of: piece, exceptions, newOlds: newOlds, newNews: newNews) }
    newBefore = first + UInt64(slots.count - 1)
    usableCount += UInt64(slots.count)
    lastOld = max(lastOld, highestOld)
    return 0
  }

  /// Counts and checks exceptions one by one; their old chunks are already in the set.
  ///
  /// - Parameters:
  ///   - newOlds: A bit for each whose old chunk is in no earlier one.
  ///   - newNews: The same for new chunks, if all of them are in the set and have a place.
  private mutating func visitEach(
    _ slots: Range<Int>, of piece: StoreScanner.Piece, _ exceptions: Span<DiskException>,
    newOlds: UInt64, newNews: UInt64?
  ) -> Int {
    var nonsenseCount = 0
    for slot in slots {
      let (old, new) = (exceptions[slot].oldChunk, exceptions[slot].newChunk)
      let bit: UInt64 = 1 << (slot - slots.lowerBound)
      let isPlaced = newNews != nil || span.contains(new) || findSpan(of: new)
      let isOrdered = new >= newBefore
      newBefore = new
      let isNewOld = newOlds & bit != 0
      let isNewNew = newNews.map { $0 & bit != 0 } ?? (isPlaced && newChunks.insert(new))
      if isNewOld, isNewNew, old <= lastOriginChunk, originChunkCount > 0 {
        usableCount += 1
        lastOld = max(lastOld, old)
        if isOrdered { continue }
      }
      // A truncated store or origin leaves exceptions without a place, but not nonsense.
      let isCut = new >= geometry.wholeChunkCount && new < plausibleNewEnd
      if !isNewOld || (isPlaced && !isNewNew) || (!isPlaced && !isCut) { nonsenseCount += 1 }
      var place = place(piece, slot)
      (place.oldChunk, place.newChunk) = (old, new)
      note(
        exceptions[slot], at: place, isPlaced: isPlaced, isOrdered: isOrdered,
        isNewOld: isNewOld, isNewNew: isNewNew)
    }
    return nonsenseCount
  }

  /// The findings, in the order of the codes.
  func findings() -> [Finding] {
    FindingCode.allCases.compactMap { tallies[$0]?.finding }
  }

  /// The data chunks below `nextFree` that no exception names, and their number.
  func leakedChunks(below nextFree: Chunk) -> (count: UInt64, ranges: [Range<UInt64>]) {
    let end = min(nextFree.index, geometry.wholeChunkCount)
    guard end > StoreGeometry.firstDataChunk else { return (0, []) }
    let areaCount = (end - 2) / geometry.chunkSize.areaStride + 1
    let dataCount = end - StoreGeometry.headerChunkCount - areaCount
    guard dataCount > newChunks.count else { return (0, []) }
    var ranges: [Range<UInt64>] = []
    var start = StoreGeometry.firstDataChunk
    while start < end, ranges.count < Tally.rangeCountMax {
      let spanEnd = min(
        end,
        (start / geometry.chunkSize.areaStride + 1)
          * geometry.chunkSize.areaStride + 1)
      ranges += newChunks.gaps(
        in: start..<spanEnd, limit: Tally.rangeCountMax - ranges.count)
      start = spanEnd + 1
    }
    return (dataCount - newChunks.count, ranges)
  }

  // MARK: - What is wrong with an exception

  /// Moves the span of data chunks to the one that holds `new`, if there is one.
  @inline(never)
  private mutating func findSpan(of new: UInt64) -> Bool {
    guard new < geometry.wholeChunkCount, geometry.isData(Chunk(new)) else { return false }
    let stride = geometry.chunkSize.areaStride
    let areaChunk = (new - 1) / stride * stride + 1
    span = areaChunk + 1..<min(areaChunk + stride, geometry.wholeChunkCount)
    return true
  }

  @inline(never)
  private mutating func note(
    _ exception: DiskException, at place: Finding.Place, isPlaced: Bool, isOrdered: Bool,
    isNewOld: Bool, isNewNew: Bool
  ) {
    let (new, wholeChunkCount) = (exception.newChunkNumber, geometry.wholeChunkCount)
    let (stride, originChunkCount) = (geometry.chunkSize.areaStride, originChunkCount)
    if exception.topByte != 0 {
      add(.topByte, place, "top byte \(exception.topByte)", "top byte 0")
    }
    if new < StoreGeometry.headerChunkCount {
      add(.newInHeader, place, "new chunk \(new)", "a data chunk")
    } else if new >= wholeChunkCount {
      add(
        .newBeyondEnd, place, "new chunk \(new)",
        "below \(wholeChunkCount), the whole chunks of the store")
      if new < plausibleNewEnd { neededChunkCount = max(neededChunkCount, new + 1) }
    } else if geometry.isMetadata(Chunk(new)) {
      add(
        .newInMetadata, place, "new chunk \(new)",
        "a data chunk; this is area \(new / stride)")
    } else if isPlaced, !isNewNew {
      add(.newDuplicate, place, "new chunk \(new) a second time", "each new chunk once")
    }
    if exception.oldChunk > lastOriginChunk || originChunkCount == 0 {
      add(
        .oldBeyondOrigin, place, "old chunk \(exception.oldChunk)",
        "below \(originChunkCount), the chunks of the origin")
      if exception.oldChunk / 64 < max(originChunkCount, 1 << 14) {
        neededOriginChunkCount = max(neededOriginChunkCount, exception.oldChunk + 1)
      }
    }
    if !isNewOld {
      add(.oldDuplicate, place, "old chunk \(exception.oldChunk) a second time", "once")
    }
    if !isOrdered, isPlaced {
      add(.outOfOrder, place, "new chunk \(new) after a higher one", "ascending new chunks")
    }
  }

  private mutating func checkArea(
    _ piece: StoreScanner.Piece, _ exceptions: Span<DiskException>, nonsenseCount: Int
  ) {
    guard piece.liveCount > 0, piece.firstSlot == 0 else { return }
    let magic = UInt64(SnapshotHeader.expectedMagic)
    let start = place(piece, 0).bytes?.lowerBound ?? 0
    let bytes = start..<start + UInt64(exceptions.count * DiskException.byteCount)
    let whole = Finding.Place(area: piece.area.index, bytes: bytes)
    if exceptions[0].oldChunk & 0xffff_ffff == magic {
      add(.areaHeaderImage, whole, "\"SnAp\" at the area's first byte", "an exception")
    }
    if nonsenseCount * 2 > piece.liveCount {
      add(
        .areaImplausible, whole,
        "\(nonsenseCount) of \(piece.liveCount) exceptions impossible",
        "exceptions that fit the store")
    }
  }

  /// After the end of the table, its last area must be zero.
  private mutating func checkRest(_ piece: StoreScanner.Piece, _ exceptions: Span<DiskException>) {
    for slot in piece.liveCount..<exceptions.count {
      let (old, new) = (exceptions[slot].oldChunk, exceptions[slot].newChunk)
      if old | new == 0 { continue }
      var place = place(piece, slot)
      (place.oldChunk, place.newChunk) = (old, new)
      add(.areaHole, place, "\(old) → \(new) after the end of the table", "zeroes")
    }
  }

  private func place(_ piece: StoreScanner.Piece, _ index: Int) -> Finding.Place {
    let slot = piece.firstSlot + index
    let start = geometry.byteOffset(of: piece.area, slot: slot) ?? 0
    return Finding.Place(
      area: piece.area.index, slot: slot,
      bytes: start..<start + UInt64(DiskException.byteCount))
  }

  private mutating func add(
    _ code: FindingCode, _ place: Finding.Place, _ found: @autoclosure () -> String,
    _ required: @autoclosure () -> String
  ) {
    if let bytes = place.bytes, tallies[code] != nil {
      tallies[code]?.add(bytes)
    } else {
      tallies[code] = Tally(
        Finding(code: code, place: place, found: found(), required: required()))
    }
  }
}
