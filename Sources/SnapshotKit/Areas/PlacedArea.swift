internal import BlockIO
internal import SnapshotFormat

/// An area examined where it may be, sector by sector.
///
/// If a copy lost bytes within an area, it continues at the beginning of a sector with exceptions
/// of a multiple of 32 slots further on, as if that many chunks had leaked there. Leaked chunks
/// hardly ever do that, so such an area is not taken for one in its place.
struct PlacedArea {
  private(set) var look: AreaCheck
  /// The number of bytes from its beginning that are sectors full of exceptions in their place.
  private(set) var orderedByteCount: UInt64 = 0
  /// By how many leaked chunks the new chunks are shifted, if more than a few slots show it: a
  /// single wrong one at the end may look like a leak.
  private(set) var confirmedLeak: UInt64
  private var isOrdered = true

  init(_ area: AreaIndex, leak: UInt64, _ chunkSize: ChunkSize) {
    look = AreaCheck(area, shift: leak, chunkSize)
    confirmedLeak = leak
  }

  /// Whether it holds exceptions, all of them in their place.
  var isRight: Bool { look.isLawful && !hasJump }
  private(set) var hasJump = false

  /// Examines the next whole sectors.
  mutating func add(_ exceptions: Span<DiskException>) {
    for start in stride(from: 0, to: exceptions.count, by: AreaLaw.slotsPerSector) {
      let leak = look.shift
      let live = look.liveCount
      confirmedLeak = leak
      look.add(exceptions.extracting(start..<start + 1))
      if look.shift != leak, (look.shift - leak) % UInt64(AreaLaw.slotsPerSector) == 0 {
        hasJump = true
      }
      look.add(exceptions.extracting(start + 1..<start + AreaLaw.slotsPerSector))
      isOrdered =
        isOrdered && !look.hasFailed && !hasJump
        && look.liveCount - live == UInt64(AreaLaw.slotsPerSector)
      if isOrdered { orderedByteCount += 512 }
    }
  }
}

extension AreaReader {
  /// Examines an area at a byte until it is known whether it is right; nil if not all of it is in
  /// the image.
  func place(
    _ area: AreaIndex, at byteOffset: UInt64, leak: UInt64, _ chunkSize: ChunkSize
  ) throws(BlockIOError) -> PlacedArea? {
    guard byteOffset <= source.byteCount, chunkSize.byteCount <= source.byteCount - byteOffset
    else { return nil }
    var placed = PlacedArea(area, leak: leak, chunkSize)
    var (done, pieceByteCount) = (UInt64(0), UInt64(512))
    while done < chunkSize.byteCount, !placed.look.hasFailed {
      let count = min(pieceByteCount, chunkSize.byteCount - done)
      let isReadable = try withExceptions(at: byteOffset + done, byteCount: Int(count)) {
        placed.add($0)
        return true
      }
      guard isReadable == true else { break }
      done += count
      pieceByteCount = min(pieceByteCount * 8, UInt64(Self.bufferByteCount))
    }
    return done < chunkSize.byteCount && !placed.look.hasFailed ? nil : placed
  }
}
