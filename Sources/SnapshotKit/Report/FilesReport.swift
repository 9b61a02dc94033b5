internal import BlockIO
public import FileSystems

/// `files list --format json`: the files, one by one, under `entries`.
///
///     {"schema": "dmsnap.files-list.v1", "of": "snapshot", "fileSystem": "ext4",
///      "damage": [{"path", "problem"}], "entries": [...]}
///
/// The entries, possibly millions, are not part of it: they are written as they are found.
public struct FilesListReport: Encodable, Sendable {
  /// The key of the entries.
  package static let entriesKey = "entries"

  let schema = "dmsnap.files-list.v1"
  let of: String
  let fileSystem: String
  let damage: [FileDamageReport]

  /// The report of a walk over a file system.
  public init(_ side: SnapshotFiles.Side, _ family: String, _ damage: [TreeDamage]) {
    (of, fileSystem) = (side.rawValue, family)
    self.damage = damage.map { FileDamageReport(path: $0.path, problem: $0.damage.problem) }
  }
}

/// Damage that a command met.
struct FileDamageReport: Encodable {
  let path: String
  let problem: String
}

/// `files get --format json`: the extracted files, and the losses.
///
///     {"schema": "dmsnap.files-get.v1", "complete", "fileCount", "presentCount", "byteCount",
///      "lostCount", "forbiddenCount",
///      "lost": [{"path", "reason", "ranges": [{"byteOffset", "byteCount"}]}]}
public struct FilesGetReport: Encodable, Sendable {
  let schema = "dmsnap.files-get.v1"
  let complete: Bool
  let fileCount: UInt64
  let presentCount: UInt64
  let byteCount: UInt64
  let lostCount: UInt64
  let forbiddenCount: UInt64
  let lost: [Loss]

  struct Loss: Encodable {
    let path: String
    let reason: String
    let ranges: [RangeReport]
  }

  /// The report of an extraction.
  ///
  /// - Parameter hasUnknownLosses: Whether the snapshot has losses of which it is not known where
  ///   they are: any file may be wrong.
  public init(_ extraction: Extraction, hasUnknownLosses: Bool) {
    complete = extraction.isWhole && extraction.forbiddenCount == 0 && !hasUnknownLosses
    (fileCount, byteCount) = (extraction.fileCount, extraction.byteCount)
    presentCount = extraction.presentCount
    (lostCount, forbiddenCount) = (extraction.lossCount, extraction.forbiddenCount)
    lost = extraction.losses.map {
      Loss(path: $0.path, reason: $0.reason, ranges: $0.ranges.map { RangeReport($0) })
    }
  }
}

extension FilesGetReport {
  /// The report of a stream of the bytes that are in no file.
  ///
  /// - Parameter lost: The bytes of the stream that are lost.
  public init(
    _ path: String, _ free: FreeBytes, lost: [Range<UInt64>], hasUnknownLosses: Bool
  ) {
    complete = lost.isEmpty && !hasUnknownLosses
    (fileCount, presentCount, byteCount, forbiddenCount) = (1, 0, free.byteCount, 0)
    lostCount = lost.isEmpty ? 0 : 1
    self.lost =
      lost.isEmpty
      ? [] : [Loss(path: path, reason: "bytes are lost", ranges: lost.map { RangeReport($0) })]
  }
}

/// Bytes, from one on.
struct RangeReport: Encodable {
  let byteOffset: UInt64
  let byteCount: UInt64

  init(_ range: Range<UInt64>) {
    (byteOffset, byteCount) = (range.lowerBound, range.upperBound - range.lowerBound)
  }
}

/// `files changes --format json`: the differences.
///
///     {"schema": "dmsnap.files-changes.v1", "before": "snapshot" | "origin", "after",
///      "changes": [{"path", "status", "from", "byteCount", "changedByteCount"}],
///      "damage": [{"side", "problem"}]}
public struct FilesChangesReport: Encodable, Sendable {
  let schema = "dmsnap.files-changes.v1"
  let before: String
  let after: String
  let changes: [Change]
  let damage: [SideDamageReport]

  struct Change: Encodable {
    let path: String
    let status: String
    @Nullable var from: String?
    let byteCount: UInt64
    let changedByteCount: UInt64
  }

  /// The report of a comparison.
  public init(_ found: FileChanges) {
    (before, after) = (found.before.rawValue, found.before.other.rawValue)
    changes = found.changes.map {
      Change(
        path: $0.path, status: $0.status.rawValue, from: $0.from, byteCount: $0.byteCount,
        changedByteCount: $0.changedByteCount)
    }
    damage = found.damage.map { SideDamageReport($0.side, $0.damage) }
  }
}

/// Damage of one of the two file systems.
struct SideDamageReport: Encodable {
  let side: String
  let problem: String

  init(_ side: SnapshotFiles.Side, _ damage: FileSystemDamage) {
    (self.side, problem) = (side.rawValue, damage.problem)
  }
}

/// `files owner --format json`: whose the bytes are.
///
///     {"schema": "dmsnap.files-owner.v1", "byteCount", "ranges": [{"byteOffset", "byteCount"}],
///      "owners": [{"of", "paths", "inode", "contentByteCount", "inlineByteCount",
///      "structureByteCount"}],
///      "unowned": [{"of", "what", "byteOffset", "byteCount"}], "damage": [{"side", "problem"}]}
public struct FilesOwnerReport: Encodable, Sendable {
  let schema = "dmsnap.files-owner.v1"
  let byteCount: UInt64
  let ranges: [RangeReport]
  let owners: [Owner]
  let unowned: [Unowned]
  let damage: [SideDamageReport]

  struct Owner: Encodable {
    let of: String
    let paths: [String]
    let inode: UInt64
    let contentByteCount: UInt64
    let inlineByteCount: UInt64
    let structureByteCount: UInt64
  }

  struct Unowned: Encodable {
    let of: String
    @Nullable var what: String?
    let byteOffset: UInt64
    let byteCount: UInt64
  }

  /// The report of a search for owners.
  public init(_ found: FileOwners) {
    byteCount = found.ranges.totalCount
    ranges = found.ranges.map { RangeReport($0) }
    owners = found.owners.map {
      Owner(
        of: $0.side.rawValue, paths: $0.paths, inode: $0.id.number,
        contentByteCount: $0.contentByteCount, inlineByteCount: $0.inlineByteCount,
        structureByteCount: $0.structureByteCount)
    }
    unowned = found.unowned.map {
      Unowned(
        of: $0.side.rawValue, what: $0.what, byteOffset: $0.bytes.lowerBound,
        byteCount: $0.bytes.upperBound - $0.bytes.lowerBound)
    }
    damage = found.damage.map { SideDamageReport($0.side, $0.damage) }
  }
}

/// `files extents --format json`: where a file of the snapshot is.
///
///     {"schema": "dmsnap.files-extents.v1", "path", "inode", "byteCount",
///      "extents": [{"fileOffset", "byteOffset", "byteCount", "oldChunk", "newChunk",
///      "storeOffset", "plain", "lost"}], "damage": [{"path", "problem"}]}
public struct FilesExtentsReport: Encodable, Sendable {
  let schema = "dmsnap.files-extents.v1"
  let path: String
  let inode: UInt64
  let byteCount: UInt64
  let extents: [Piece]
  let damage: [FileDamageReport]

  struct Piece: Encodable {
    @Nullable var fileOffset: UInt64?
    let byteOffset: UInt64
    let byteCount: UInt64
    let oldChunk: UInt64
    @Nullable var newChunk: UInt64?
    @Nullable var storeOffset: UInt64?
    let plain: Bool
    let lost: Bool
  }

  /// The report of a file.
  public init(_ place: FileTree.Place, _ found: FileExceptions) {
    path = place.path
    (inode, byteCount) = (place.inode.id.number, place.inode.byteCount)
    extents = found.pieces.map {
      Piece(
        fileOffset: $0.file?.lowerBound, byteOffset: $0.view.lowerBound,
        byteCount: $0.view.upperBound - $0.view.lowerBound, oldChunk: $0.oldChunk,
        newChunk: $0.newChunk, storeOffset: $0.store?.lowerBound, plain: $0.isPlain,
        lost: $0.isLost)
    }
    damage = found.damage.map { FileDamageReport(path: place.path, problem: $0.problem) }
  }
}
