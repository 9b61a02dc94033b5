/// A source that forwards to another one all that it does not do itself.
///
/// The other source answers all requirements that a conformer does not implement: a wrapper that
/// forgot one would silently lose known bad sectors or holes.
package protocol ForwardingSource: BlockSource {
  /// The other source.
  var base: any BlockSource { get }
}

extension ForwardingSource {
  public var name: String { base.name }
  public var byteCount: UInt64 { base.byteCount }
  public var files: [FileSource] { base.files }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try base.read(at: byteOffset, into: buffer, range)
  }

  public func readUncached(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try base.readUncached(at: byteOffset, into: buffer, range)
  }

  public func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    try base.nextData(from: byteOffset)
  }

  public func knownUnreadable(in range: Range<UInt64>) -> [Range<UInt64>] {
    base.knownUnreadable(in: range)
  }

  public func willRead(_ range: Range<UInt64>) { base.willRead(range) }

  public func hasCached(at byteOffset: UInt64) -> Bool { base.hasCached(at: byteOffset) }
}
