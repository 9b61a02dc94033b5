/// A source whose bad sectors are known from a map, made when it was copied off a bad medium.
///
/// The copy has a hole, or old bytes, where nothing could be read. Here exactly those bytes are
/// unreadable, as on the medium, whatever the size of a sector.
public final class RescuedSource: ForwardingSource {
  package let base: any BlockSource
  private let map: BadSectorMap

  /// The bytes of `base` that were read according to `map`, whose positions are those of `base`.
  public init(_ base: any BlockSource, _ map: BadSectorMap) {
    self.base = base
    self.map = map
  }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try checkReadable(at: byteOffset, count: range.count)
    try base.read(at: byteOffset, into: buffer, range)
  }

  public func readUncached(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try checkReadable(at: byteOffset, count: range.count)
    try base.readUncached(at: byteOffset, into: buffer, range)
  }

  private func checkReadable(at byteOffset: UInt64, count: Int) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: count)
    if let unreadable = map.firstUnreadableRange(in: bytes) {
      throw BlockIOError(name, .read, .markedUnreadable(unreadable), at: bytes)
    }
  }

  /// The next data of the base, or the next bytes that were not read, whichever begins first.
  ///
  /// A copy has a hole where nothing was read; a reader that skipped it would take it for zeroes.
  public func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    guard byteOffset < byteCount else { return nil }
    let unreadable = map.firstUnreadableRange(in: byteOffset..<byteCount)
    // Not asked if the answer is known: the question alone may fail on a bad medium.
    if let unreadable, unreadable.lowerBound == byteOffset { return unreadable }
    guard let data = try base.nextData(from: byteOffset) else { return unreadable }
    guard let unreadable, unreadable.lowerBound < data.lowerBound else { return data }
    return unreadable
  }

  public func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>] {
    map.unreadableRanges(in: range.clamped(to: 0..<byteCount))
  }

  /// Does not request sectors that the map calls bad.
  public func willRead(_ range: Range<UInt64>) {
    if map.firstUnreadableRange(in: range.clamped(to: 0..<byteCount)) == nil {
      base.willRead(range)
    }
  }
}
