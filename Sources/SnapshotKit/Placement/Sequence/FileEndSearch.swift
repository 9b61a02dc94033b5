internal import BlockIO
internal import SnapshotFormat

/// Finds which file was being copied, by where it ends.
///
/// After a file's last byte the rest of its last page is zeroes. So where one file ends, its length
/// identifies the next: the first page with such an end is its last one, in number and to the byte.
/// Content with zeroes at the end of every page, as in databases, gives no clue.
struct FileEndSearch {
  /// The end of a file among orphans.
  struct End: Equatable {
    /// The number of orphans up to it, itself included.
    let count: UInt64
    /// The page of its chunk that has it.
    let page: Int
    /// The number of zero bytes after it.
    let tail: Int
  }

  /// The unit that Linux fills with zeroes after the end of a file.
  static let pageByteCount = 4096
  /// Fewer zeroes at the end of a page may be content, and so may nothing but zeroes.
  private static let tails = 8...pageByteCount - 8
  /// Longer files are not looked for.
  private static let countMax: UInt64 = 1 << 18
  /// The number of files of one tail that are compared.
  private static let candidateCountMax = 256

  private let scene: PlacementScene
  private let files: FileOrder
  private let buffer: IOBuffer
  /// The orphan with the end that was found last, and its end.
  private var last: (new: UInt64, end: End)?
  /// The number of further chunks of files to follow: hostile maps could ask for any number.
  private var budget = 1 << 26

  init(_ scene: PlacementScene, _ files: FileOrder) {
    (self.scene, self.files) = (scene, files)
    buffer = IOBuffer(byteCount: Int(min(scene.chunkByteCount, OrphanReader.chunkByteCountMax)))
  }

  /// The end of the file that begins with an orphan; nil if there is none, or something else than
  /// chunks in flight lies before it.
  mutating func end(from new: UInt64) throws(BlockIOError) -> End? {
    guard Int(scene.chunkByteCount) == buffer.byteCount,
      buffer.byteCount >= Self.pageByteCount
    else { return nil }
    var index = scene.orphans.partitioningIndex { $0.new + $0.count > new }
    var (count, chunk) = (UInt64(0), new)
    while index < scene.orphans.count, count < Self.countMax {
      let orphan = scene.orphans[index]
      chunk = max(chunk, orphan.new)
      while chunk < orphan.new + orphan.count, count < Self.countMax {
        guard scene.proven[chunk] == nil else { return nil }
        count += 1
        if let last, last.new >= chunk {
          // Nothing ends before the end that was found.
          if last.new == chunk {
            return End(count: count, page: last.end.page, tail: last.end.tail)
          }
        } else {
          guard let found = try end(in: chunk) else { return nil }
          if let (page, tail) = found {
            let end = End(count: count, page: page, tail: tail)
            last = (chunk, end)
            return end
          }
        }
        chunk += 1
      }
      index += 1
    }
    return nil
  }

  /// The page of a chunk in which a file may end, or nil within; nil if it cannot be read.
  private func end(in new: UInt64) throws(BlockIOError) -> (page: Int, tail: Int)?? {
    guard let start = scene.geometry.byteOffset(of: Chunk(new)),
      new < scene.geometry.wholeChunkCount,
      try scene.store.readAround(at: start, into: buffer, 0..<buffer.byteCount).isEmpty
    else { return nil }
    for page in 0..<buffer.byteCount / Self.pageByteCount {
      let first = page * Self.pageByteCount
      let tail = buffer.withBytes(first..<first + Self.pageByteCount) { bytes in
        var used = bytes.count
        while used > 0, bytes[used - 1] == 0 { used -= 1 }
        return bytes.count - used
      }
      if Self.tails.contains(tail) { return .some((page, tail)) }
    }
    return .some(nil)
  }

  /// The first chunk of the only file that ends like that, and of which nothing was copied.
  ///
  /// - Parameter placed: Copies that the scene does not know.
  mutating func beginning(of end: End, besides placed: ChunkSet) -> UInt64? {
    var found: UInt64?
    let candidates = files.ends(withTail: end.tail)
    guard candidates.count <= Self.candidateCountMax else { return nil }
    for file in candidates
    where Int(file.last % scene.chunkByteCount) / Self.pageByteCount == end.page
      && has(file, end.count, besides: placed)
    {
      if found != nil { return nil }
      found = file.first
    }
    return found
  }

  /// Whether a file has that many chunks, none of which was copied.
  private mutating func has(
    _ file: FileOrder.End, _ count: UInt64, besides placed: ChunkSet
  ) -> Bool {
    func isFree(_ chunk: UInt64) -> Bool { scene.isFree(chunk) && !placed.contains(chunk) }
    var chunk = file.first
    for _ in 1..<count {
      budget -= 1
      guard budget > 0, isFree(chunk), case .chunk(let next, _) = files.next(after: chunk) else {
        return false
      }
      chunk = next
    }
    return isFree(chunk) && chunk == file.last / scene.chunkByteCount
      && files.next(after: chunk) == .end
  }
}
