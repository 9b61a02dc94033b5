internal import SnapshotFormat

/// Distinguishes the tables of one store: the one in use, and older ones whose space it took over.
///
/// A new table begins in area 0 and clears an area only when the one before fills, so the end of an
/// older, longer table stays after it. The bytes between two segments decide:
///
/// - zeroes after an exception: the table ended there, and everything after is older;
/// - zeroes after a sector's last exception may also be lost sectors: unless the two sides share
///   old chunks, that is in doubt;
/// - shifts that decrease, or an area that repeats old chunks: another table. Linux clears an area
///   before it fills the one before, so a full area followed by another table's is in doubt;
/// - a whole area of zeroes after a full one, or a lost area, may be the end of a table or a hole
///   in it. Within a table each old chunk occurs once: if the two sides share old chunks, they are
///   two tables; if they would share many by chance but share none, they are one. Otherwise they
///   count as one, in doubt.
struct TableSplit {
  /// Segments of one table, with the areas between them.
  struct Table {
    fileprivate(set) var segment: AreaSegment
    /// The areas between its segments that hold nothing of it, ascending.
    fileprivate(set) var lostAreas: [Range<UInt64>] = []
    /// The areas after which the evidence does not decide whether the table continues.
    fileprivate(set) var doubtfulAreas: [UInt64] = []
    /// The number of exceptions after those.
    fileprivate(set) var doubtfulCount: UInt64 = 0
    fileprivate var olds = ChunkSet()

    /// The table of a store that nothing was copied to, as far as exceptions show.
    static var empty: Table {
      var segment = AreaSegment(startingAt: AreaIndex(0))
      segment.close(
        AreaIndex(0), tail: .ended, usedEnd: 0, lostSlotCount: 0, isUnreadable: false)
      return Table(segment)
    }

    fileprivate init(_ segment: AreaSegment) {
      self.segment = segment
      olds.insert(oldChunksOf: segment.runs)
    }

    fileprivate mutating func append(
      _ next: AreaSegment, isCertain: Bool, _ survey: AreaSurvey
    ) {
      let gap = segment.areas.upperBound + 1..<next.areas.lowerBound
      segment.reopen(survey.exceptionsPerArea)
      if !isCertain { doubtfulAreas.append(gap.lowerBound) }
      if !doubtfulAreas.isEmpty { doubtfulCount += next.exceptionCount }
      if !gap.isEmpty { lostAreas.append(gap) }
      segment.append(next)
      olds.insert(oldChunksOf: next.runs)
    }
  }

  /// If this many shared old chunks are expected by chance, and there are none, that decides: e^-8.
  private static let improbableCount = 8.0

  /// The newest first.
  private(set) var tables: [Table] = []

  init(_ survey: AreaSurvey) {
    for segment in survey.segments {
      guard let last = tables.indices.last else {
        tables.append(Table(segment))
        continue
      }
      switch Self.relation(of: tables[last], to: segment, survey) {
      case .one(let isCertain): tables[last].append(segment, isCertain: isCertain, survey)
      case .two(let isCertain):
        if !isCertain { tables[last].doubtfulAreas.append(segment.areas.lowerBound - 1) }
        tables[last].olds = ChunkSet()  // no longer needed
        tables.append(Table(segment))
      }
    }
  }

  private enum Relation {
    case one(isCertain: Bool)
    case two(isCertain: Bool)
  }

  /// Whether a segment continues a table.
  private static func relation(
    of table: Table, to next: AreaSegment, _ survey: AreaSurvey
  ) -> Relation {
    let before = table.segment
    let gap = before.areas.upperBound + 1..<next.areas.lowerBound
    if !next.isPlaced(after: before) {
      return .two(isCertain: before.tail == .ended || !gap.isEmpty)
    }
    // Linux has zeroed the area after a full one, so this is damage.
    if gap.isEmpty, before.tail == .full { return .two(isCertain: false) }
    let shared = table.olds.count(ofOldChunksOf: next.runs)
    let isImprobable = expectedShare(before, next) >= improbableCount
    let isContinuous = continues(before, next, survey)
    if before.tail == .ended {
      guard before.usedEnd % survey.damageSlotCount == 0, shared == 0 else {
        return .two(isCertain: true)
      }
      return isImprobable || isContinuous
        ? .one(isCertain: isImprobable) : .two(isCertain: false)
    }
    let isZero = !survey.lostAreas.contains { $0.areas.overlaps(gap) } && before.tail == .full
    // In damage, one shared chunk may be a flipped bit; zeroes alone are not damage.
    if shared >= (isZero ? 1 : 2) { return .two(isCertain: true) }
    // A zero area between two ends of one run may still be followed by an older table, as long a
    // run.
    return .one(isCertain: isImprobable || (isContinuous && !isZero))
  }

  /// The number of old chunks that two tables of their size would share by chance.
  private static func expectedShare(_ left: AreaSegment, _ right: AreaSegment) -> Double {
    guard let lefts = left.oldBounds, let rights = right.oldBounds, lefts.overlaps(rights) else {
      return 0
    }
    func density(_ segment: AreaSegment, _ bounds: ClosedRange<UInt64>) -> Double {
      Double(segment.exceptionCount) / (Double(bounds.upperBound - bounds.lowerBound) + 1)
    }
    let both = lefts.clamped(to: rights)
    return density(left, lefts) * density(right, rights)
      * (Double(both.upperBound - both.lowerBound) + 1)
  }

  /// Whether both sides are ends of one run whose middle exactly fits the lost slots.
  private static func continues(
    _ before: AreaSegment, _ next: AreaSegment, _ survey: AreaSurvey
  ) -> Bool {
    guard let last = before.runs.last, let first = next.runs.first, first.old > last.lastOld else {
      return false
    }
    let lostCount = next.areas.lowerBound * survey.exceptionsPerArea - before.lastPosition - 1
    return first.old - last.lastOld - 1 == lostCount
  }
}
