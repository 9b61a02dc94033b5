public import BlockIO
import FileSystemFormat
import Synchronization

/// An XFS of version 4 or 5.
///
/// In version 5, a structure is used only if its checksum, its place, its owner and its UUID are
/// right; names in a directory block with a wrong checksum are returned nevertheless, and the
/// damage with them. Version 4 has none of these: only impossible values are noticed there.
///
/// It shows what Linux shows: a log that a mount would replay is replayed in memory, unless the
/// caller declines, see ``notes``. Files on a real-time device are listed, and their content is
/// refused.
public final class XFSFileSystem: FileSystem {
  public let source: any BlockSource
  public let root: FileID
  public var family: String { "xfs" }

  /// Notes on the file system as a whole: a log that was replayed, or not; a superblock that was
  /// damaged; empty if there are none.
  public let notes: [String]

  let reader: XFSReader
  /// The inode chunks of groups, as far as they were asked for.
  let chunks = Mutex(XFSChunkCache())

  /// Opens the file system at the beginning of a source.
  ///
  /// - Parameter isLogReplayed: Whether to show the file system as it is once its log is replayed,
  ///   as a mount does. Otherwise it is shown as it is on the disk, as a mount with `norecovery`
  ///   does.
  /// - Throws: `notFound` if there is none; `unsupported` if it has a feature that changes how
  ///   files are read and that is unknown here; `io`.
  public init(_ source: any BlockSource, isLogReplayed: Bool = true) throws(FileSystemError) {
    let (superblock, problem) = try Self.superblock(of: source)
    if let feature = superblock.unsupported.first { throw .unsupported(source.name, feature) }
    if problem == nil, superblock.isUnfinished {
      throw .unsupported(source.name, "a file system that mkfs did not finish")
    }
    let geometry = superblock.geometry
    guard geometry.groupByteCount >= XFSGeometry.groupByteCountMin else {
      throw .unsupported(source.name, "an XFS with groups of \(geometry.groupByteCount) bytes")
    }
    self.source = source
    var notes = problem.map { [$0] } ?? []
    if superblock.needsRepair {
      notes.append("the file system is marked for repair; Linux does not mount it before that")
    }
    if source.byteCount < geometry.byteCount {
      notes.append(
        "the file system has \(geometry.byteCount) bytes, and only \(source.byteCount) of them are"
          + " present")
    }
    reader = try Self.replayed(
      XFSReader(source, superblock), isWanted: isLogReplayed, notes: &notes)
    root = FileID(try Self.root(reader))
    self.notes = notes
  }

  /// Reads the file system as it is after its log was replayed.
  private static func replayed(
    _ reader: XFSReader, isWanted: Bool, notes: inout [String]
  ) throws(FileSystemError) -> XFSReader {
    var replay = XFSReplay(reader)
    let overlay = try replay.run()
    guard isWanted else {
      if !replay.notes.isEmpty {
        notes.append("the log was not replayed: recent changes may be missing")
      }
      return reader
    }
    notes += replay.notes
    guard let overlay else { return reader }
    // The superblock may be among the replayed blocks.
    let superblock = try beginning(of: overlay, at: 0).flatMap { XFSSuperblock($0.span) }
    guard let superblock, superblock.geometry.isSame(as: replay.sectors.geometry),
      superblock.unsupported.isEmpty
    else { return XFSReader(overlay, reader.superblock) }
    return XFSReader(overlay, superblock)
  }

  // MARK: - Superblocks

  private static func superblock(
    of source: any BlockSource
  ) throws(FileSystemError) -> (XFSSuperblock, problem: String?) {
    var size: UInt64?
    if let bytes = try beginning(of: source, at: 0) {
      if let superblock = XFSSuperblock(bytes.span) { return (superblock, nil) }
      // A superblock with a wrong checksum may still show where the copies are.
      size = XFSGeometry(ofAnyVersion: bytes.span).flatMap { $0.byteOffset(ofGroup: 1) }
    }
    for start in [size].compactMap({ $0 }) + likelyGroups(source.byteCount) {
      guard let bytes = try beginning(of: source, at: start), let copy = XFSSuperblock(bytes.span),
        copy.hasChecksums, copy.geometry.byteOffset(ofGroup: 1) == start
      else { continue }
      return try (bestCopy(copy, of: source), "the first superblock is damaged; a copy was used")
    }
    throw .notFound(source.name)
  }

  /// Only some of the copies have the number of the root directory.
  private static func bestCopy(
    _ copy: XFSSuperblock, of source: any BlockSource
  ) throws(FileSystemError) -> XFSSuperblock {
    let geometry = copy.geometry
    for group in [1, geometry.groupCount / 2, geometry.groupCount - 1] {
      guard let start = geometry.byteOffset(ofGroup: group),
        let bytes = try beginning(of: source, at: start), let other = XFSSuperblock(bytes.span),
        other.geometry.metaUUID == geometry.metaUUID,
        other.geometry.byteOffset(ofInode: other.rootInode) ?? 0 != 0
      else { continue }
      return other
    }
    return copy
  }

  /// Where the second group may begin, if mkfs chose: a few numbers of groups of equal size.
  private static func likelyGroups(_ byteCount: UInt64) -> [UInt64] {
    let blockCount = byteCount / 4096
    return (2...64).map { (blockCount + $0 - 1) / $0 * 4096 } + [1 << 40]
  }

  private static func beginning(
    of source: any BlockSource, at byteOffset: UInt64
  ) throws(FileSystemError) -> [UInt8]? {
    guard byteOffset < source.byteCount else { return nil }
    let count = Int(min(UInt64(XFSGeometry.byteCountMax), source.byteCount - byteOffset))
    let buffer = IOBuffer(byteCount: count)
    do throws(BlockIOError) {
      let unreadable = try source.readAround(at: byteOffset, into: buffer, 0..<count)
      return unreadable.first?.lowerBound == byteOffset ? nil : buffer.bytes(0..<count)
    } catch { throw .io(error) }
  }

  /// The number of the root directory: if a copy does not have it, that of the first inode.
  private static func root(_ reader: XFSReader) throws(FileSystemError) -> UInt64 {
    let root = reader.superblock.rootInode
    if root != 0, reader.geometry.byteOffset(ofInode: root) != nil { return root }
    var (first, walk) = (UInt64?.none, XFSGroupTree(reader, .inodes, of: 0))
    try walk.forEachLeaf { bytes, block in
      guard first == nil, block.count > 0 else { return nil }
      first = XFSInodeChunk(bytes, at: block.recordOffset(0), isSparse: false).first
      return nil
    }
    return first ?? root
  }

  // MARK: - Errors

  func damaged(_ problem: String, at bytes: Range<UInt64>? = nil) -> FileSystemError {
    .damaged(source.name, FileSystemDamage(problem, at: bytes))
  }
}
