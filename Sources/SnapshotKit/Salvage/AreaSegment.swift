internal import SnapshotFormat

/// Consecutive areas, all full but the last: certainly of one table.
struct AreaSegment {
  /// The end of an area, which shows whether the table continues in the next one.
  enum Tail {
    /// Its last slot has an exception: Linux continued in the next area.
    case full
    /// Zeroes follow the last exception: the table ended here.
    case ended
    /// Damage hides it.
    case unknown
  }

  /// An area that has lost exceptions.
  struct Damage {
    let area: AreaIndex
    /// The slots before the last one in use that do not hold a kept exception.
    let lostSlotCount: UInt64
    /// Whether any sector of it could not be read.
    let isUnreadable: Bool
  }

  /// A rejected exception between two accepted ones.
  struct Dropped {
    let area: AreaIndex
    let slot: Int
    let exception: DiskException
  }

  /// The beginning of a shift that the exceptions before it do not have.
  struct Step {
    let shift: Int64
    /// The position of its first exception in the table.
    let position: UInt64
    /// The number of exceptions of the segment before that.
    fileprivate(set) var index: UInt64
  }

  /// The first and the last area.
  private(set) var areas: ClosedRange<UInt64>
  /// The exceptions kept, in table order.
  private(set) var runs: [ExceptionRun] = []
  private(set) var exceptionCount: UInt64 = 0
  private(set) var damages: [Damage] = []
  private(set) var dropped: [Dropped] = []
  /// The number of skipped slots with other content than exceptions.
  private(set) var passedOverCount: UInt64 = 0
  private(set) var tail = Tail.unknown
  /// Every shift that it has, as long as they rise.
  private(set) var steps: [Step] = []
  private(set) var firstShift: Int64 = 0
  private(set) var lastShift: Int64 = 0
  /// The position of the last exception in the table, and one above the last slot in use.
  private(set) var lastPosition: UInt64 = 0
  private(set) var usedEnd: UInt64 = 0
  /// The lowest and the highest old chunk; nil before there is one.
  private(set) var oldBounds: ClosedRange<UInt64>?
  /// One above the highest new chunk.
  private(set) var nextFree = StoreGeometry.firstDataChunk

  init(startingAt area: AreaIndex) { areas = area.index...area.index }

  /// The last shift that more than a few exceptions have, and how many after it have a higher one.
  private(set) var confirmedShift: Int64 = 0
  private(set) var unconfirmedCount: UInt64 = 0
  /// The number of exceptions at the end with one shift.
  private var sameCount = 0

  /// Whether shifts never decrease, as in Linux since 3.13.
  private(set) var isOrdered = true

  /// Whether the table must continue in that area.
  func isContinued(in area: AreaIndex) -> Bool {
    tail == .full && areas.upperBound + 1 == area.index
  }

  /// Whether its exceptions are where the table that begins with `before` continues.
  func isPlaced(after before: AreaSegment) -> Bool {
    let slack = isOrdered && before.isOrdered ? 0 : AreaLaw.leakMax
    return firstShift >= before.lastShift - slack
  }

  /// Appends a kept exception, the next one of its table, at that position.
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

  /// Appends a segment that continues this one, perhaps after lost areas.
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

  /// Whether an area is where the table continues if its last few exceptions are rejected.
  func isContradicted(by next: AreaSegment) -> Bool {
    unconfirmedCount > 0 && next.exceptionCount > unconfirmedCount
      && next.firstShift >= confirmedShift && !next.isPlaced(after: self)
  }

  /// Removes the last few exceptions, whose shift the next area contradicts.
  mutating func dropUnconfirmed(_ slotCount: UInt64) {
    for index in 0..<unconfirmedCount {
      guard let run = runs.popLast() else { break }
      let exception = DiskException(oldChunk: run.lastOld, newChunk: run.new + (run.count - 1))
      if run.count > 1 {
        runs.append(ExceptionRun(old: run.old, new: run.new, count: run.count - 1))
      }
      // They are the last of their area, or the table would not be known to continue.
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

  /// Whether a step looks like sectors of another area written over this one's: it begins where a
  /// sector does, and leaves out whole sectors' worth of chunks.
  func isDisplaced(step index: Int, _ geometry: StoreGeometry) -> Bool {
    let unit = AreaLaw.damageSlotCount(geometry)
    let rise = rise(ofStep: index)
    return rise > 0 && rise % unit == 0 && steps[index].position % unit == 0
  }

  /// Whether the chunks that a step leaves out may be those of lost exceptions, not leaked ones: of
  /// sectors of another area, or of slots at the beginning of this one.
  func mayHideLoss(step index: Int, _ geometry: StoreGeometry) -> Bool {
    isDisplaced(step: index, geometry)
      || rise(ofStep: index) > 0
        && steps[index].position % geometry.chunkSize.exceptionsPerArea == 0
  }

  /// Removes exceptions at the end that are not this table's, because the area after them continues
  /// where those before them end: they are a copy of another area, or of a part of one.
  ///
  /// - Parameter goesOn: Whether the next area may be of the same table: it follows directly, and
  ///   repeats no old chunks.
  /// - Returns: The areas that now hold nothing of the table; nil if nothing was removed.
  mutating func dropDisplaced(
    before next: AreaSegment, _ geometry: StoreGeometry, goesOn: Bool
  ) -> Range<UInt64>? {
    guard isOrdered, let first = steps.firstIndex(where: { $0.shift > next.firstShift }) else {
      return nil
    }
    let step = steps[first]
    let slotCount = geometry.chunkSize.exceptionsPerArea
    // Of one area, to its end, or moved by a slot as a whole.
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
    // Whether the area holds more of the table is unknown.
    if wasEnded { tail = .unknown } else { (tail, usedEnd) = (.full, (area + 1) * slotCount) }
    lastPosition = step.position - 1
    damages.append(
      Damage(
        area: AreaIndex(area),
        lostSlotCount: (before?.lostSlotCount ?? 0) + usedEnd - step.position,
        isUnreadable: before?.isUnreadable ?? false))
    return area + 1..<end
  }

  /// Keeps only the steps before one.
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

  /// Counts the zeroes that seemed to end it as lost, because the table continues after them.
  mutating func reopen(_ slotCount: UInt64) {
    guard tail == .ended else { return }
    let end = (areas.upperBound + 1) * slotCount
    damages.append(
      Damage(
        area: AreaIndex(areas.upperBound), lostSlotCount: end - usedEnd, isUnreadable: false))
    (tail, usedEnd) = (.full, end)
  }

  /// Notes an exception that is rejected although those around it are accepted.
  mutating func drop(_ dropped: Dropped) { self.dropped.append(dropped) }

  /// Notes slots of an area with other content than exceptions.
  mutating func passOver(_ count: UInt64) { passedOverCount += count }

  /// Ends an area whose slots are in use up to the position `usedEnd` of the table.
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
