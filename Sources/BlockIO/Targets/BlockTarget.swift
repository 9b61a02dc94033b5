/// Bytes that can be written as well as read: the one thing that the user named to be changed.
public protocol BlockTarget: BlockSource {
  /// Writes `range` of `buffer` at `byteOffset`: all of it, or it throws.
  ///
  /// What was written is on the medium after the next ``flush()`` only.
  func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError)

  /// Says that `range` will not be written again, so that it can go to the medium already.
  func startWriting(_ range: Range<UInt64>)

  /// Returns when everything that was written is on the medium.
  func flush() throws(BlockIOError)

  /// What lies on the medium now, read past the system's cache, or after telling it to forget: each
  /// copy by itself, of which there is one as a rule.
  func readingBack() -> [any BlockSource]
}

extension BlockTarget {
  public func startWriting(_ range: Range<UInt64>) {}

  public func readingBack() -> [any BlockSource] { [self] }
}
