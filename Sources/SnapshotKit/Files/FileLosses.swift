internal import BlockIO
public import FileSystems

/// Which bytes of a snapshot's or an origin's file system are known to be lost, without reading.
public struct FileLosses: Sendable {
  /// The bytes of the file system's source, ascending: unreadable, or not what the snapshot had.
  package let ranges: [Range<UInt64>]
  /// Whether exceptions are lost, or may be, that no range accounts for.
  public let hasUnknown: Bool

  /// What is lost of a side.
  ///
  /// - Parameter bytes: The bytes of it that the file system is in.
  public init(_ snapshot: Snapshot, _ side: SnapshotFiles.Side, in bytes: Range<UInt64>) {
    let view = snapshot.view
    var lost = snapshot.origin.knownUnreadable(in: bytes)
    hasUnknown = side == .snapshot && snapshot.loaded.hasUnknownLosses
    if side == .snapshot {
      // What the origin cannot show matters where the snapshot shows the origin.
      lost = lost.flatMap { range in
        var shown: [Range<UInt64>] = []
        view.forEachSegment(in: range) { if $0.place == .origin { shown.append($0.range) } }
        return shown
      }
      lost += snapshot.lost.map(\.range) + view.knownLosses.map(\.range)
    }
    ranges = lost.union.compactMap { range in
      let part = range.clamped(to: bytes)
      return part.isEmpty
        ? nil : part.lowerBound - bytes.lowerBound..<part.upperBound - bytes.lowerBound
    }
  }

  /// How many bytes of a file are lost, as far as is known without reading it.
  public func lostByteCount(
    of inode: Inode, in fileSystem: any FileSystem
  ) throws(FileSystemError) -> UInt64 {
    guard inode.kind == .regular else { return 0 }
    return try fileSystem.map(of: inode).lost(ranges).totalCount
  }
}
