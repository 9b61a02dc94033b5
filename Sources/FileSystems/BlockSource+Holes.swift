internal import BlockIO

extension BlockSource {
  /// How many bytes from a byte on are a hole of the source; without end if nothing follows.
  ///
  /// A directory has no names there, and it may be terabytes.
  func holeByteCount(from byteOffset: UInt64) throws(FileSystemError) -> UInt64 {
    let data = try wrapping(FileSystemError.io, try nextData(from: byteOffset))
    return max(data?.lowerBound ?? .max, byteOffset) - byteOffset
  }
}
