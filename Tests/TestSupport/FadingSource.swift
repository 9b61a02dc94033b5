public import BlockIO
internal import SystemPackage

/// Bytes of which some can be read a few times and then no more: a medium that is giving up.
public final class FadingSource: BlockSource, @unchecked Sendable {
  public let name = "fading.img"
  private let source: FaultySource
  private let fading: Range<UInt64>
  private var readsLeft: Int

  /// A source of `bytes` that reads `fading` so many times.
  public convenience init(_ bytes: [UInt8], fading: Range<UInt64>, after readCount: Int) {
    self.init(FaultySource(bytes), fading: fading, after: readCount)
  }

  /// A source that reads `fading` of another one so many times.
  public init(_ source: FaultySource, fading: Range<UInt64>, after readCount: Int) {
    self.source = source
    self.fading = fading
    readsLeft = readCount
  }

  public var byteCount: UInt64 { source.byteCount }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    if fading.overlaps(bytes) {
      guard readsLeft > 0 else { throw BlockIOError(name, .read, .system(.ioError), at: bytes) }
      readsLeft -= 1
    }
    try source.read(at: byteOffset, into: buffer, range)
  }
}
