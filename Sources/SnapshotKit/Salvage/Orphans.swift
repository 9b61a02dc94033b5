internal import BlockIO
internal import SnapshotFormat

/// The data chunks that Linux handed out and no surviving exception names.
struct Orphans {
  /// More ranges than these are of no use to anyone; a sparse file may have them without end.
  private static let countMax = 1 << 16

  /// The chunks, ascending; none of the ranges has an area in it.
  private(set) var chunks: [OrphanedChunks] = []
  /// The chunks of the origin that they must belong to, where that is determined.
  private(set) var lost: [LostChunks] = []

  private let geometry: StoreGeometry

  /// Finds the gaps between what `runs` name.
  ///
  /// - Parameters:
  ///   - firstChunk: Chunks below it are another generation's.
  ///   - isLost: Whether any exception was lost: otherwise chunks without a name have leaked, as
  ///     they did in a crash before 3.13, and no content of the snapshot is in them.
  init(
    _ runs: [ExceptionRun], _ geometry: StoreGeometry, from firstChunk: UInt64, isLost: Bool
  ) {
    self.geometry = geometry
    var ordered = runs
    let isAscending = zip(runs, runs.dropFirst()).allSatisfy { $0.new < $1.new }
    if !isAscending { ordered.sort { $0.new < $1.new } }
    var ascending: [ExceptionRun] = []  // by old chunk, when first needed
    var before: ExceptionRun?
    var position =
      geometry.position(ofData: Chunk(firstChunk))  // or that of the chunk behind an area
      ?? geometry.position(ofData: Chunk(firstChunk + 1)) ?? 0
    for run in ordered {
      guard let start = geometry.position(ofData: Chunk(run.new)) else { continue }
      if start > position {
        var old = Self.oldChunks(between: before, run, count: start - position)
        if let range = old {
          if ascending.isEmpty {
            ascending = runs
            ascending.sortByOldChunk()
          }
          if Self.isAny(of: range, in: ascending) { old = nil }
        }
        add(position..<start, old)
        if isLost, let old { lost.append(LostChunks(old: old, reason: .exceptionLost)) }
      }
      before = run
      position = max(position, start + run.count)  // no area lies inside a run
    }
  }

  /// Adds the chunks of slots at the table's end whose exceptions are lost, as far as there is
  /// anything in them: nobody knows how many of the slots behind `usedEnd` were in use.
  mutating func addTail(
    _ positions: Range<UInt64>, usedEnd: UInt64, _ survey: AreaSurvey
  ) throws(BlockIOError) {
    for position in positions {
      guard let new = geometry.dataChunk(inOrder: position), new.index < geometry.chunkCount else {
        return
      }
      if position >= usedEnd, try !survey.isUsed(new) { continue }
      if let last = chunks.last, last.old == nil, last.new + last.count == new.index {
        chunks[chunks.count - 1].count += 1
      } else {
        add(position..<position + 1, nil)
      }
    }
  }

  /// The chunks between the ends of one run, if so many are missing there.
  private static func oldChunks(
    between before: ExceptionRun?, _ next: ExceptionRun, count: UInt64
  ) -> Range<UInt64>? {
    guard let before, next.old > before.lastOld, next.old - before.lastOld - 1 == count else {
      return nil
    }
    return before.lastOld + 1..<next.old
  }

  /// Whether ascending runs have any of those chunks.
  private static func isAny(of range: Range<UInt64>, in ascending: [ExceptionRun]) -> Bool {
    let index = ascending.firstIndex(endingAtOrAfter: range.lowerBound)
    return index < ascending.count && ascending[index].old < range.upperBound
  }

  /// Adds the data chunks of those positions, cut where areas lie between them.
  private mutating func add(_ positions: Range<UInt64>, _ old: Range<UInt64>?) {
    let perArea = geometry.chunkSize.exceptionsPerArea
    var position = positions.lowerBound
    while position < positions.upperBound, let new = geometry.dataChunk(inOrder: position),
      chunks.count < Self.countMax
    {
      let end = min(positions.upperBound, (position / perArea + 1) * perArea)
      if new.index >= geometry.chunkCount { return }
      chunks.append(
        OrphanedChunks(
          new: new.index, count: min(end - position, geometry.chunkCount - new.index),
          old: old.map { $0.lowerBound + (position - positions.lowerBound) }))
      position = end
    }
  }
}
