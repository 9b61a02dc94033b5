internal import BlockIO
public import FileSystems
internal import SnapshotFormat

/// Where the bytes of a snapshot's file are: which are the origin's own, and which the store has.
public struct FileExceptions: Sendable {
  /// Consecutive bytes of a file that lie together.
  public struct Piece: Sendable {
    /// The bytes of the file; nil for its map and attributes.
    public let file: Range<UInt64>?
    /// The bytes of the snapshot, which are those of the origin.
    public let view: Range<UInt64>
    /// The chunk of the origin that the first of them is in.
    public let oldChunk: UInt64
    /// The chunk of the store that has it; nil where the origin's own bytes show.
    public let newChunk: UInt64?
    /// The bytes of the store that hold them; nil where they are the origin's own, or past the
    /// store's end.
    public let store: Range<UInt64>?
    /// Whether the exception points past the end of the store.
    public let isBeyondStore: Bool
    /// Whether the bytes are the content as it is; otherwise they are compressed, reserved, or in
    /// the inode.
    public let isPlain: Bool
    /// Whether they are lost, as far as known without reading them: the bytes shown there are not
    /// the snapshot's.
    public let isLost: Bool
  }

  /// The pieces, in the order of the file, its structures last.
  public private(set) var pieces: [Piece] = []
  /// Damage met: if there is any, pieces may be missing.
  public let damage: [FileSystemDamage]

  /// Finds the pieces of a file of the snapshot's file system.
  ///
  /// - Parameters:
  ///   - part: The part of the snapshot that the file system is in.
  ///   - lost: What of the file system is lost, ascending.
  public init(
    of inode: Inode, in fileSystem: any FileSystem, of snapshot: Snapshot, in part: SnapshotPart,
    lost: [Range<UInt64>] = []
  ) throws(FileSystemError) {
    let map = try fileSystem.map(of: inode)
    damage = map.damage
    for extent in map.extents {
      guard let range = extent.sourceRange else { continue }
      let isPlain = if case .data = extent.place { true } else { false }
      let isAsLong =
        range.upperBound - range.lowerBound == extent.file.upperBound - extent.file.lowerBound
      let file = isAsLong ? extent.file : nil
      add(range, file, snapshot.view, part, isPlain, lost)
    }
    for range in map.structures { add(range, nil, snapshot.view, part, true, lost) }
  }

  private mutating func add(
    _ range: Range<UInt64>, _ file: Range<UInt64>?, _ view: SnapshotView, _ part: SnapshotPart,
    _ isPlain: Bool, _ lost: [Range<UInt64>]
  ) {
    let missing = lost.parts(in: range)
    let pieces =
      missing.map { ($0, true) } + [range].without(missing).map { ($0, false) }
    for (bytes, isLost) in pieces.sorted(by: { $0.0.lowerBound < $1.0.lowerBound }) {
      for piece in part.outside(bytes) {
        let within = file.map { $0.lowerBound + (piece.start - range.lowerBound) }
        add(
          piece.bytes.clamped(to: 0..<view.byteCount), from: within, view, isPlain, isLost: isLost)
      }
    }
  }

  /// Adds bytes of the view.
  ///
  /// - Parameter start: The byte of the file that the first is; nil if they are of none.
  private mutating func add(
    _ bytes: Range<UInt64>, from start: UInt64?, _ view: SnapshotView, _ isPlain: Bool,
    isLost: Bool
  ) {
    let geometry = view.table.geometry
    view.forEachSegment(in: bytes) { segment in
      let old = geometry.chunk(containing: segment.range.lowerBound)
      let count = segment.range.upperBound - segment.range.lowerBound
      var store: Range<UInt64>?
      if case .store(let offset) = segment.place { store = offset..<offset + count }
      let place = start.map { start in
        let first = start + (segment.range.lowerBound - bytes.lowerBound)
        return first..<first + count
      }
      pieces.append(
        Piece(
          file: place, view: segment.range, oldChunk: old.index,
          newChunk: segment.place == .origin ? nil : view.table.newChunk(for: old)?.index,
          store: store, isBeyondStore: segment.place == .beyondStore, isPlain: isPlain,
          isLost: isLost))
    }
  }
}
