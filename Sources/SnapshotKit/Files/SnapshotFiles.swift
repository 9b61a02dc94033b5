public import BlockIO
public import FileSystems

/// The file systems of a snapshot and of its origin, on the same bytes of both.
public struct SnapshotFiles: Sendable {
  /// One of the two.
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
  /// The part of the snapshot, and of the origin, that the file systems are in.
  public let part: SnapshotPart
  /// The file system of the snapshot.
  public let before: any FileSystem
  /// The file system of the origin.
  public let after: any FileSystem

  /// Opens both file systems.
  ///
  /// - Parameter part: The part that they are in; nil for all.
  public init(
    _ snapshot: Snapshot, in part: SnapshotPart? = nil,
    open: (any BlockSource) throws(FileSystemError) -> any FileSystem = {
      (source) throws(FileSystemError) in try FileSystemOpening.open(source)
    }
  ) throws(FileSystemError) {
    let part = part ?? SnapshotPart(wholeOf: snapshot)
    (self.snapshot, self.part) = (snapshot, part)
    before = try open(part.source(in: snapshot.view))
    after = try open(part.source(in: snapshot.origin))
  }

  /// The file system of a side.
  public subscript(side: Side) -> any FileSystem { side == .snapshot ? before : after }

  /// The ranges in which snapshot and origin differ, sector by sector, in bytes of the file
  /// systems' sources.
  ///
  /// Only chunks that the table maps are read.
  func differences(
    _ progress: ProgressHandler = { _, _ in }
  ) throws(BlockIOError) -> [Range<UInt64>] {
    var ranges: [Range<UInt64>] = []
    _ = try snapshot.diff(progress: progress) { ranges.append($0) }
    return part.inside(ranges)
  }
}

extension Snapshot {
  /// The file systems that can be read on both sides: of all of it, or of each partition and each
  /// logical volume in it; and the parts whose file system is damaged too much.
  func fileSystems() throws(FileSystemError) -> (
    found: [SnapshotFiles], unreadable: [(part: SnapshotPart.Kind, damage: FileSystemDamage)]
  ) {
    var found: [SnapshotFiles] = []
    var unreadable: [(part: SnapshotPart.Kind, damage: FileSystemDamage)] = []
    var parts = [SnapshotPart(wholeOf: self)]
    while let part = parts.popLast() {
      do throws(FileSystemError) {
        found.append(try SnapshotFiles(self, in: part))
      } catch {
        if error.isFatal { throw error }
        if part.kind == .whole { parts = Array((try partitions() + volumes()).reversed()) }
        if case .damaged(_, let problem) = error { unreadable.append((part.kind, problem)) }
      }
    }
    return (found, unreadable)
  }
}
