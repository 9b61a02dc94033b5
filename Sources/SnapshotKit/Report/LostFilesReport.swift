internal import BlockIO
internal import FileSystems

/// The files that losses are in, as `inspect`, `export` and `salvage` have them under `fileLosses`.
///
///     {"complete", "unknownExceptionCount", "lostFileCount", "doubtfulFileCount",
///      "likelyFileCount", "lostNameCount", "lostNames",
///      "freeByteCount", "freeRangeCount", "structureByteCount",
///      "files": [{"path", "inode", "tree", "byteCount", "lostByteCount", "unnamedByteCount",
///      "structureByteCount", "doubtfulByteCount", "likelyByteCount",
///      "lost": [{"byteOffset", "byteCount"}]}]}
public struct LostFilesReport: Encodable, Sendable {
  /// More files, names, and ranges of a file are not listed.
  private static let (fileCountMax, rangeCountMax) = (100_000, 256)

  let complete: Bool
  let unknownExceptionCount: UInt64
  let lostFileCount: Int
  let doubtfulFileCount: Int
  let likelyFileCount: Int
  let lostNameCount: Int
  let lostNames: [String]
  let freeByteCount: UInt64
  let freeRangeCount: Int
  let structureByteCount: UInt64
  let files: [File]

  struct File: Encodable {
    @Nullable var path: String?
    let inode: UInt64
    let tree: UInt64
    let byteCount: UInt64
    let lostByteCount: UInt64
    let unnamedByteCount: UInt64
    let structureByteCount: UInt64
    let doubtfulByteCount: UInt64
    let likelyByteCount: UInt64
    let lost: [RangeReport]
  }

  /// The report of the files of a snapshot.
  public init(_ found: LostFiles) {
    complete = !found.hasUnknown && found.damage.isEmpty
    unknownExceptionCount = found.unknownCount
    lostFileCount = found.files.count { $0.isLost }
    doubtfulFileCount = found.files.count { $0.doubtfulByteCount > 0 }
    likelyFileCount = found.files.count { $0.likelyByteCount > 0 }
    lostNameCount = found.names.count
    lostNames = Array(found.names.prefix(Self.fileCountMax))
    (freeByteCount, freeRangeCount) = (found.free.totalCount, found.free.count)
    structureByteCount = found.structures.totalCount
    files = found.files.prefix(Self.fileCountMax).map {
      File(
        path: $0.paths.first, inode: $0.id.number, tree: $0.id.tree, byteCount: $0.byteCount,
        lostByteCount: $0.lost.totalCount, unnamedByteCount: $0.unnamedByteCount,
        structureByteCount: $0.structureByteCount, doubtfulByteCount: $0.doubtfulByteCount,
        likelyByteCount: $0.likelyByteCount,
        lost: $0.lost.prefix(Self.rangeCountMax).map { RangeReport($0) })
    }
  }
}
