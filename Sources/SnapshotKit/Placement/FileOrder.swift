internal import BlockIO
internal import FileSystems
internal import SnapshotFormat

/// In which order a writer comes to the chunks of files, as far as the file systems tell.
///
/// 24 bytes for each piece of a file.
struct FileOrder: Sendable {
  /// What comes after a chunk.
  enum Next: Equatable {
    /// A chunk: the file's next, or the one beside it where no file is known.
    case chunk(UInt64)
    /// Another file, or nothing: a file ends.
    case end
  }

  /// Chunks that a file has in a row.
  private struct Piece {
    let chunks: ClosedRange<UInt64>
    /// Where the file goes on; nil where it ends.
    let next: UInt64?
  }

  /// More are not kept: 24 MiB.
  private static let countMax = 1 << 20
  /// How many pieces may share a chunk, so far as is looked.
  private static let sharerCountMax = 8

  /// Ascending by the first chunk.
  private let pieces: [Piece]

  /// Nothing is known.
  init() { pieces = [] }

  /// The order of the files of a snapshot.
  ///
  /// - Parameter starts: Where file systems may begin in the snapshot, in bytes.
  init(_ view: SnapshotView, starts: [UInt64]) throws(BlockIOError) {
    let size = view.table.geometry.chunkSize.byteCount
    var pieces: [Piece] = []
    for start in starts where start < view.byteCount {
      let source = try SliceSource(view, start..<view.byteCount)
      do throws(FileSystemError) {
        let fileSystem = try FileSystemOpening.open(source)
        _ = try fileSystem.forEachInode(isDeletedIncluded: false) {
          inode throws(FileSystemError) in
          guard inode.kind == .regular, inode.byteCount > size else { return true }
          do throws(FileSystemError) {
            pieces += Self.pieces(try fileSystem.map(of: inode), from: start, size)
          } catch {
            if error.isFatal { throw error }  // damage of one file says nothing of the others
          }
          return pieces.count < Self.countMax
        }
      } catch {
        if case .io(let error) = error { throw error }
      }
    }
    pieces.sort { $0.chunks.lowerBound < $1.chunks.lowerBound }
    self.pieces = pieces
  }

  /// The pieces of a file in a file system that begins at a byte of the snapshot.
  private static func pieces(_ map: FileMap, from start: UInt64, _ size: UInt64) -> [Piece] {
    guard map.damage.isEmpty else { return [] }
    var runs: [ClosedRange<UInt64>] = []
    for extent in map.extents {
      guard case .data(let byteOffset) = extent.place, !extent.file.isEmpty else { continue }
      let first = start &+ byteOffset
      let (last, overflow) = first.addingReportingOverflow(UInt64(extent.file.count) - 1)
      guard !overflow else { return [] }
      let chunks = first / size...last / size
      if let previous = runs.last,
        previous.upperBound == chunks.lowerBound
          || previous.upperBound + 1 == chunks.lowerBound
      {
        runs[runs.count - 1] = previous.lowerBound...chunks.upperBound
      } else {
        runs.append(chunks)
      }
    }
    return runs.indices.map { index in
      Piece(
        chunks: runs[index], next: index + 1 < runs.count ? runs[index + 1].lowerBound : nil)
    }
  }

  /// What a writer comes to after a chunk that it came to along a file.
  ///
  /// Several files may share a chunk. Where one ends and another begins, a writer came with the
  /// former; where several end, nobody knows with which.
  func next(after chunk: UInt64) -> Next {
    var nexts: Set<UInt64?> = []
    var index = pieces.partitioningIndex { $0.chunks.lowerBound > chunk }
    for _ in 0..<Self.sharerCountMax where index > 0 {
      index -= 1
      let piece = pieces[index]
      if piece.chunks.upperBound == chunk {
        nexts.insert(piece.next)
      } else if piece.chunks.upperBound > chunk, piece.chunks.lowerBound < chunk {
        return .chunk(chunk &+ 1)
      }
    }
    if nexts.isEmpty { return .chunk(chunk &+ 1) }
    guard nexts.count == 1, let next = nexts.first ?? nil else { return .end }
    return .chunk(next)
  }

  /// Whether a file goes on elsewhere after any of `count` chunks.
  func isTorn(after chunk: UInt64, count: UInt64) -> Bool {
    var index = pieces.partitioningIndex { $0.chunks.lowerBound > chunk }
    index = index > 0 ? index - 1 : 0
    while index < pieces.count, pieces[index].chunks.lowerBound <= chunk &+ count {
      let last = pieces[index].chunks.upperBound
      if pieces[index].next != nil, last >= chunk, last - chunk < count { return true }
      index += 1
    }
    return false
  }

  /// How many files end in `chunks`, their last chunk excepted, where another chunk comes next.
  func endCount(within chunks: Range<UInt64>) -> Int {
    var count = 0
    var index = pieces.partitioningIndex { $0.chunks.lowerBound > chunks.lowerBound }
    index = index > 0 ? index - 1 : 0
    while index < pieces.count, pieces[index].chunks.lowerBound < chunks.upperBound {
      let last = pieces[index].chunks.upperBound
      if last + 1 < chunks.upperBound, last >= chunks.lowerBound, next(after: last) == .end {
        count += 1
      }
      index += 1
    }
    return count
  }
}
