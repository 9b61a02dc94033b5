internal import BlockIO

/// Where the content of a file is.
struct FileLayout: Equatable, Sendable {
  /// Consecutive bytes of a file that are consecutive in the snapshot.
  struct Extent: Equatable, Sendable {
    /// The first byte, within the file.
    let logicalByte: UInt64
    /// The first byte, within the snapshot.
    let physicalByte: UInt64
    /// The number of bytes.
    let byteCount: UInt64
  }

  /// The file's number.
  let inode: UInt64
  /// Whether it is a directory.
  let isDirectory: Bool
  /// Its length in bytes.
  let byteCount: UInt64
  /// When its content was last written, as far as two views of a file system can be compared.
  let writeTime: UInt64
  /// The extents written so far, ascending within the file.
  let extents: [Extent]
}

extension SnapshotView {
  /// The origin as it is now, seen through no exception.
  var originView: SnapshotView {
    SnapshotView(of: origin, through: ExceptionTable(table, runs: []), of: store)
  }
}

/// A file system with the places of its files' content, and of the space that was free before.
protocol FileMapper: Sendable {
  /// The length of a block in bytes.
  var blockByteCount: Int { get }

  /// Calls `body` with each regular file and each directory of a view, in the order of their
  /// numbers; only one map is in memory at a time. A map in which anything is damaged is left out.
  func forEachFile(
    of view: SnapshotView, _ body: (FileLayout) -> Void
  ) throws(BlockIOError)

  /// The bytes that were free in the origin, ascending.
  func freeRanges(of view: SnapshotView) throws(BlockIOError) -> [Range<UInt64>]

  /// Whether a view is newer than its origin, as that of an overlay is.
  func isNewer(_ view: SnapshotView) throws(BlockIOError) -> Bool

  /// Whether a block is one of the structures of such a file system, and so not a file's content.
  func isStructure(_ block: Span<UInt8>) -> Bool
}
