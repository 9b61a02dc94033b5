internal import BlockIO
internal import SnapshotFormat

/// A run of exceptions from the beginning of an area of unknown chunk size: the new chunks rise,
/// the old chunks are all different.
struct ExceptionCount {
  /// The number of old chunks compared with each other.
  private static let distinctCountMax = 256

  private(set) var firstNewChunk: UInt64 = 0
  private(set) var count: UInt64 = 0
  /// Whether an exception follows whose new chunk is 0, rather than other bytes.
  private(set) var isTerminated = false
  /// Whether an old chunk occurs twice.
  private(set) var hasDuplicates = false

  private var lastNewChunk: UInt64 = 0
  private var olds: Set<UInt64> = []

  /// Counts exceptions as far as they go, and returns whether more may follow.
  mutating func add(_ exceptions: Span<DiskException>) -> Bool {
    for slot in exceptions.indices {
      let (old, new) = (exceptions[slot].oldChunk, exceptions[slot].newChunk)
      if new == 0 {
        isTerminated = true
        return false
      }
      guard AreaLaw.canExist(old, new) else { return false }
      if count == 0 { firstNewChunk = new }
      guard count == 0 || AreaLaw.canFollow(new, lastNewChunk) else { return false }
      if olds.count < Self.distinctCountMax, !olds.insert(old).inserted {
        hasDuplicates = true
        return false
      }
      lastNewChunk = new
      count += 1
    }
    return true
  }
}

extension AreaReader {
  /// Counts the exceptions that begin at a byte of the image.
  func count(at byteOffset: UInt64) throws(BlockIOError) -> ExceptionCount {
    var count = ExceptionCount()
    var (position, pieceByteCount) = (byteOffset, UInt64(512))
    // Only whole exceptions count; the last few bytes of the image are left out.
    let end = source.byteCount / 16 * 16
    while position < end, position - byteOffset < ChunkSize.max.byteCount {
      let byteCount = Int(min(pieceByteCount, end - position))
      let goesOn = try withExceptions(at: position, byteCount: byteCount) { count.add($0) }
      guard goesOn == true else { break }
      position += UInt64(byteCount)
      pieceByteCount = min(pieceByteCount * 8, UInt64(Self.bufferByteCount))
    }
    return count
  }
}
