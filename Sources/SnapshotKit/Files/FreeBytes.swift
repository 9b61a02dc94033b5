public import BlockIO
public import FileSystems

/// The bytes of a file system that are in no file and no structure, as one stream: it holds the
/// text of deleted files.
///
/// Holes of the source are left out; the pieces have the places of the rest.
public struct FreeBytes: Sendable {
  /// Consecutive bytes of the stream that were consecutive in the snapshot.
  public struct Piece: Encodable, Sendable {
    /// The first byte of the stream.
    public let streamOffset: UInt64
    /// The first byte of the snapshot, or of the origin.
    public let byteOffset: UInt64
    /// The number of bytes.
    public let byteCount: UInt64
    /// Whether only the store has them: the origin may hold something else there by now.
    public let inStore: Bool
  }

  /// The pieces, ascending.
  public private(set) var pieces: [Piece] = []
  /// The length of the stream.
  public private(set) var byteCount: UInt64 = 0
  /// The bytes of the stream that are lost, as far as known without reading them, ascending.
  public private(set) var lost: [Range<UInt64>] = []
  private let source: any BlockSource

  /// The free bytes of a side.
  ///
  /// - Parameters:
  ///   - part: The part of the side that the file system is in.
  ///   - losses: What of it is lost.
  public init(
    of fileSystem: any FileSystem, _ snapshot: Snapshot, _ side: SnapshotFiles.Side,
    in part: SnapshotPart, _ losses: FileLosses
  ) throws(FileSystemError) {
    let source: any BlockSource = side == .snapshot ? snapshot.view : snapshot.origin
    self.source = source
    for range in try fileSystem.freeRanges() {
      let found = losses.ranges.parts(in: range)
      for piece in part.outside(range) { try add(piece, of: snapshot, side, lost: found) }
    }
  }

  /// Adds the parts of a piece that are not holes.
  private mutating func add(
    _ piece: SnapshotPart.Piece, of snapshot: Snapshot, _ side: SnapshotFiles.Side,
    lost found: [Range<UInt64>]
  ) throws(FileSystemError) {
    let free = piece.bytes
    var position = free.lowerBound
    while position < free.upperBound,
      let data = try wrapping(FileSystemError.io, try source.nextData(from: position)),
      data.lowerBound < free.upperBound
    {
      let part = data.clamped(to: position..<free.upperBound)
      let start = piece.start + (part.lowerBound - free.lowerBound)
      for range in found.parts(in: start..<start + (part.upperBound - part.lowerBound)) {
        let first = byteCount + (range.lowerBound - start)
        lost.append(mergingInto: first..<first + (range.upperBound - range.lowerBound))
      }
      if side == .snapshot {
        snapshot.view.forEachSegment(in: part) { add($0.range, inStore: $0.place != .origin) }
      } else {
        add(part, inStore: false)
      }
      position = max(data.upperBound, position + 1)
    }
  }

  private mutating func add(_ range: Range<UInt64>, inStore: Bool) {
    let count = range.upperBound - range.lowerBound
    if count == 0 { return }
    if let last = pieces.last, last.inStore == inStore,
      last.byteOffset + last.byteCount == range.lowerBound
    {
      pieces[pieces.count - 1] = Piece(
        streamOffset: last.streamOffset, byteOffset: last.byteOffset,
        byteCount: last.byteCount + count, inStore: inStore)
    } else {
      pieces.append(
        Piece(
          streamOffset: byteCount, byteOffset: range.lowerBound, byteCount: count,
          inStore: inStore))
    }
    byteCount += count
  }

  /// Writes the stream into a new file of its length.
  ///
  /// - Returns: The bytes of the stream that could not be read, ascending: they are zeroes.
  public func write(
    to output: OutputFile, progress: ProgressHandler = { _, _ in }
  ) throws(BlockIOError) -> [Range<UInt64>] {
    let (pieces, total) = (pieces, byteCount)
    let copier = ExtentCopier(
      from: source, to: output, readsAround: true, leavesZeroes: true, sharesUnread: false)
    return try copier.copy(
      { (copy) throws(BlockIOError) in
        for piece in pieces {
          try copy(
            CopyExtent(
              sourceOffset: piece.byteOffset, targetOffset: piece.streamOffset,
              byteCount: piece.byteCount))
        }
      },
      progress: {
        progress($0, total)
        return true
      }
    ).unreadable
  }
}
