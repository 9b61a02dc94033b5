internal import BlockIO
internal import SnapshotFormat

/// The areas of a store that was assumed at some place, as far as they fit one another.
struct AreaChain {
  /// The exceptions up to the table's end, damaged areas' included where they are in order.
  var exceptionCount: UInt64 = 0
  /// How many of them have the next new chunk in order.
  var inOrderCount: UInt64 = 0
  /// The areas that hold exceptions, damaged ones not counted.
  var areaCount: UInt64 = 0
  /// The areas between the first and the last of those that do not fit.
  var damagedAreaCount: UInt64 = 0
  /// The first and the last of them; nil if there is none.
  var areas: ClosedRange<UInt64>?
  /// The highest new chunk, or area, that is known to belong to the store.
  var highestChunk: UInt64 = 0
  /// Whether area 0 holds something, but no exceptions of this store.
  var isContradicted = false
  /// Whether the table was not followed to its end: the last area that was looked at is not there, or
  /// ended with a whole sector, which zeroes may have done.
  var isBroken = true
}

/// Reads areas of assumed stores from an image, in pieces of one buffer.
struct AreaReader {
  static let bufferByteCount = 1 << 20
  /// So many areas in a row may be damaged or missing before a chain is given up.
  private static let missedAreaCountMax = 16

  let source: any BlockSource
  private let buffer = IOBuffer(byteCount: bufferByteCount)

  init(_ source: any BlockSource) { self.source = source }

  /// Reads bytes of the image and lends them as exceptions.
  ///
  /// - Returns: What `body` does, or nil when not all of the bytes can be read; then the others are
  ///   lent, and zeroes for these.
  func withExceptions<Result>(
    at byteOffset: UInt64, byteCount: Int, _ body: (Span<DiskException>) -> Result
  ) throws(BlockIOError) -> Result? {
    let lost = try source.readAround(at: byteOffset, into: buffer, 0..<byteCount)
    let result = buffer.withRecords(
      of: DiskException.self, count: byteCount / DiskException.byteCount, body)
    return lost.isEmpty ? result : nil
  }

  /// Whether bytes of the image are zero; those that cannot be read are not.
  func isZero(_ range: Range<UInt64>) throws(BlockIOError) -> Bool {
    var (position, pieceByteCount) = (range.lowerBound, UInt64(512))
    while position < range.upperBound {
      let count = Int(min(pieceByteCount, range.upperBound - position))
      let lost = try source.readAround(at: position, into: buffer, 0..<count)
      guard lost.isEmpty, buffer.isZero(0..<count) else { return false }
      position += UInt64(count)
      pieceByteCount = min(pieceByteCount * 8, UInt64(Self.bufferByteCount))
    }
    return true
  }

  /// Looks at the area at a byte of the image, all of which lies in the image.
  ///
  /// - Parameter isStrict: Whether it is enough to know that the area is not lawful.
  func look(
    at byteOffset: UInt64, _ area: AreaIndex, shift: UInt64, _ chunkSize: ChunkSize,
    isStrict: Bool
  ) throws(BlockIOError) -> AreaLook {
    var look = AreaLook(area, shift: shift, chunkSize)
    var done: UInt64 = 0
    // A first look at one sector settles most that are none.
    var pieceByteCount = isStrict ? 512 : UInt64(Self.bufferByteCount)
    while done < chunkSize.byteCount, !(isStrict && look.hasFailed) {
      let count = Int(min(pieceByteCount, chunkSize.byteCount - done))
      let isReadable = try withExceptions(at: byteOffset + done, byteCount: count) {
        look.add($0)
        return true
      }
      if isReadable == nil { look.isUnreadable = true }
      done += UInt64(count)
      pieceByteCount = min(pieceByteCount * 8, UInt64(Self.bufferByteCount))
    }
    return look
  }

  /// Follows the areas of an assumed store from one on.
  ///
  /// The table ends in the first area that is not full. An area that is damaged, missing, or zero does
  /// not end it if one behind it goes on where the law says, except that a zero area 0 behind a
  /// sound header is an empty table.
  func chain(
    of place: StorePlace, from first: AreaIndex, hasSoundHeader: Bool
  ) throws(BlockIOError) -> AreaChain {
    var chain = AreaChain()
    var (shift, missed, missedInOrder) = (UInt64(0), UInt64(0), UInt64(0))
    var area = first
    while missed < Self.missedAreaCountMax, let byteOffset = place.byteOffset(of: area),
      byteOffset <= source.byteCount,
      place.chunkSize.byteCount <= source.byteCount - byteOffset
    {
      let look = try look(at: byteOffset, area, shift: shift, place.chunkSize, isStrict: false)
      // Kernels before 3.13 did not keep the order; with a header to go by, what is possible will do.
      if look.isLawful || hasSoundHeader && missed == 0 && look.isPossible {
        chain.add(look, area, missed: missed, missedInOrder)
        chain.reach(place.geometry.chunk(of: area)?.index ?? 0)
        (shift, missed, missedInOrder) = (look.shift, 0, 0)
        if !look.isFull {
          chain.isBroken = look.liveCount % UInt64(PlacedArea.slotsPerSector) == 0
          break
        }
      } else {
        if area.index == 0 {
          chain.isContradicted = !look.isEmpty
          if hasSoundHeader, look.isEmpty {
            chain.isBroken = false
            break
          }
        }
        missed += 1
        missedInOrder += chain.areas == nil ? 0 : look.inOrderCount
      }
      area = AreaIndex(area.index + 1)
    }
    return chain
  }
}

extension AreaChain {
  /// Adds an area that fits, and the damaged ones before it.
  fileprivate mutating func add(
    _ look: AreaLook, _ area: AreaIndex, missed: UInt64, _ missedInOrder: UInt64
  ) {
    exceptionCount += missedInOrder + look.liveCount
    inOrderCount += missedInOrder + look.inOrderCount
    areaCount += 1
    if areas != nil { damagedAreaCount += missed }
    areas = (areas?.lowerBound ?? area.index)...area.index
    reach(look.highestNewChunk)
  }

  /// Knows that a chunk belongs to the store.
  fileprivate mutating func reach(_ chunk: UInt64) { highestChunk = max(highestChunk, chunk) }
}
