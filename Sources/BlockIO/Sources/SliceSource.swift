/// A part of another source: `PATH,offset=BYTES,length=BYTES`.
public final class SliceSource: BlockSource {
  public let name: String
  /// The source that it is a part of, never itself a part.
  public let base: any BlockSource
  /// Its bytes in that source.
  public let range: Range<UInt64>

  /// The bytes `range` of `base`.
  ///
  /// - Throws: If they are not all in it.
  public init(_ base: any BlockSource, _ range: Range<UInt64>) throws(BlockIOError) {
    guard range.upperBound <= base.byteCount else {
      throw BlockIOError(base.name, .open, .beyondEnd(byteCount: base.byteCount), at: range)
    }
    // A part of a part is named, and read, as a part of the whole.
    let outer = base as? SliceSource
    let start = outer?.range.lowerBound ?? 0
    self.base = outer?.base ?? base
    self.range = start + range.lowerBound..<start + range.upperBound
    name = "\(self.base.name),offset=\(self.range.lowerBound),length=\(range.count)"
  }

  public var byteCount: UInt64 { UInt64(range.count) }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ bufferRange: Range<Int>
  ) throws(BlockIOError) {
    _ = try checkBounds(at: byteOffset, count: bufferRange.count)
    try base.read(at: range.lowerBound + byteOffset, into: buffer, bufferRange)
  }

  public func readUncached(
    at byteOffset: UInt64, into buffer: IOBuffer, _ bufferRange: Range<Int>
  ) throws(BlockIOError) {
    _ = try checkBounds(at: byteOffset, count: bufferRange.count)
    try base.readUncached(at: range.lowerBound + byteOffset, into: buffer, bufferRange)
  }

  public func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    guard byteOffset < byteCount,
      let data = try base.nextData(from: range.lowerBound + byteOffset)?.clamped(to: range),
      !data.isEmpty
    else { return nil }
    return data.lowerBound - range.lowerBound..<data.upperBound - range.lowerBound
  }

  public func knownUnreadable(in bytes: Range<UInt64>) -> [Range<UInt64>] {
    let inside = bytes.clamped(to: 0..<byteCount)
    let start = range.lowerBound
    return base.knownUnreadable(in: inside.lowerBound + start..<inside.upperBound + start).map {
      $0.lowerBound - start..<$0.upperBound - start
    }
  }

  public var files: [FileSource] { base.files }

  public func hasCached(at byteOffset: UInt64) -> Bool {
    base.hasCached(at: range.lowerBound &+ byteOffset)
  }

  public func willRead(_ bytes: Range<UInt64>) {
    let inside = bytes.clamped(to: 0..<byteCount)
    base.willRead(inside.lowerBound + range.lowerBound..<inside.upperBound + range.lowerBound)
  }
}
