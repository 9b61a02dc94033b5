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
    let slack = isOrdered && before.isOrdered ? 0 : SlotJudge.leakMax
    return firstShift >= before.lastShift - slack
  }

  /// Takes in a kept exception, the next one of its table, which stands at that position in it.
  mutating func append(_ exception: DiskException, at position: UInt64, shift: Int64) {
    lastPosition = position
    let (old, new) = (exception.oldChunk, exception.newChunk)
    sameCount = exceptionCount > 0 && shift == lastShift ? sameCount + 1 : 1
    if exceptionCount == 0 || sameCount >= SlotJudge.strongCount || shift <= confirmedShift {
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
    oldBounds =
      oldBounds.map { min($0.lowerBound, old)...max($0.upperBound, old) } ?? old...old
    if !runs.isEmpty, runs[runs.count - 1].extend(old: old, new: new) { return }
    runs.append(ExceptionRun(old: old, new: new, count: 1))
  }

  /// Takes in a segment that goes on behind this one, perhaps after areas that are lost.
  mutating func append(_ next: AreaSegment) {
    areas = areas.lowerBound...next.areas.upperBound
    isOrdered = isOrdered && next.isOrdered && next.firstShift >= lastShift
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
    if let bounds = oldBounds, let others = next.oldBounds {
      oldBounds =
        min(bounds.lowerBound, others.lowerBound)...max(bounds.upperBound, others.upperBound)
    }
    for run in next.runs {
      if let last = runs.last, last.old &+ last.count == run.old, last.new &+ last.count == run.new
      {
        runs[runs.count - 1].count += run.count
      } else {
        runs.append(run)
      }
    }
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
