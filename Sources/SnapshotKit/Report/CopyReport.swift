/// `export` and `merge` with `--format json`: the written data, and the losses.
///
///     {"schema": "dmsnap.export.v1", "complete": false, "exceptionCount": 302,
///      "byteCount": 1048576, "lost": [{"byteOffset", "byteCount", "reason"}]}
///
/// `byteCount` is the length of an image, or how much of an origin was written in place. Known lost
/// ranges are listed, each with the reason of ``LostRange``; a result can be incomplete without
/// any. A dry run, which writes nothing, adds `"dryRun": true`. An export from which anything is
/// lost adds `fileLosses`, if files can be read.
public struct CopyReport: Encodable, Sendable {
  let schema: String
  let complete: Bool
  let exceptionCount: UInt64
  let byteCount: UInt64
  let lost: [Lost]
  /// Only in a dry run's report.
  let dryRun: Bool?
  /// Only of parts with an examined file system.
  let fileLosses: LostFilesReport?

  struct Lost: Encodable {
    let byteOffset: UInt64
    let byteCount: UInt64
    let reason: String

    init(_ lost: LostRange) {
      byteOffset = lost.range.lowerBound
      byteCount = lost.range.upperBound - lost.range.lowerBound
      reason = lost.reason.rawValue
    }
  }

  /// The report of a command.
  public init(
    command: String, exceptionCount: UInt64, byteCount: UInt64, lost: [LostRange],
    isComplete: Bool, dryRun: Bool? = nil, files: [LostFiles]? = nil
  ) {
    fileLosses = files.map { LostFilesReport($0) }
    schema = "dmsnap.\(command).v1"
    complete = isComplete
    self.exceptionCount = exceptionCount
    self.byteCount = byteCount
    self.lost = lost.map { Lost($0) }
    self.dryRun = dryRun
  }
}

/// `diff --format json`: the byte ranges in which snapshot and origin differ.
///
///     {"schema": "dmsnap.diff.v1", "chunkSectors": 8, "changedByteCount": 4096,
///      "sameByteCount": 0, "identicalChunkCount": 0,
///      "lost": [{"byteOffset", "byteCount", "reason"}],
///      "changed": [{"byteOffset", "byteCount"}]}
///
/// The changed ranges, possibly millions, are not part of it: they are written as they are found,
/// under `changed`, after everything else.
public struct DiffReport: Encodable, Sendable {
  /// The key of the changed ranges.
  package static let changedKey = "changed"

  let schema = "dmsnap.diff.v1"
  let chunkSectors: UInt32
  let changedByteCount: UInt64
  let sameByteCount: UInt64
  let identicalChunkCount: UInt64
  let lost: [CopyReport.Lost]

  /// The report of a comparison, in a store with chunks of that many sectors.
  public init(_ diff: SnapshotDiff, lost: [LostRange], chunkSectors: UInt32) {
    self.chunkSectors = chunkSectors
    changedByteCount = diff.changedByteCount
    sameByteCount = diff.sameByteCount
    identicalChunkCount = diff.identicalChunkCount
    self.lost = lost.map { CopyReport.Lost($0) }
  }
}
