internal import BlockIO
public import FileSystems
internal import SnapshotFormat

/// Which bytes of a snapshot's or an origin's file system are not what they should be, or may not.
///
/// The lists are ranges of the file system's source, ascending, and have no byte in common but
/// for ``unnamed``, which is a part of ``ranges``.
public struct FileLosses: Sendable {
  /// What is lost: unreadable, or not what the snapshot had.
  package private(set) var ranges: [Range<UInt64>]
  /// What of it is lost because the files say that it was written, and no exception names it: the
  /// data is among the chunks that have no place, or lost, and nothing says which.
  package private(set) var unnamed: [Range<UInt64>] = []
  /// What rests on likely evidence alone, or would: its data has a likely place.
  package private(set) var likely: [Range<UInt64>] = []
  /// What may have been written although no exception says so, or rests on an exception that may
  /// belong to another table.
  package private(set) var doubtful: [Range<UInt64>] = []
  /// Whether exceptions are lost, or may be, that no range accounts for.
  public private(set) var hasUnknown: Bool
  /// How many they are at most, besides those after a lost end.
  package private(set) var unknownCount: UInt64
  /// Whether the evidence does not decide if exceptions after the table's end are lost.
  public private(set) var isEndInDoubt: Bool

  /// What is lost of a side, as far as is known without reading any file system.
  ///
  /// - Parameters:
  ///   - part: The part of it that the file system is in.
  ///   - unread: What of the snapshot could not be read, as far as that was tried.
  public init(
    _ snapshot: Snapshot, _ side: SnapshotFiles.Side, in part: SnapshotPart,
    unread: [LostRange] = []
  ) {
    let view = snapshot.view
    var lost = part.pieces.flatMap { snapshot.origin.knownUnreadable(in: $0.bytes) }
    hasUnknown = side == .snapshot && snapshot.loaded.hasUnknownLosses
    isEndInDoubt =
      side == .snapshot && !hasUnknown && snapshot.loaded.generation?.isInDoubt == true
    unknownCount = hasUnknown ? snapshot.loaded.generation?.lostCount(besides: 0) ?? 0 : 0
    if side == .snapshot {
      // What the origin cannot show matters where the snapshot shows the origin.
      lost = lost.flatMap { range in
        var shown: [Range<UInt64>] = []
        view.forEachSegment(in: range) { if $0.place == .origin { shown.append($0.range) } }
        return shown
      }
      lost += (snapshot.lost + view.knownLosses + unread).map(\.range)
      likely = part.inside(snapshot.likelyRanges.union).union
      doubtful = part.inside(snapshot.doubtfulRanges.union).union
    }
    ranges = (part.inside(lost.union) + part.missing).union
    likely = likely.without(ranges)
    doubtful = doubtful.without((ranges + likely).union)
  }

  /// What is lost of the snapshot of two file systems, by what its files tell as well.
  ///
  /// Both file systems are read if exceptions are lost, and it is unknown what they were for: every
  /// inode, and the maps of the files that differ.
  public init(_ files: SnapshotFiles) throws(FileSystemError) {
    try self.init(FileLosses(files.snapshot, .snapshot, in: files.part), files)
  }

  /// The same, where what is known without the file systems was worked out already.
  init(_ known: FileLosses, _ files: SnapshotFiles) throws(FileSystemError) {
    self = known
    guard hasUnknown || isEndInDoubt else { return }
    let written = try WrittenBytes(files)
    unnamed = written.certain.without(ranges)
    ranges = (ranges + unnamed).union
    likely = likely.without(ranges)
    doubtful = doubtful.without(ranges)
    // If files account for each exception that is lost, nothing else is in doubt.
    let geometry = files.snapshot.loaded.geometry
    let count = files.part.outside(unnamed).chunkCount(geometry)
    let generation = files.snapshot.loaded.generation
    unknownCount = generation?.lostCount(besides: count) ?? 0
    // What was written without an exception decides the doubt: the end is lost.
    let isEndLost = generation?.isEndLost == true || isEndInDoubt && !unnamed.isEmpty
    hasUnknown = unknownCount > 0 || isEndLost
    if isEndLost { isEndInDoubt = false }
    guard hasUnknown || isEndInDoubt else { return }
    doubtful = (doubtful + written.possible.without((ranges + likely).union)).union
  }

  /// Whether nothing is lost, in doubt, or likely only.
  public var isNone: Bool {
    ranges.isEmpty && likely.isEmpty && doubtful.isEmpty && !hasUnknown && !isEndInDoubt
  }

  /// Whether exceptions are lost, or may be, that no range accounts for, or the table may have
  /// gone on.
  public var isAnyUnknown: Bool { hasUnknown || isEndInDoubt }

  /// Whether some of it may be lost, or rests on likely evidence.
  public var isInDoubt: Bool { !doubtful.isEmpty || !likely.isEmpty }

  /// How many bytes of a file are lost, in doubt, and likely.
  public struct Counts: Equatable, Sendable {
    /// How many are lost, as far as is known without reading them.
    public var lost: UInt64 = 0
    /// How many may have been written although no exception says so.
    public var doubtful: UInt64 = 0
    /// How many rest on likely evidence, or would.
    public var likely: UInt64 = 0

    /// Of a file that has lost so many bytes, and of which nothing else is in doubt.
    public init(lost: UInt64 = 0) { self.lost = lost }
  }

  /// How many bytes of a file are lost, in doubt, and likely, as far as is known without reading
  /// it.
  public func counts(
    of inode: Inode, in fileSystem: any FileSystem
  ) throws(FileSystemError) -> Counts {
    guard inode.kind == .regular else { return Counts() }
    let map = try fileSystem.map(of: inode)
    let end = fileSystem.source.byteCount
    let bytes = 0..<inode.byteCount
    // A copy of the origin may be cut.
    var counts = Counts(
      lost: map.lost(ranges + [end..<UInt64.max]).parts(in: bytes).totalCount)
    counts.doubtful = map.touched(by: doubtful).parts(in: bytes).totalCount
    counts.likely = map.touched(by: likely).parts(in: bytes).totalCount
    return counts
  }
}

extension Snapshot {
  /// What exceptions show that may belong to another table, in bytes of the origin.
  fileprivate var doubtfulRanges: [Range<UInt64>] {
    guard let first = loaded.generation?.firstDoubtfulChunk else { return [] }
    return loaded.table.runs.compactMap { run in
      let skipped = min(first > run.new ? first - run.new : 0, run.count)
      return skipped < run.count
        ? bytes(ofOld: run.old + skipped, count: run.count - skipped) : nil
    }
  }

  /// What has a likely place, used or not, in bytes of the origin.
  fileprivate var likelyRanges: [Range<UInt64>] {
    loaded.placement.placements(.likely).compactMap { placement in
      placement.strength == .likely ? bytes(ofOld: placement.old, count: placement.count) : nil
    }
  }
}

extension Generation {
  /// How many exceptions are lost at most, without a trace of what they were for, besides so many.
  fileprivate func lostCount(besides count: UInt64) -> UInt64 {
    let known = lostChunkCount(for: [.exceptionLost, .exceptionDamaged]) &+ count
    let lost = lostExceptionCount &+ inFlightCount
    return lost - min(lost, known)
  }
}

extension [Range<UInt64>] {
  /// How many chunks ascending ranges of the origin are in.
  fileprivate func chunkCount(_ geometry: StoreGeometry) -> UInt64 {
    let size = geometry.chunkSize.byteCount
    var (count, next): (UInt64, UInt64) = (0, 0)
    for range in self {
      let first = Swift.max(range.lowerBound / size, next)
      let end = (range.upperBound - 1) / size + 1
      if end > first { count += end - first }
      next = Swift.max(next, end)
    }
    return count
  }
}
