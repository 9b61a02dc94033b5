internal import BlockIO

extension BlockSource {
  /// The number of bytes of the source's hole from a byte on; without end if nothing follows.
  ///
  /// A directory has no names there, and it may be terabytes.
  func holeByteCount(from byteOffset: UInt64) throws(FileSystemError) -> UInt64 {
    let data = try wrapping(FileSystemError.io, try nextData(from: byteOffset))
    return max(data?.lowerBound ?? .max, byteOffset) - byteOffset
  }
}
