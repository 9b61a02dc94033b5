import BlockIO
import FileSystemFormat
import Synchronization

/// The verdict on a block of metadata.
enum XFSVerdict: Equatable {
  /// It is the expected block; version 4 has no checksums to confirm that.
  case intact
  /// It claims to be the expected block, but its checksum is wrong.
  case wrongChecksum
  /// It is not the expected block.
  case wrong(String)

  /// The problem, if any.
  var problem: String? {
    switch self {
    case .intact: nil
    case .wrongChecksum: "wrong checksum"
    case .wrong(let problem): problem
    }
  }
}

/// Reads metadata of an XFS, and checks it.
///
/// Reads are cached in pieces of 32 KiB, which is a chunk of inodes: 16 MiB at most.
final class XFSReader: Sendable {
  private static let pieceByteCount: UInt64 = 32 << 10
  private static let pieceCountMax = 512

  let source: any BlockSource
  let superblock: XFSSuperblock
  /// The owners of the blocks of maps, which do not name them.
  let mapBlocks = MapBlocks()
  private let pieces = Mutex(Pieces())

  private struct Pieces {
    var byStart: [UInt64: IOBuffer] = [:]
    /// In the order in which they came; the oldest goes first.
    var order: [UInt64] = []
    var oldest = 0
  }

  init(_ source: any BlockSource, _ superblock: XFSSuperblock) {
    (self.source, self.superblock) = (source, superblock)
  }

  var geometry: XFSGeometry { superblock.geometry }

  var name: String { source.name }

  // MARK: - Reading

  /// Reads bytes, through the cache.
  ///
  /// - Parameter range: At most a few blocks, checked to be within the file system.
  /// - Returns: Nil if the medium has them no more.
  func bytes(_ range: Range<UInt64>) throws(FileSystemError) -> [UInt8]? {
    let first = range.lowerBound / Self.pieceByteCount * Self.pieceByteCount
    if range.upperBound <= first + Self.pieceByteCount, let piece = try piece(at: first),
      range.upperBound - first <= UInt64(piece.byteCount)
    {
      return piece.bytes(Int(range.lowerBound - first)..<Int(range.upperBound - first))
    }
    let buffer = IOBuffer(byteCount: range.count)
    guard try read(at: range.lowerBound, into: buffer, 0..<range.count) else { return nil }
    return buffer.bytes(0..<range.count)
  }

  /// Reads into a buffer.
  ///
  /// - Returns: False if the medium does not have all of it any more.
  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(FileSystemError) -> Bool {
    do throws(BlockIOError) {
      try source.read(at: byteOffset, into: buffer, range)
      return true
    } catch {
      guard error.isUnreadableMedium else { throw .io(error) }
      return false
    }
  }

  private func piece(at start: UInt64) throws(FileSystemError) -> IOBuffer? {
    if let piece = pieces.withLock({ $0.byStart[start] }) { return piece }
    guard start < source.byteCount else { return nil }
    let piece = IOBuffer(byteCount: Int(min(Self.pieceByteCount, source.byteCount - start)))
    // A bad sector nearby must not cost the requested bytes: they are then read alone.
    guard try read(at: start, into: piece, 0..<piece.byteCount) else { return nil }
    pieces.withLock { pieces in
      guard pieces.byStart.updateValue(piece, forKey: start) == nil else { return }
      if pieces.order.count < Self.pieceCountMax {
        pieces.order.append(start)
      } else {
        pieces.byStart[pieces.order[pieces.oldest]] = nil
        pieces.order[pieces.oldest] = start
        pieces.oldest = (pieces.oldest + 1) % Self.pieceCountMax
      }
    }
    return piece
  }

  // MARK: - Checking

  /// The state of a block; in version 4, which has no checksums, always intact.
  ///
  /// - Parameter owner: Whose it must be: a group or an inode; nil if that does not matter.
  func verdict(
    _ bytes: Span<UInt8>, _ kinds: Set<XFSBlock.Kind>, at address: UInt64, owner: UInt64?
  ) -> XFSVerdict {
    guard superblock.hasChecksums else { return .intact }
    guard let block = XFSBlock(beginning: bytes, of: geometry), kinds.contains(block.kind) else {
      return .wrong("is something else")
    }
    guard block.address == address else { return .wrong("belongs elsewhere") }
    if let owner, block.owner != owner { return .wrong("belongs to \(block.owner)") }
    return XFSChecksum.holds(bytes, at: block.checksumOffset) ? .intact : .wrongChecksum
  }

  /// Reads a block of metadata and checks it.
  ///
  /// - Returns: Its bytes, or the problem.
  func block(
    _ range: Range<UInt64>, _ kind: XFSBlock.Kind, owner: UInt64
  ) throws(FileSystemError) -> (bytes: [UInt8], problem: String?) {
    guard let bytes = try bytes(range) else { return ([], "cannot be read") }
    return (bytes, verdict(bytes.span, [kind], at: range.lowerBound, owner: owner).problem)
  }
}
