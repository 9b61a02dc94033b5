internal import BlockIO
internal import FileSystems
internal import SnapshotFormat

/// The order in which a writer comes to the chunks of files, as far as the file systems show it.
///
/// 32 bytes for each piece of a file, eight more where it goes on elsewhere, and 24 for its end.
struct FileOrder: Sendable {
  /// The successor of a chunk.
  enum Next: Equatable {
    /// A chunk: the file's next, or its neighbour where no file is known. Numbering along the file
    /// continues with it, unless pieces of the file begin or end within a chunk.
    case chunk(UInt64, isNumbered: Bool)
    /// Another file, or nothing: a file ends.
    case end
  }

  /// Chunks that a file has in a row.
  struct Piece {
    var chunks: ClosedRange<UInt64>
    /// The chunk where the file goes on; nil at its end.
    var next: UInt64?
    /// Whether both this piece ends and the next begins with a chunk.
    var isAligned = false
  }

  /// Where a file begins and ends.
  struct End {
    /// Its first chunk.
    let first: UInt64
    /// Its last byte.
    let last: UInt64
    /// The number of zeroes that fill its last page.
    let tail: Int
  }

  /// More are not kept: 64 MiB.
  private static let countMax = 1 << 20
  /// The number of pieces sharing a chunk that are examined.
  private static let sharerCountMax = 8

  /// Ascending by the first chunk.
  private let pieces: [Piece]

  /// The last chunks of the pieces after which a file goes on elsewhere, ascending.
  private let torn: [UInt64]

  /// Ascending by tail.
  private let ends: [End]

  /// The file systems, and where they begin in the snapshot, in bytes.
  private var fileSystems: [(start: UInt64, fileSystem: any FileSystem)] = []

  /// The order of files, by their pieces and ends; without any, nothing is known.
  init(_ pieces: [Piece] = [], ends: [End] = []) {
    self.ends = ends.sorted { $0.tail < $1.tail }
    self.pieces = pieces.sorted { $0.chunks.lowerBound < $1.chunks.lowerBound }
    torn = pieces.filter { $0.next != nil }.map(\.chunks.upperBound).sorted()
  }

  /// The order of the files of a snapshot.
  ///
  /// - Parameter starts: Where file systems may begin in the snapshot, in bytes.
  init(_ view: SnapshotView, starts: [UInt64]) throws(BlockIOError) {
    let size = view.table.geometry.chunkSize.byteCount
    var (pieces, ends): ([Piece], [End]) = ([], [])
    var fileSystems: [(start: UInt64, fileSystem: any FileSystem)] = []
    for start in starts where start < view.byteCount {
      let source = try SliceSource(view, start..<view.byteCount)
      do throws(FileSystemError) {
        let fileSystem = try FileSystemOpening.open(source)
        fileSystems.append((start, fileSystem))
        _ = try fileSystem.forEachInode(isDeletedIncluded: false) {
          inode throws(FileSystemError) in
          guard inode.kind == .regular, inode.byteCount > size else { return true }
          do throws(FileSystemError) {
            let map = try fileSystem.map(of: inode)
            if pieces.count + map.extents.count <= Self.countMax {
              let found = Self.pieces(map, from: start, size)
              pieces += found
              if let first = found.first, let last = Self.lastByte(map, inode.byteCount, start) {
                ends.append(End(first, last: last))
              }
            }
          } catch {
            if error.isFatal { throw error }  // damage of one file says nothing of the others
          }
          return pieces.count < Self.countMax
        }
      } catch {
        if error.isFatal, case .io(let error) = error { throw error }
      }
    }
    self.init(pieces, ends: ends)
    self.fileSystems = fileSystems
  }

  /// Whether a byte of the snapshot belongs to the file system itself, for example to its journal,
  /// which is written between everything else.
  func isStructure(_ byteOffset: UInt64) -> Bool {
    fileSystems.contains { start, fileSystem in
      byteOffset >= start && fileSystem.structure(at: byteOffset - start) != nil
    }
  }

  /// The place of the last byte of a file, in bytes of the snapshot; nil if that is in a hole, or
  /// pages of the file are not pages of the snapshot.
  private static func lastByte(_ map: FileMap, _ byteCount: UInt64, _ start: UInt64) -> UInt64? {
    guard byteCount > 0, let extent = map.extents.last(where: { $0.file.contains(byteCount - 1) }),
      case .data(let place) = extent.place
    else { return nil }
    let page = UInt64(FileEndSearch.pageByteCount)
    let (first, overflow) = start.addingReportingOverflow(place)
    guard !overflow, first.isMultiple(of: page), extent.file.lowerBound.isMultiple(of: page) else {
      return nil
    }
    return first &+ (byteCount - 1 - extent.file.lowerBound)
  }

  /// The files whose last page is filled with that many zeroes.
  func ends(withTail tail: Int) -> ArraySlice<End> {
    let first = ends.partitioningIndex { $0.tail >= tail }
    return ends[first..<ends.partitioningIndex { $0.tail > tail }]
  }

  /// The pieces of a file in a file system that begins at a byte of the snapshot.
  static func pieces(_ map: FileMap, from start: UInt64, _ size: UInt64) -> [Piece] {
    guard map.damage.isEmpty else { return [] }
    var pieces: [Piece] = []
    // Where the last extent ended, in the source and in the file.
    var (sourceEnd, fileEnd): (UInt64, UInt64) = (0, 0)
    for extent in map.extents where !extent.file.isEmpty {
      let byteOffset: UInt64
      switch extent.place {
      // Unwritten extents are written like any other data.
      case .data(let place), .unwritten(let place): byteOffset = place
      case .inline, .compressed, .lost: continue
      }
      let first = start &+ byteOffset
      let (end, overflow) = first.addingReportingOverflow(UInt64(extent.file.count))
      guard !overflow else { return [] }
      var lower = first / size
      let upper = (end - 1) / size
      // Blocks that fill a hole are elsewhere: it is unknown where the writer went.
      let last = fileEnd == extent.file.lowerBound ? pieces.indices.last : nil
      if let last, sourceEnd &- first == fileEnd &- extent.file.lowerBound,
        pieces[last].chunks.contains(lower) || pieces[last].chunks.upperBound + 1 == lower
      {
        pieces[last].chunks = pieces[last].chunks.lowerBound...upper
      } else {
        // A chunk that both have comes once.
        if let last, pieces[last].chunks.upperBound == lower { lower += 1 }
        if lower <= upper {
          if let last {
            pieces[last].next = lower
            pieces[last].isAligned =
              sourceEnd.isMultiple(of: size) && first.isMultiple(of: size)
          }
          pieces.append(Piece(chunks: lower...upper))
        }
      }
      (sourceEnd, fileEnd) = (end, extent.file.upperBound)
    }
    return pieces
  }

  /// The chunk that a writer comes to after one that it came to along a file.
  ///
  /// Several files may share a chunk. Where one ends and another begins, a writer came with the
  /// former; where several end, it is unknown with which.
  func next(after chunk: UInt64) -> Next {
    let beside = Next.chunk(chunk &+ 1, isNumbered: true)
    var (found, isBeginning): (Next?, Bool) = (nil, false)
    let following = pieces.partitioningIndex { $0.chunks.lowerBound > chunk }
    for index in (max(0, following - Self.sharerCountMax)..<following).reversed() {
      let piece = pieces[index]
      if piece.chunks.upperBound == chunk {
        let next = piece.next.map { Next.chunk($0, isNumbered: piece.isAligned) } ?? .end
        if let found, found != next { return .end }
        found = next
      } else if piece.chunks.upperBound > chunk {
        if piece.chunks.lowerBound < chunk { return beside }
        isBeginning = true
      }
    }
    if let found { return found }
    // From free space, a writer does not run into a file.
    let isBesideFile =
      following < pieces.count && pieces[following].chunks.lowerBound == chunk &+ 1
    return isBesideFile && !isBeginning ? .end : beside
  }

  /// Whether a file goes on elsewhere after any of `count` chunks.
  func isTorn(after chunk: UInt64, count: UInt64) -> Bool {
    let index = torn.partitioningIndex { $0 >= chunk }
    return index < torn.count && torn[index] - chunk < count
  }
}

extension FileOrder.End {
  /// The end of a file that begins with a piece.
  init(_ first: FileOrder.Piece, last: UInt64) {
    let page = UInt64(FileEndSearch.pageByteCount)
    self.init(first: first.chunks.lowerBound, last: last, tail: Int(page - 1 - last % page))
  }
}
