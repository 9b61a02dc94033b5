/// Bytes that can be read and written: the one thing that the user named to be changed.
package protocol BlockTarget: BlockSource {
  /// Writes `range` of `buffer` at `byteOffset`: all of it, or it throws.
  ///
  /// Writes are on the medium only after the next `flush()`.
  func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError)

  /// Announces that `range` will not be written again, so that it can go to the medium now.
  func startWriting(_ range: Range<UInt64>)

  /// Returns when everything written is on the medium.
  func flush() throws(BlockIOError)

  /// The bytes now on the medium, read past the system's cache, or after dropping it: each copy
  /// separately; usually there is one.
  func readingBack() -> [any BlockSource]
}

extension BlockTarget {
  package func startWriting(_ range: Range<UInt64>) {}

  package func readingBack() -> [any BlockSource] { [self] }
}
