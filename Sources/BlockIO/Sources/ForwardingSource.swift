/// A source that is another one, except for what it does differently.
///
/// Whatever a conformer does not do itself is done by the other source: a wrapper that forgot one
/// method would lose what is known of bad sectors or holes without a word.
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
