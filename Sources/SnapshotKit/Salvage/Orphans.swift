internal import BlockIO
internal import SnapshotFormat

/// The data chunks that Linux allocated but no surviving exception names.
struct Orphans {
  /// More ranges than this are useless; a sparse file may have any number.
  private static let countMax = 1 << 16
  /// More copies of zeroes at an end are not looked for.
  private static let emptyCountMax: UInt64 = 1 << 16

  /// The chunks, ascending; none of the ranges has an area in it.
  private(set) var chunks: [Orphan] = []
  /// The number of chunks, including those not listed.
  private(set) var count: UInt64 = 0
  /// Chunks of zeroes after the last of the tail: they may be copies, or never have been used.
  private(set) var emptyTail: [Orphan] = []
  /// The chunks of the origin that they must belong to, if that is determined.
  private(set) var lost: [LostChunks] = []

  private let geometry: StoreGeometry
  /// The runs that name chunks, by new chunk.
  private let named: [ExceptionRun]

  /// Finds the gaps between the chunks that `runs` name.
  ///
  /// - Parameters:
  ///   - firstChunk: Chunks below it belong to another generation.
  ///   - isLost: Whether any exception was lost: otherwise unnamed chunks have leaked, as in a
  ///     crash before 3.13, and hold nothing of the snapshot.
  init(
    _ runs: [ExceptionRun], _ geometry: StoreGeometry, from firstChunk: UInt64, isLost: Bool
  ) {
    self.geometry = geometry
    var ordered = runs
    let isAscending = zip(runs, runs.dropFirst()).allSatisfy { $0.new < $1.new }
    if !isAscending { ordered.sort { $0.new < $1.new } }
    named = ordered
    var ascending: [ExceptionRun] = []  // by old chunk, when first needed
    var before: ExceptionRun?
    var position = geometry.position(ofDataFrom: Chunk(firstChunk)) ?? 0
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
        add(position..<start, old, isLost ? .exceptionLost : .leaked)
        if isLost, let old { lost.append(LostChunks(old: old, reason: .exceptionLost)) }
      }
      before = run
      position = max(position, start + run.count)  // no area is inside a run
    }
  }

  /// Adds the chunks of slots at the table's end whose exceptions are lost, up to the last that
  /// holds anything: it is unknown how many of the slots after `usedEnd` were in use.
  ///
  /// Linux allocates chunks in order: a chunk before one that was in use was in use as well, and a
  /// copy of zeroes.
  ///
  /// - Parameter reason: Why no exception names those after `usedEnd`.
  mutating func addTail(
    _ positions: Range<UInt64>, usedEnd: UInt64, _ reason: Orphan.Reason, _ survey: AreaSurvey
  ) throws(BlockIOError) {
    var end = positions.lowerBound
    var position = positions.lowerBound
    while position < positions.upperBound, let new = geometry.dataChunk(inOrder: position),
      new.index < geometry.chunkCount
    {
      if position >= usedEnd, try !survey.used.contains(new) {
        guard let next = try survey.used.nextPosition(after: position) else { break }
        position = next
        continue
      }
      for position in end...position {
        guard let new = geometry.dataChunk(inOrder: position) else { continue }
        count += 1
        Self.add(new, position < usedEnd ? .exceptionLost : reason, to: &chunks)
      }
      end = position + 1
      position = end
    }
    emptyTail = []
    for position in end..<max(end, min(positions.upperBound, end + Self.emptyCountMax)) {
      guard let new = geometry.dataChunk(inOrder: position), new.index < geometry.wholeChunkCount
      else { break }
      Self.add(new, reason, to: &emptyTail)
    }
  }

  private static func add(_ new: Chunk, _ reason: Orphan.Reason, to chunks: inout [Orphan]) {
    if let last = chunks.last, last.old == nil, last.new + last.count == new.index,
      last.reason == reason
    {
      chunks[chunks.count - 1].count += 1
    } else if chunks.count < countMax {
      chunks.append(Orphan(new: new.index, count: 1, old: nil, reason: reason))
    }
  }

  /// Adds the remains of an invalidated snapshot: every data chunk that is not yet in a range and
  /// is no hole of the store's file.
  ///
  /// - Returns: Those chunks, ascending, as far as they are listed, and their number.
  mutating func addInFlight(
    in source: any BlockSource
  ) throws(BlockIOError) -> (ranges: [Range<UInt64>], count: UInt64) {
    let taken = takenPositions
    var search = InFlightSearch(source, geometry)
    var position: UInt64 = 0
    for range in taken {
      if range.lowerBound > position { try search.look(at: position..<range.lowerBound) }
      position = max(position, range.upperBound)
    }
    try search.look(at: position..<max(position, search.positionEnd))
    // Chunks too many to list were found again.
    count = chunks.reduce(0) { $0 + $1.count } + search.count
    chunks =
      (chunks
      + search.ranges.map { range in
        Orphan(
          new: range.lowerBound, count: range.upperBound - range.lowerBound, old: nil,
          reason: .inFlight)
      }).sorted { $0.new < $1.new }
    return (search.ranges, search.count)
  }

  /// The positions of all data chunks that are named or listed, by their beginnings.
  private var takenPositions: [Range<UInt64>] {
    let orphans = chunks.map { ExceptionRun(old: 0, new: $0.new, count: $0.count) }
    return (named + orphans).compactMap { run in
      geometry.position(ofData: Chunk(run.new)).map { $0..<$0 + run.count }
    }.sorted { $0.lowerBound < $1.lowerBound }
  }

  /// The chunks between the ends of one run, if exactly that many are missing there.
  private static func oldChunks(
    between before: ExceptionRun?, _ next: ExceptionRun, count: UInt64
  ) -> Range<UInt64>? {
    guard let before, next.old > before.lastOld, next.old - before.lastOld - 1 == count else {
      return nil
    }
    return before.lastOld + 1..<next.old
  }

  /// Whether ascending runs contain any of those chunks.
  private static func isAny(of range: Range<UInt64>, in ascending: [ExceptionRun]) -> Bool {
    let index = ascending.firstIndex(endingAtOrAfter: range.lowerBound)
    return index < ascending.count && ascending[index].old < range.upperBound
  }

  /// Adds the data chunks at those positions, split where areas are between them.
  private mutating func add(
    _ positions: Range<UInt64>, _ old: Range<UInt64>?, _ reason: Orphan.Reason
  ) {
    let perArea = geometry.chunkSize.exceptionsPerArea
    var position = positions.lowerBound
    while position < positions.upperBound, let new = geometry.dataChunk(inOrder: position),
      new.index < geometry.chunkCount
    {
      let end = min(positions.upperBound, (position / perArea + 1) * perArea)
      let chunkCount = min(end - position, geometry.chunkCount - new.index)
      count += chunkCount
      if chunks.count < Self.countMax {
        chunks.append(
          Orphan(
            new: new.index, count: chunkCount,
            old: old.map { $0.lowerBound + (position - positions.lowerBound) },
            reason: reason))
      }
      position = end
    }
  }
}
