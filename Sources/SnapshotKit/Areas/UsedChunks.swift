internal import BlockIO
internal import SnapshotFormat

/// The data chunks of a store that may hold anything.
struct UsedChunks: Sendable {
  private let source: any BlockSource
  private let geometry: StoreGeometry
  private let buffer: IOBuffer

  init(_ source: any BlockSource, _ geometry: StoreGeometry) {
    (self.source, self.geometry) = (source, geometry)
    buffer = IOBuffer(byteCount: Int(min(geometry.chunkSize.byteCount, 1 << 20)))
  }

  /// Whether a chunk may hold anything: it is not all zeroes.
  ///
  /// - Parameter isUnreadableUsed: Whether unreadable chunks count as well.
  func contains(
    _ chunk: Chunk, isUnreadableUsed: Bool = true
  ) throws(BlockIOError) -> Bool {
    guard let start = geometry.byteOffset(of: chunk) else { return false }
    let end = start + geometry.presentByteCount(of: chunk)
    var position = start
    while position < end, let data = try source.nextData(from: position), data.lowerBound < end {
      position = max(position, data.lowerBound)
      let count = Int(min(end - position, UInt64(buffer.byteCount)))
      let unreadable = try source.readAround(at: position, into: buffer, 0..<count)
      if unreadable.isEmpty ? !buffer.isZero(0..<count) : isUnreadableUsed { return true }
      position += UInt64(count)
    }
    return false
  }

  /// The position of the next data chunk that is no hole of the store's file; nil without any.
  func nextPosition(after position: UInt64) throws(BlockIOError) -> UInt64? {
    guard let new = geometry.dataChunk(inOrder: position),
      let end = geometry.byteOffset(of: Chunk(new.index + 1)), end < source.byteCount,
      let data = try source.nextData(from: end)
    else { return nil }
    let next = geometry.position(ofDataFrom: geometry.chunk(containing: data.lowerBound))
    return max(position + 1, next ?? 0)
  }

  /// The first chunk after a table that may hold an exception's data, if the slots after the
  /// table's last one were zeroed.
  ///
  /// Any chunk may be zero by itself. So the chunks of a sector's slots are looked at, or of an
  /// area's if one would be all zeroes, as far as that is no great effort.
  ///
  /// - Parameters:
  ///   - usedEnd: How many slots the table has.
  ///   - shift: How many chunks had leaked before its end.
  func first(after usedEnd: UInt64, shift: UInt64) throws(BlockIOError) -> Chunk? {
    let unit = AreaLaw.damageSlotCount(geometry)
    let perArea = geometry.chunkSize.exceptionsPerArea
    let count =
      usedEnd % perArea == 0
      ? min(perArea, max(unit, Self.byteCountMax / geometry.chunkSize.byteCount)) : unit
    for position in 0..<count {
      guard let next = geometry.dataChunk(inOrder: usedEnd + shift + position) else { return nil }
      if try contains(next) { return next }
    }
    return nil
  }

  private static let byteCountMax: UInt64 = 16 << 20
}
