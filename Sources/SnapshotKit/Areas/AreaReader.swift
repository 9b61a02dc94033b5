internal import BlockIO
internal import SnapshotFormat

/// Reads areas of assumed stores from an image, in pieces of one buffer.
struct AreaReader {
  static let bufferByteCount = 1 << 20

  let source: any BlockSource
  private let buffer = IOBuffer(byteCount: bufferByteCount)

  init(_ source: any BlockSource) { self.source = source }

  /// Reads bytes of the image and lends them as exceptions.
  ///
  /// - Returns: The result of `body`; nil if not all of the bytes can be read, which are then lent
  ///   as zeroes.
  func withExceptions<Result>(
    at byteOffset: UInt64, byteCount: Int, _ body: (Span<DiskException>) -> Result
  ) throws(BlockIOError) -> Result? {
    let lost = try source.readAround(at: byteOffset, into: buffer, 0..<byteCount)
    let result = buffer.withRecords(
      of: DiskException.self, count: byteCount / DiskException.byteCount, body)
    return lost.isEmpty ? result : nil
  }

  /// Whether bytes of the image are zero; unreadable ones are not.
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

  /// Checks the area at a byte of the image, which has all of it.
  ///
  /// - Parameter isStrict: Whether to stop once the area is known not to be lawful.
  func look(
    at byteOffset: UInt64, _ area: AreaIndex, shift: UInt64, _ chunkSize: ChunkSize,
    isStrict: Bool
  ) throws(BlockIOError) -> AreaCheck {
    var look = AreaCheck(area, shift: shift, chunkSize)
    var done: UInt64 = 0
    // The first sector settles most that are no areas.
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

  /// Follows the areas of an assumed store, from one on.
  ///
  /// The table ends in the first area that is not full. An area that is damaged, missing, or zero
  /// does not end it if a later one continues it lawfully, except that a zero area 0 after a sound
  /// header is an empty table.
  func chain(
    of place: StorePlace, from first: AreaIndex, hasSoundHeader: Bool
  ) throws(BlockIOError) -> AreaChain {
    var chain = AreaChain()
    var (shift, missed, missedInOrder) = (UInt64(0), UInt64(0), UInt64(0))
    var area = first
    while missed < AreaLaw.missedAreaCountMax, let byteOffset = place.byteOffset(of: area),
      byteOffset <= source.byteCount,
      place.chunkSize.byteCount <= source.byteCount - byteOffset
    {
      let look = try look(at: byteOffset, area, shift: shift, place.chunkSize, isStrict: false)
      // Kernels before 3.13 did not keep the order; with a header to go by, possible exceptions are
      // enough.
      if look.isLawful || hasSoundHeader && missed == 0 && look.isPossible {
        chain.add(look, area, missed: missed, missedInOrder)
        chain.reach(place.geometry.chunk(of: area)?.index ?? 0)
        (shift, missed, missedInOrder) = (look.shift, 0, 0)
        if !look.isFull {
          chain.isBroken = look.liveCount % UInt64(AreaLaw.slotsPerSector) == 0
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
