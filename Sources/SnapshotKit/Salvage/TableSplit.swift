internal import SnapshotFormat

/// Tells the tables of one store apart: the one in use, and older ones whose space it took over.
///
/// A new table begins in area 0 and clears an area only when the one before fills, so that the end
/// of an older, longer table stays behind it. What lies between two segments decides:
///
/// - zeroes behind an exception: the table ended there, what follows is older;
/// - shifts that fall, or an area that repeats old chunks: another table;
/// - a whole area of zeroes behind a full one, or one that is lost, may be either the end of a table
///   or a hole in it. Within a table each old chunk comes once: if the two sides share old chunks,
///   they are two tables; if by chance they would share many and share none, they are one. Where
///   neither is so, they are taken for one behind damage, and said to be in doubt; behind zeroes,
///   where Linux ends the table, only if something speaks for it.
struct TableSplit {
  /// Segments of one table, with what lies between them.
  struct Table {
    fileprivate(set) var segment: AreaSegment
    /// The areas between its segments that hold nothing of it, ascending.
    fileprivate(set) var lostAreas: [Range<UInt64>] = []
    /// The areas behind which the evidence does not decide whether the table goes on.
    fileprivate(set) var doubtfulAreas: [UInt64] = []
    /// How many exceptions stand behind those.
    fileprivate(set) var doubtfulCount: UInt64 = 0
    fileprivate var olds = ChunkSet()

    fileprivate init(_ segment: AreaSegment) {
      self.segment = segment
      olds.insert(oldChunksOf: segment.runs)
    }

    fileprivate mutating func append(_ next: AreaSegment, isCertain: Bool) {
      let gap = segment.areas.upperBound + 1..<next.areas.lowerBound
      if !isCertain { doubtfulAreas.append(gap.lowerBound) }
      if !doubtfulAreas.isEmpty { doubtfulCount += next.exceptionCount }
      if !gap.isEmpty { lostAreas.append(gap) }
      segment.append(next)
      olds.insert(oldChunksOf: next.runs)
    }
  }

  /// So many old chunks that should be shared by chance, and are not, settle it: e^-8.
  private static let improbableCount = 8.0

  private static let slotsPerSector = UInt64(512 / DiskException.byteCount)
  /// So many, reckoned roughly, at least suggest it.
  private static let suggestiveCount = 3.0

  /// The newest first.
  private(set) var tables: [Table] = []

  init(_ survey: AreaSurvey) {
    for segment in survey.segments {
      guard let last = tables.indices.last else {
        tables.append(Table(segment))
        continue
      }
      switch Self.relation(of: tables[last], to: segment, survey) {
      case .one(let isCertain): tables[last].append(segment, isCertain: isCertain)
      case .two(let isCertain):
        if !isCertain { tables[last].doubtfulAreas.append(segment.areas.lowerBound - 1) }
        tables[last].olds = ChunkSet()  // nobody asks for them any more
        tables.append(Table(segment))
      }
    }
  }

  private enum Relation {
    case one(isCertain: Bool)
    case two(isCertain: Bool)
  }

  /// Whether a segment goes on with a table.
  private static func relation(
    of table: Table, to next: AreaSegment, _ survey: AreaSurvey
  ) -> Relation {
    let before = table.segment
    let gap = before.areas.upperBound + 1..<next.areas.lowerBound
    if !next.isPlaced(behind: before) { return .two(isCertain: true) }
    if gap.isEmpty, before.tail == .full { return .two(isCertain: true) }
    let shared = table.olds.count(ofOldChunksOf: next.runs)
    let isContinuous = continues(before, next, survey)
    if before.tail == .ended {
      // Linux ended the table here, or a sector of the area was zeroed.
      let isSectorsEnd = before.usedEnd % slotsPerSector == 0
      return .two(isCertain: !(isSectorsEnd && isContinuous && shared == 0))
    }
    let isZero = !survey.lostAreas.contains { $0.areas.overlaps(gap) } && before.tail == .full
    // One shared chunk may be a flipped bit where there is damage; zeroes alone are not damage.
    if shared >= (isZero ? 1 : 2) { return .two(isCertain: true) }
    // A zero area between two ends of one run can still be an older table that was as long a run.
    if expectedShare(before, next) >= improbableCount || (isContinuous && !isZero) {
      return .one(isCertain: true)
    }
    // Linux itself would end the table at zeroes. Against that there must be something to be said.
    let isLikely = !isZero || isContinuous || roughShare(before, next) >= suggestiveCount
    return isLikely ? .one(isCertain: false) : .two(isCertain: false)
  }

  /// How many old chunks two tables of their size would share by chance.
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

  /// The same, if either was as likely to have any chunk up to the highest.
  private static func roughShare(_ left: AreaSegment, _ right: AreaSegment) -> Double {
    let highest = max(left.oldBounds?.upperBound ?? 0, right.oldBounds?.upperBound ?? 0)
    return Double(left.exceptionCount) * Double(right.exceptionCount) / (Double(highest) + 1)
  }

  /// Whether both sides are ends of one run whose middle just fits the lost slots.
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
