internal import BlockIO
internal import FileSystems

/// The files that losses are in, as `inspect`, `export` and `salvage` have them under `fileLosses`.
///
///     {"complete", "unknownExceptionCount", "lostFileCount", "doubtfulFileCount",
///      "likelyFileCount", "lostNameCount", "lostNames",
///      "freeByteCount", "freeRangeCount", "structureByteCount",
///      "files": [{"path", "partition", "volume", "inode", "tree", "byteCount",
///      "lostByteCount", "unnamedByteCount", "structureByteCount", "doubtfulByteCount",
///      "likelyByteCount", "lost": [{"byteOffset", "byteCount"}]}]}
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
    @Nullable var partition: Int?
    @Nullable var volume: String?
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

  /// The report of the files of a snapshot: of each file system.
  public init(_ found: [LostFiles]) {
    complete = !found.contains { $0.hasUnknown || !$0.damage.isEmpty }
    unknownExceptionCount = found.map(\.unknownCount).max() ?? 0
    let all = found.flatMap { part in part.files.map { (part.part, $0) } }
    lostFileCount = all.count { $0.1.isLost }
    doubtfulFileCount = all.count { $0.1.doubtfulByteCount > 0 }
    likelyFileCount = all.count { $0.1.likelyByteCount > 0 }
    let names = found.flatMap(\.names)
    lostNameCount = names.count
    lostNames = Array(names.prefix(Self.fileCountMax))
    freeByteCount = found.reduce(0) { $0 + $1.free.totalCount }
    freeRangeCount = found.reduce(0) { $0 + $1.free.count }
    structureByteCount = found.reduce(0) { $0 + $1.structures.totalCount }
    files = all.prefix(Self.fileCountMax).map { part, file in
      File(
        path: file.paths.first, partition: part.partition, volume: part.volume,
        inode: file.id.number, tree: file.id.tree,
        byteCount: file.byteCount, lostByteCount: file.lost.totalCount,
        unnamedByteCount: file.unnamedByteCount, structureByteCount: file.structureByteCount,
        doubtfulByteCount: file.doubtfulByteCount, likelyByteCount: file.likelyByteCount,
        lost: file.lost.prefix(Self.rangeCountMax).map { RangeReport($0) })
    }
  }
}

extension SnapshotPart.Kind {
  fileprivate var partition: Int? { if case .partition(let number) = self { number } else { nil } }

  fileprivate var volume: String? { if case .volume(let name) = self { name } else { nil } }
}
