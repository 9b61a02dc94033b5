public import BlockIO
public import FileSystems
internal import SnapshotFormat

/// The file systems of a snapshot and of its origin, on the same bytes of both.
public struct SnapshotFiles: Sendable {
  /// Which of the two.
  public enum Side: String, CaseIterable, Sendable {
    /// The snapshot: how things were.
    case snapshot
    /// The origin: how things are now.
    case origin

    /// The other one.
    public var other: Side { self == .snapshot ? .origin : .snapshot }
  }

  /// The snapshot.
  public let snapshot: Snapshot
  /// The bytes of the snapshot, and of the origin, that the file systems are in.
  public let bytes: Range<UInt64>
  /// The file system of the snapshot.
  public let before: any FileSystem
  /// The file system of the origin.
  public let after: any FileSystem

  /// Opens both file systems.
  ///
  /// - Parameter partition: The bytes that they are in; nil for all.
  public init(
    _ snapshot: Snapshot, partition: Range<UInt64>? = nil,
    open: (any BlockSource) throws(FileSystemError) -> any FileSystem = {
      (source) throws(FileSystemError) in try FileSystemOpening.open(source)
    }
  ) throws(FileSystemError) {
    self.snapshot = snapshot
    bytes = partition ?? 0..<snapshot.view.byteCount
    func part(_ source: any BlockSource) throws(FileSystemError) -> any BlockSource {
      guard let partition else { return source }
      return try wrapping(FileSystemError.io, try SliceSource(source, partition))
    }
    before = try open(part(snapshot.view))
    after = try open(part(snapshot.origin))
  }

  /// The file system of a side.
  public subscript(side: Side) -> any FileSystem { side == .snapshot ? before : after }

  /// Ranges of the snapshot as ranges of the file systems' sources, as far as they are in them.
  package func inside(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    ranges.compactMap { range in
      let part = range.clamped(to: bytes)
      return part.isEmpty
        ? nil : part.lowerBound - bytes.lowerBound..<part.upperBound - bytes.lowerBound
    }
  }

  /// Where snapshot and origin differ, sector by sector, in bytes of the file systems' sources.
  ///
  /// Only chunks that the table maps are read.
  func differences(
    _ progress: ProgressHandler = { _, _ in }
  ) throws(BlockIOError) -> [Range<UInt64>] {
    var ranges: [Range<UInt64>] = []
    _ = try snapshot.diff(progress: progress) { ranges.append($0) }
    return inside(ranges)
  }
}
