internal import BlockIO
internal import SnapshotFormat

/// Makes a generation of a table's segments.
struct GenerationBuilder {
  private let geometry: StoreGeometry
  private let table: TableSplit.Table
  private let shifts: ShiftEvidence?
  /// The parts of the store that a copy with gaps lacks.
  private let unknown: [Range<UInt64>]
  /// Data chunks below this number hold a newer generation's data.
  private let overwrittenEnd: UInt64
  private let originChunkCount: UInt64
  private let validity: Store.Validity
  /// The number of exceptions for chunks past the origin's end.
  private var beyondOriginCount: UInt64 = 0
  /// The number of exceptions for chunks that other exceptions are for.
  private var duplicateCount: UInt64 = 0
  private var olds = ChunkSet()
  private var news = ChunkSet()
  private var runs: [ExceptionRun] = []
  private var exceptionCount: UInt64 = 0
  /// Exceptions whose chunks are past the store's end: they show where others were.
  private var beyondRuns: [ExceptionRun] = []
  private var lost: [LostChunks] = []
  private var tallies: [FindingCode: Tally] = [:]

  /// - Parameters:
  ///   - overwrittenEnd: One above the highest chunk that newer generations used.
  ///   - originChunkCount: The number of the origin's chunks, if known.
  ///   - validity: Whether Linux invalidated the snapshot.
  init(
    _ table: TableSplit.Table, _ geometry: StoreGeometry, _ shifts: ShiftEvidence?,
    overwrittenEnd: UInt64, originChunkCount: UInt64?, validity: Store.Validity
  ) {
    self.validity = validity
    self.shifts = shifts
    unknown = shifts?.gaps.unknownRanges ?? []
    self.originChunkCount = originChunkCount ?? .max
    self.geometry = geometry
    self.table = table
    self.overwrittenEnd = overwrittenEnd
  }

  /// The generation, with that number.
  mutating func build(
    index: Int, isCurrent: Bool, _ survey: AreaSurvey
  ) throws(BlockIOError) -> Generation {
    takeExceptions()
    for dropped in table.segment.dropped { take(dropped) }
    // The areas before its first are lost; an older table's, to the newer ones.
    let leadingCount = table.segment.areas.lowerBound
    var lostCount =
      leadingCount * survey.exceptionsPerArea + beyondOriginCount + duplicateCount
    for step in table.segment.steps.indices
    where index == 0 && table.segment.isOrdered && table.segment.mayHideLoss(step: step, geometry) {
      lostCount += table.segment.rise(ofStep: step)
    }
    if index == 0 { noteLostAreas(0..<leadingCount) }
    for areas in table.lostAreas {
      lostCount += UInt64(areas.count) * survey.exceptionsPerArea
      noteLostAreas(areas)
    }
    var droppedCounts: [UInt64: UInt64] = [:]
    for dropped in table.segment.dropped { droppedCounts[dropped.area.index, default: 0] += 1 }
    for damage in table.segment.damages {
      lostCount += damage.lostSlotCount
      // Single dropped exceptions have their own findings.
      if damage.lostSlotCount == droppedCounts[damage.area.index], !damage.isUnreadable { continue }
      note(
        .areaDamaged, damage.area,
        "\(damage.lostSlotCount) slots without an exception"
          + (damage.isUnreadable ? ", sectors that cannot be read" : ""), "exceptions")
    }
    for area in table.doubtfulAreas {
      note(
        .generationAmbiguous, AreaIndex(area), "no exceptions, but exceptions after it",
        "evidence whether both belong to one table")
    }
    let (isEndLost, areaEnd) = findEnd(survey, &lostCount)
    var orphans = Orphans(
      beyondRuns.isEmpty ? runs : runs + beyondRuns, geometry, from: overwrittenEnd,
      isLost: lostCount > 0)
    let shift = UInt64(max(table.segment.lastShift, 0))
    let tail = orphanedTail(isEndLost, areaEnd, survey, shift)
    try orphans.addTail(tail, usedEnd: table.segment.usedEnd + shift, .endLost, survey)
    lost += orphans.lost
    lost = lost.settled(besides: runs)
    // If nothing is lost they have leaked, which the audit reports; or they are in flight.
    if lostCount > 0 || isEndLost { noteOrphans(orphans.chunks) }
    let inFlightCount = index == 0 ? try addInFlight(to: &orphans, survey) : 0
    var isEndInDoubt = false
    if index == 0, isCurrent { isEndInDoubt = try isEndDoubtful(survey, shift) }
    if isEndInDoubt {
      noteDoubtfulEnd(shift)
      // The chunks that the rest of the area would have mapped, if it was zeroed.
      let used = table.segment.usedEnd
      let end = (used / survey.exceptionsPerArea + 1) * survey.exceptionsPerArea + shift
      let start = max(used + shift, tail.upperBound)
      if start < end {
        try orphans.addTail(start..<end, usedEnd: start, .endInDoubt, survey)
      }
    }
    // Linux may have reused chunks that an older table named, and have overflowed.
    let isOverwritten = !isCurrent && validity == .invalid
    if isOverwritten { noteOverwritten() }
    let unconfirmed = shifts?.unconfirmed(runs, geometry)
    var generation = Generation(
      index: index, isCurrent: isCurrent, areas: table.segment.areas.lowerBound..<areaEnd,
      runs: runs, exceptionCount: exceptionCount,
      doubtfulCount: isOverwritten
        ? exceptionCount
        : min(max(table.doubtfulCount, unconfirmed?.count ?? 0), exceptionCount),
      lostExceptionCount: lostCount,
      isEndLost: isEndLost, lost: lost, orphans: orphans.chunks, orphanCount: orphans.count,
      inFlightCount: inFlightCount, isInDoubt: isEndInDoubt || !table.doubtfulAreas.isEmpty,
      findings: [shifts?.gaps.finding, unconfirmed].compactMap(\.self) + findings,
      firstDoubtfulChunk: isOverwritten
        ? 0 : table.doubtfulAreas.first.flatMap { geometry.chunk(of: AreaIndex($0))?.index })
    generation.emptyTail = inFlightCount == 0 ? orphans.emptyTail : []
    return generation
  }

  /// The newest generation, if its first areas hold something else, and nothing is left of it: the
  /// chunks of its slots may hold its data.
  mutating func buildLost(_ survey: AreaSurvey) throws(BlockIOError) -> Generation {
    let areas = 0..<max(1, survey.leadingLostCount)
    let lostCount = UInt64(areas.count) * survey.exceptionsPerArea
    noteLostAreas(areas)
    var orphans = Orphans([], geometry, from: overwrittenEnd, isLost: true)
    // No more are looked at. Later ones may have been the table's as well, and whether an invalid
    // store's last ones ever had exceptions is unknown.
    let count = min(lostCount, PlacementPlan.orphanCountMax)
    let following = try survey.used.first(after: lostCount, shift: 0)
    let areAll = count == lostCount && validity != .invalid && following == nil
    try orphans.addTail(0..<count, usedEnd: 0, areAll ? .endLost : .endInDoubt, survey)
    noteOrphans(orphans.chunks)
    let inFlightCount = try addInFlight(to: &orphans, survey)
    var generation = Generation(
      index: 0, isCurrent: true, areas: areas, runs: [], exceptionCount: 0, doubtfulCount: 0,
      lostExceptionCount: lostCount, isEndLost: true, lost: [], orphans: orphans.chunks,
      orphanCount: orphans.count, inFlightCount: inFlightCount, isInDoubt: false,
      findings: findings)
    generation.emptyTail = inFlightCount == 0 ? orphans.emptyTail : []
    return generation
  }

  private var findings: [Finding] { FindingCode.allCases.compactMap { tallies[$0]?.finding } }

  /// Adds the chunks that Linux was copying when it invalidated the snapshot; returns their number.
  private mutating func addInFlight(
    to orphans: inout Orphans, _ survey: AreaSurvey
  ) throws(BlockIOError) -> UInt64 {
    guard validity == .invalid else { return 0 }
    let inFlight = try orphans.addInFlight(in: survey.source)
    noteInFlight(inFlight.ranges, inFlight.count)
    return inFlight.count
  }

  /// Whether the table may have continued past its apparent end.
  ///
  /// After the table's last exception Linux has copied nothing, or only for a write that it never
  /// acknowledged. Data there is that, or an older store's; but if the exceptions end where they
  /// would if sectors after them were lost, or if it is unknown whether the snapshot overflowed, it
  /// may also be the snapshot's.
  private func isEndDoubtful(_ survey: AreaSurvey, _ shift: UInt64) throws(BlockIOError) -> Bool {
    let segment = table.segment
    guard segment.tail != .unknown, validity != .invalid,
      validity == .unknown || segment.usedEnd % survey.damageSlotCount == 0
    else { return false }
    return try survey.used.first(after: segment.usedEnd, shift: shift) != nil
  }

  // MARK: - Exceptions

  /// Takes the usable exceptions of the table; a sound table's storage without a copy.
  private mutating func takeExceptions() {
    let all = table.segment.runs
    var isWhole = true
    for (index, run) in all.enumerated() {
      for within in 0..<run.count {
        let (old, new) = (run.old + within, run.new + within)
        if isUsable(old, new) {
          exceptionCount += 1
          if isWhole || (runs.last != nil && runs[runs.count - 1].extend(old: old, new: new)) {
            continue
          }
          runs.append(ExceptionRun(old: old, new: new, count: 1))
        } else if isWhole {
          isWhole = false
          runs = Array(all[..<index])
          if within > 0 { runs.append(ExceptionRun(old: run.old, new: run.new, count: within)) }
        }
      }
    }
    if isWhole { runs = all }
  }

  /// Whether an exception can be used; if not, notes why.
  private mutating func isUsable(_ old: UInt64, _ new: UInt64) -> Bool {
    let (geometry, originChunkCount) = (geometry, originChunkCount)
    if new < overwrittenEnd {
      lose(old, .overwritten)
      note(.generationOverwritten, old, new, "its chunk \(new) is a newer table's", "its own data")
    } else if old >= originChunkCount {
      beyondOriginCount += 1
      note(
        .oldBeyondOrigin, old, new, "old chunk \(old)",
        "below \(originChunkCount), the chunks of the origin")
    } else if olds.contains(old) {
      // One of the two is damaged, and which chunk it was for is unknown.
      duplicateCount += 1
      note(.oldDuplicate, old, new, "old chunk \(old) a second time", "once; the first is kept")
    } else if geometry.presentByteCount(of: Chunk(new)) == 0 {
      lose(old, .beyondStore)
      beyondRuns.append(ExceptionRun(old: old, new: new, count: 1))
      note(
        .newBeyondEnd, old, new, "new chunk \(new)",
        "below \(geometry.chunkCount), the chunks of the store")
    } else if isUnknown(new) {
      lose(old, .lostInCopy)
      beyondRuns.append(ExceptionRun(old: old, new: new, count: 1))
    } else if !news.insert(new) {
      lose(old, .exceptionDamaged)
      note(.newDuplicate, old, new, "new chunk \(new) a second time", "once; the first is kept")
    } else {
      _ = olds.insert(old)
      return true
    }
    return false
  }

  /// Whether a copy with gaps lacks a chunk.
  private func isUnknown(_ new: UInt64) -> Bool {
    guard !unknown.isEmpty, let start = geometry.byteOffset(of: Chunk(new)) else { return false }
    let next = unknown.indexOfFirst(endingAfter: start)
    return next < unknown.count && unknown[next].lowerBound < start + geometry.chunkSize.byteCount
  }

  /// Takes a rejected exception for a lost chunk, if its old chunk is like the others'.
  private mutating func take(_ dropped: AreaSegment.Dropped) {
    let (old, new) = (dropped.exception.oldChunk, dropped.exception.newChunk)
    if let bounds = table.segment.oldBounds, bounds.contains(old) { lose(old, .exceptionDamaged) }
    let start = geometry.byteOffset(of: dropped.area, slot: dropped.slot) ?? 0
    let place = Finding.Place(
      area: dropped.area.index, slot: dropped.slot,
      bytes: start..<start + UInt64(DiskException.byteCount), oldChunk: old, newChunk: new)
    add(.unsupported, place, "\(old) → \(new)", "the data chunk that Linux hands out there")
  }

  private mutating func lose(_ old: UInt64, _ reason: LostRange.Reason) {
    if let last = lost.last, last.reason == reason, last.old.upperBound == old {
      lost[lost.count - 1].old = last.old.lowerBound..<old + 1
    } else {
      lost.append(LostChunks(old: old..<old + 1, reason: reason))
    }
  }

  // MARK: - Areas

  /// Whether the end of the table is lost, and one above its last area.
  private mutating func findEnd(
    _ survey: AreaSurvey, _ lostCount: inout UInt64
  ) -> (isLost: Bool, areaEnd: UInt64) {
    let next = table.segment.areas.upperBound + 1
    switch table.segment.tail {
    case .ended: return (false, next)
    case .unknown: return (next >= survey.areaCount, next)
    case .full:
      if next >= survey.areaCount { return (true, next) }
      guard survey.lostAreas.contains(where: { $0.areas.contains(next) }) else {
        return (false, next + 1)  // the area that Linux cleared before it filled the last
      }
      lostCount += survey.exceptionsPerArea
      noteLostAreas(next..<next + 1)
      return (true, next + 1)
    }
  }

  /// The data chunks, by their order, of slots after the last exception that damage took.
  private func orphanedTail(
    _ isEndLost: Bool, _ areaEnd: UInt64, _ survey: AreaSurvey, _ shift: UInt64
  ) -> Range<UInt64> {
    let segment = table.segment
    guard segment.isOrdered else { return 0..<0 }
    let isAreaLost = isEndLost && areaEnd > segment.areas.upperBound + 1
    let end = isAreaLost ? areaEnd * survey.exceptionsPerArea : segment.usedEnd
    let first = segment.lastPosition + 1
    return first < end ? first + shift..<end + shift : 0..<0
  }

  private mutating func noteLostAreas(_ areas: Range<UInt64>) {
    let slotCount = geometry.chunkSize.exceptionsPerArea
    // Not each of a sparse file's areas needs a range.
    let singles = areas.prefix(Tally.rangeCountMax)
    for area in singles {
      note(
        .areaLost, AreaIndex(area), "no exception in area \(area)", "\(slotCount) exceptions",
        count: area == singles.last ? UInt64(areas.count - singles.count + 1) : 1)
    }
  }

  private mutating func noteOrphans(_ orphans: [Orphan]) {
    for chunks in orphans {
      let start = geometry.byteOffset(of: Chunk(chunks.new)) ?? 0
      let bytes = start..<start + chunks.count * geometry.chunkSize.byteCount
      add(
        .orphans, Finding.Place(bytes: bytes, oldChunk: chunks.old, newChunk: chunks.new),
        "\(chunks.count) chunks from \(chunks.new) on", "an exception for each",
        count: chunks.count)
    }
  }

  private mutating func noteInFlight(_ chunks: [Range<UInt64>], _ count: UInt64) {
    let size = geometry.chunkSize.byteCount
    for range in chunks {
      let bytes = range.lowerBound * size..<range.upperBound * size
      add(
        .inFlight, Finding.Place(bytes: bytes, newChunk: range.lowerBound),
        "up to \(count) data chunks that Linux had copied, or was copying",
        "an exception for each", count: range.upperBound - range.lowerBound)
    }
    tallies[.inFlight]?.setCount(count)
  }

  private mutating func noteDoubtfulEnd(_ shift: UInt64) {
    let area = AreaIndex(table.segment.usedEnd / geometry.chunkSize.exceptionsPerArea)
    let next = geometry.dataChunk(inOrder: table.segment.usedEnd + shift)?.index ?? 0
    note(
      .generationEndInDoubt, area,
      "no exception for chunk \(next), but data there or shortly after",
      "evidence that the table ends there")
  }

  private mutating func noteOverwritten() {
    let bytes = runs.first.flatMap { geometry.byteOffset(of: Chunk($0.new)) }.map {
      $0..<$0 + geometry.chunkSize.byteCount
    }
    let count = exceptionCount
    add(
      .generationMaybeOverwritten, Finding.Place(bytes: bytes),
      "\(count) exceptions of a table that is not in use, in an invalid store",
      "evidence that their chunks were not handed out again", count: count)
  }

  // MARK: - Findings

  private mutating func note(
    _ code: FindingCode, _ old: UInt64, _ new: UInt64, _ found: @autoclosure () -> String,
    _ required: @autoclosure () -> String
  ) {
    let bytes = geometry.byteOffset(of: Chunk(new)).map {
      $0..<$0 + geometry.chunkSize.byteCount
    }
    add(code, Finding.Place(bytes: bytes, oldChunk: old, newChunk: new), found(), required())
  }

  private mutating func note(
    _ code: FindingCode, _ area: AreaIndex, _ found: @autoclosure () -> String,
    _ required: @autoclosure () -> String, count: UInt64 = 1
  ) {
    let bytes = geometry.byteOffset(of: area).map { $0..<$0 + geometry.chunkSize.byteCount }
    add(code, Finding.Place(area: area.index, bytes: bytes), found(), required(), count: count)
  }

  private mutating func add(
    _ code: FindingCode, _ place: Finding.Place, _ found: @autoclosure () -> String,
    _ required: @autoclosure () -> String, count: UInt64 = 1
  ) {
    if tallies[code] == nil {
      var finding = Finding(code: code, place: place, found: found(), required: required())
      finding.count = count
      tallies[code] = Tally(finding)
    } else if let bytes = place.bytes {
      tallies[code]?.add(bytes, count: count)
    }
  }
}
