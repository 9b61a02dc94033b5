internal import SnapshotFormat

/// Areas one behind the other, each full but the last: beyond doubt of one table.
struct AreaSegment {
  /// How an area ends, which says whether the table goes on in the next one.
  enum Tail {
    /// Its last slot has an exception: Linux had to go on in the next area.
    case full
    /// Zeroes follow the last exception: the table ended here.
    case ended
    /// Damage hides it.
    case unknown
  }

  /// An area that does not hold all that it should.
  struct Damage {
    let area: AreaIndex
    /// The slots before the last that is in use which do not hold an exception that is kept.
    let lostSlotCount: UInt64
    /// Whether any sector of it could not be read.
    let isUnreadable: Bool
  }

  /// An exception that is not believed, between two that are.
  struct Dropped {
    let area: AreaIndex
    let slot: Int
    let exception: DiskException
  }

  /// Where a shift begins that those before do not have.
  struct Step {
    let shift: Int64
    /// Where in the table its first exception stands.
    let position: UInt64
    /// How many exceptions of the segment stand before that.
    fileprivate(set) var index: UInt64
  }

  /// The first and the last area.
  private(set) var areas: ClosedRange<UInt64>
  /// What is kept, in table order.
  private(set) var runs: [ExceptionRun] = []
  private(set) var exceptionCount: UInt64 = 0
  private(set) var damages: [Damage] = []
  private(set) var dropped: [Dropped] = []
  /// How many slots of other content than exceptions were passed over.
  private(set) var passedOverCount: UInt64 = 0
  private(set) var tail = Tail.unknown
  /// Every shift that it has, as long as they rise.
  private(set) var steps: [Step] = []
  private(set) var firstShift: Int64 = 0
  private(set) var lastShift: Int64 = 0
  /// Where in the table the last exception stands, and one above the last slot that is in use.
  private(set) var lastPosition: UInt64 = 0
  private(set) var usedEnd: UInt64 = 0
  /// The lowest and the highest old chunk; nil before there is one.
  private(set) var oldBounds: ClosedRange<UInt64>?
  /// One above the highest new chunk.
  private(set) var nextFree = StoreGeometry.firstDataChunk

  init(startingAt area: AreaIndex) { areas = area.index...area.index }

  /// The last shift that more than a few exceptions have, and how many behind have a higher one.
  private(set) var confirmedShift: Int64 = 0
  private(set) var unconfirmedCount: UInt64 = 0
  /// How many exceptions at the end have one shift.
  private var sameCount = 0

  /// Whether shifts never fall, as Linux since 3.13 has it.
  private(set) var isOrdered = true

  /// Whether the table must go on in that area.
  func isContinued(in area: AreaIndex) -> Bool {
    tail == .full && areas.upperBound + 1 == area.index
  }

  /// Whether its exceptions stand where those of the table go on that `before` is the beginning of.
  func isPlaced(behind before: AreaSegment) -> Bool {
    let slack = isOrdered && before.isOrdered ? 0 : AreaLaw.leakMax
    return firstShift >= before.lastShift - slack
  }

  /// Takes in a kept exception, the next one of its table, which stands at that position in it.
  mutating func append(_ exception: DiskException, at position: UInt64, shift: Int64) {
    if exceptionCount == 0 || (shift > lastShift && isOrdered) {
      steps.append(Step(shift: shift, position: position, index: exceptionCount))
    }
    lastPosition = position
    let (old, new) = (exception.oldChunk, exception.newChunk)
    sameCount = exceptionCount > 0 && shift == lastShift ? sameCount + 1 : 1
    if exceptionCount == 0 || sameCount >= AreaLaw.strongCount || shift <= confirmedShift {
      (confirmedShift, unconfirmedCount) = (shift, 0)
    } else {
      unconfirmedCount += 1
    }
    if exceptionCount == 0 {
      firstShift = shift
    } else if shift < lastShift {
      isOrdered = false
    }
    lastShift = shift
    exceptionCount += 1
    nextFree = max(nextFree, new + 1)
    oldBounds = bounds(with: old...old)
    if !runs.isEmpty, runs[runs.count - 1].extend(old: old, new: new) { return }
    runs.append(ExceptionRun(old: old, new: new, count: 1))
  }

  /// Takes in a segment that goes on behind this one, perhaps after areas that are lost.
  mutating func append(_ next: AreaSegment) {
    isOrdered = isOrdered && next.isOrdered && next.firstShift >= lastShift
    if isOrdered {
      steps += next.steps.filter { $0.shift > lastShift }.map {
        var step = $0
        step.index += exceptionCount
        return step
      }
    }
    areas = areas.lowerBound...next.areas.upperBound
    lastShift = next.lastShift
    (confirmedShift, unconfirmedCount) = (next.confirmedShift, next.unconfirmedCount)
    sameCount = next.sameCount
    (lastPosition, usedEnd) = (next.lastPosition, next.usedEnd)
    exceptionCount += next.exceptionCount
    passedOverCount += next.passedOverCount
    nextFree = max(nextFree, next.nextFree)
    tail = next.tail
    damages += next.damages
    dropped += next.dropped
    if let others = next.oldBounds { oldBounds = bounds(with: others) }
    for run in next.runs {
      if let last = runs.last, last.old &+ last.count == run.old, last.new &+ last.count == run.new
      {
        runs[runs.count - 1].count += run.count
      } else {
        runs.append(run)
      }
    }
  }

  private func bounds(with others: ClosedRange<UInt64>) -> ClosedRange<UInt64> {
    guard let bounds = oldBounds else { return others }
    return min(bounds.lowerBound, others.lowerBound)...max(bounds.upperBound, others.upperBound)
  }

  /// Whether an area stands where the table goes on if its last few exceptions are not believed.
  func isContradicted(by next: AreaSegment) -> Bool {
    unconfirmedCount > 0 && next.exceptionCount > unconfirmedCount
      && next.firstShift >= confirmedShift && !next.isPlaced(behind: self)
  }

  /// Takes back the last few exceptions, whose shift the area behind contradicts.
  mutating func dropUnconfirmed(_ slotCount: UInt64) {
    for index in 0..<unconfirmedCount {
      guard let run = runs.popLast() else { break }
      let exception = DiskException(oldChunk: run.lastOld, newChunk: run.new + (run.count - 1))
      if run.count > 1 {
        runs.append(ExceptionRun(old: run.old, new: run.new, count: run.count - 1))
      }
      // They are the last of their area, or it would not be known that the table goes on.
      dropped.append(
        Dropped(
          area: AreaIndex(areas.upperBound), slot: Int(slotCount - 1 - index),
          exception: exception))
    }
    exceptionCount -= unconfirmedCount
    passedOverCount += unconfirmedCount
    steps.removeAll { $0.index >= exceptionCount }
    let before = damages.last?.area.index == areas.upperBound ? damages.popLast() : nil
    damages.append(
      Damage(
        area: AreaIndex(areas.upperBound),
        lostSlotCount: (before?.lostSlotCount ?? 0) + unconfirmedCount,
        isUnreadable: before?.isUnreadable ?? false))
    nextFree = runs.reduce(StoreGeometry.firstDataChunk) { max($0, $1.new + $1.count) }
    lastPosition -= unconfirmedCount
    (lastShift, unconfirmedCount) = (confirmedShift, 0)
  }

  /// By how much the shift rises with a step.
  func rise(ofStep index: Int) -> UInt64 {
    let before = index > 0 ? steps[index - 1].shift : 0
    return (steps[index].shift - before).magnitude
  }

  /// Whether a step is what sectors of another area leave where they are written over this one's:
  /// it begins where a sector does, and whole sectors' worth of chunks are left out.
  func isDisplaced(step index: Int, _ geometry: StoreGeometry) -> Bool {
    let unit = AreaLaw.damageSlotCount(geometry)
    let rise = rise(ofStep: index)
    return rise > 0 && rise % unit == 0 && steps[index].position % unit == 0
  }

  /// Whether the chunks that a step leaves out may be those of lost exceptions, and not leaked
  /// ones: of sectors of another area, or of slots at the beginning of this one.
  func mayHideLoss(step index: Int, _ geometry: StoreGeometry) -> Bool {
    isDisplaced(step: index, geometry)
      || rise(ofStep: index) > 0
        && steps[index].position % geometry.chunkSize.exceptionsPerArea == 0
  }

  /// Takes back exceptions at the end that are not this table's, as an area behind them goes on
  /// where those before them end: a copy of another area, or of a part of one, stands there.
  ///
  /// - Parameter goesOn: Whether the area behind may be of the same table: it is the next one, and
  ///   repeats no old chunks.
  /// - Returns: The areas that hold nothing of the table now; nil if there was nothing to take
  ///   back.
  mutating func dropDisplaced(
    before next: AreaSegment, _ geometry: StoreGeometry, goesOn: Bool
  ) -> Range<UInt64>? {
    guard isOrdered, let first = steps.firstIndex(where: { $0.shift > next.firstShift }) else {
      return nil
    }
    let step = steps[first]
    let slotCount = geometry.chunkSize.exceptionsPerArea
    // Of one area, which goes on to its end, or was moved by a slot as a whole.
    let isMoved = step.position % slotCount == 0 && usedEnd % slotCount == slotCount - 1
    let isFew =
      exceptionCount - step.index <= slotCount && goesOn && (tail != .ended || isMoved)
    guard isDisplaced(step: first, geometry) || isFew else { return nil }
    let area = step.position / slotCount
    let isWhole = step.position % slotCount == 0 || step.index == 0
    let end = areas.upperBound + 1
    let wasEnded = area + 1 == end && tail == .ended
    let before = damages.first { $0.area.index == area }
    truncate(to: first)
    damages.removeAll { $0.area.index >= area }
    dropped.removeAll { $0.area.index >= area }
    if isWhole {
      areas = areas.lowerBound...max(area, areas.lowerBound + 1) - 1
      (tail, usedEnd, lastPosition) = (.full, area * slotCount, area * slotCount &- 1)
      return area..<end
    }
    areas = areas.lowerBound...area
    // What else the area holds of the table is not known.
    if wasEnded { tail = .unknown } else { (tail, usedEnd) = (.full, (area + 1) * slotCount) }
    lastPosition = step.position - 1
    damages.append(
      Damage(
        area: AreaIndex(area),
        lostSlotCount: (before?.lostSlotCount ?? 0) + usedEnd - step.position,
        isUnreadable: before?.isUnreadable ?? false))
    return area + 1..<end
  }

  /// Keeps only what stands before a step.
  private mutating func truncate(to first: Int) {
    while exceptionCount > steps[first].index, let run = runs.popLast() {
      let count = min(run.count, exceptionCount - steps[first].index)
      exceptionCount -= count
      if run.count > count {
        runs.append(ExceptionRun(old: run.old, new: run.new, count: run.count - count))
      }
    }
    steps.removeSubrange(first...)
    lastShift = steps.last?.shift ?? 0
    (confirmedShift, unconfirmedCount, sameCount) = (lastShift, 0, 0)
    oldBounds = nil
    nextFree = StoreGeometry.firstDataChunk
    for run in runs {
      oldBounds = bounds(with: run.old...run.lastOld)
      nextFree = max(nextFree, run.new + run.count)
    }
  }

  /// Counts the zeroes that seemed to end it as lost, as the table goes on behind them.
  mutating func reopen(_ slotCount: UInt64) {
    guard tail == .ended else { return }
    let end = (areas.upperBound + 1) * slotCount
    damages.append(
      Damage(
        area: AreaIndex(areas.upperBound), lostSlotCount: end - usedEnd, isUnreadable: false))
    (tail, usedEnd) = (.full, end)
  }

  /// Notes an exception that is not believed although those around it are.
  mutating func drop(_ dropped: Dropped) { self.dropped.append(dropped) }

  /// Notes slots of an area that hold something else than exceptions.
  mutating func passOver(_ count: UInt64) { passedOverCount += count }

  /// Ends an area, whose slots are in use up to the position `usedEnd` of the table.
  mutating func close(
    _ area: AreaIndex, tail: Tail, usedEnd: UInt64, lostSlotCount: UInt64, isUnreadable: Bool
  ) {
    self.usedEnd = usedEnd
    areas = areas.lowerBound...area.index
    self.tail = tail
    if lostSlotCount > 0 || isUnreadable {
      damages.append(
        Damage(area: area, lostSlotCount: lostSlotCount, isUnreadable: isUnreadable))
    }
  }
}
