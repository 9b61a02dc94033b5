internal import BlockIO
public import FileSystems
internal import SnapshotFormat

/// The bytes of a snapshot's or an origin's file system that are wrong, or may be.
///
/// The lists are ranges of the file system's source, ascending, and have no byte in common but
/// for ``unnamed``, which is a part of ``ranges``.
public struct FileLosses: Sendable {
  /// The losses: unreadable bytes, and bytes that differ from the snapshot's.
  package private(set) var ranges: [Range<UInt64>]
  /// The part of the losses that files show to have been written though no exception maps it.
  ///
  /// The data is either among the orphans without a place, or lost (undetermined).
  package private(set) var unnamed: [Range<UInt64>] = []
  /// Ranges that rest, or would rest, on likely evidence alone: their data has a likely place.
  package private(set) var likely: [Range<UInt64>] = []
  /// Ranges that may have been written without an exception, or rest on an exception that may
  /// belong to another table.
  package private(set) var doubtful: [Range<UInt64>] = []
  /// Whether exceptions are lost, or may be, that no range accounts for.
  public private(set) var hasUnknown: Bool
  /// The maximum number of unknown losses, besides those after a lost end.
  package private(set) var unknownCount: UInt64
  /// Whether exceptions after the table's end may be lost, and the evidence does not decide.
  public private(set) var isEndInDoubt: Bool

  /// The losses of a side, as far as they are known without reading any file system.
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
      // Unreadable parts of the origin matter where the snapshot shows the origin.
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

  /// The losses of the snapshot in one of its file systems, including those that its files reveal.
  ///
  /// If exceptions are lost, and their old chunks are unknown, the file systems of both sides are
  /// read: every inode, and the maps of the files that differ. So are the others of the snapshot if
  /// it is a disk, for the exceptions may have been theirs.
  public init(_ files: SnapshotFiles) throws(FileSystemError) {
    let known = FileLosses(files.snapshot, .snapshot, in: files.part)
    var all = [(known, files)]
    if known.isAnyUnknown, files.part.kind != .whole {
      for other in try files.snapshot.fileSystems().found where other.part.kind != files.part.kind {
        all.append((FileLosses(files.snapshot, .snapshot, in: other.part), other))
      }
    }
    self = try Self.told(all)[0]
  }

  /// The losses of a snapshot in each of its file systems, including those that the files of all of
  /// them reveal.
  ///
  /// An exception was for one place of the snapshot: what is written in one file system without an
  /// exception leaves fewer that may have been for any of the others.
  ///
  /// - Parameter parts: The file systems, and the losses known without them.
  static func told(
    _ parts: [(known: FileLosses, files: SnapshotFiles)]
  ) throws(FileSystemError) -> [FileLosses] {
    var losses = parts.map(\.known)
    guard let (first, files) = parts.first, first.isAnyUnknown else { return losses }
    var accounted: [Range<UInt64>] = []
    var possible: [[Range<UInt64>]] = []
    var isOriginWritten = false
    for (index, part) in parts.enumerated() {
      do throws(FileSystemError) {
        let written = try WrittenBytes(part.files)
        losses[index].addUnnamed(written.certain)
        accounted += part.files.part.outside(losses[index].unnamed)
        possible.append(written.possible)
        isOriginWritten = isOriginWritten || written.newer == .origin
      } catch {
        // A file system that is damaged too much gives no evidence.
        if error.isFatal { throw error }
        possible.append([])
      }
    }
    let (generation, geometry) = (files.snapshot.loaded.generation, files.snapshot.loaded.geometry)
    let count = accounted.union.chunkCount(geometry)
    let unknownCount = generation?.lostCount(besides: count) ?? 0
    // Writes without an exception decide the doubt: the end is lost. After an overflow the origin
    // may have been written further, even if all chunks in flight have a place.
    let isEndLost =
      generation?.isEndLost == true || first.isEndInDoubt && !accounted.isEmpty
      || generation?.hadInFlight == true && isOriginWritten
    for index in losses.indices {
      losses[index].unknownCount = unknownCount
      losses[index].hasUnknown = unknownCount > 0 || isEndLost
      if isEndLost { losses[index].isEndInDoubt = false }
      // If files account for each exception that is lost, nothing else is in doubt.
      if losses[index].isAnyUnknown { losses[index].addDoubtful(possible[index]) }
    }
    return losses
  }

  /// The losses of a snapshot that its files reveal, in bytes of it.
  package static func toldRanges(
    of snapshot: Snapshot
  ) throws(FileSystemError) -> [Range<UInt64>] {
    let found = try snapshot.fileSystems().found
    let losses = try told(
      found.map { (FileLosses(snapshot, .snapshot, in: $0.part), $0) })
    return zip(found, losses).flatMap { $0.part.outside($1.ranges) }
  }

  private mutating func addUnnamed(_ written: [Range<UInt64>]) {
    unnamed = written.without(ranges)
    ranges = (ranges + unnamed).union
    likely = likely.without(ranges)
    doubtful = doubtful.without(ranges)
  }

  private mutating func addDoubtful(_ written: [Range<UInt64>]) {
    doubtful = (doubtful + written.without((ranges + likely).union)).union
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

  /// The numbers of bytes of a file that are lost, in doubt, and likely.
  public struct Counts: Equatable, Sendable {
    /// The number of lost bytes, as far as known without reading them.
    public var lost: UInt64 = 0
    /// The number of bytes that may have been written without an exception.
    public var doubtful: UInt64 = 0
    /// The number of bytes that rest, or would rest, on likely evidence.
    public var likely: UInt64 = 0

    /// Of a file that has lost so many bytes, and of which nothing else is in doubt.
    public init(lost: UInt64 = 0) { self.lost = lost }
  }

  /// The numbers of bytes of a file that are lost, in doubt, and likely, as far as known without
  /// reading it.
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
  /// Ranges of exceptions that may belong to another table, in bytes of the origin.
  fileprivate var doubtfulRanges: [Range<UInt64>] {
    guard let first = loaded.generation?.firstDoubtfulChunk else { return [] }
    return loaded.table.runs.compactMap { run in
      let skipped = min(first > run.new ? first - run.new : 0, run.count)
      return skipped < run.count
        ? bytes(ofOld: run.old + skipped, count: run.count - skipped) : nil
    }
  }

  /// Ranges with a likely place, used or not, in bytes of the origin.
  fileprivate var likelyRanges: [Range<UInt64>] {
    loaded.placement.placements(.likely).compactMap { placement in
      placement.strength == .likely ? bytes(ofOld: placement.old, count: placement.count) : nil
    }
  }
}

extension Generation {
  /// The maximum number of lost exceptions of unknown old chunks, besides so many.
  fileprivate func lostCount(besides count: UInt64) -> UInt64 {
    let known = lostChunkCount(for: [.exceptionLost, .exceptionDamaged]) &+ count
    let lost = lostExceptionCount &+ inFlightCount
    return lost - min(lost, known)
  }
}

extension [Range<UInt64>] {
  /// The number of chunks that overlap ascending ranges of the origin.
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
