import BlockIO
import SystemPackage
import TestSupport
import Testing

/// Bytes of which each tells where it is, with a period that no sector or page hides.
func pattern(_ byteCount: Int, from start: Int = 0) -> [UInt8] {
  (start..<start + byteCount).map { UInt8(truncatingIfNeeded: $0 % 251 + $0 / 251) }
}

extension BlockSource {
  /// The bytes `byteOffset ..< byteOffset + count`.
  func bytes(at byteOffset: UInt64, count: Int) throws(BlockIOError) -> [UInt8] {
    let buffer = IOBuffer(byteCount: count)
    try read(at: byteOffset, into: buffer, 0..<count)
    return buffer.bytes(0..<count)
  }

  /// All ranges of data, from the first to the last.
  func dataRanges() throws(BlockIOError) -> [Range<UInt64>] {
    var ranges: [Range<UInt64>] = []
    while let range = try nextData(from: ranges.last?.upperBound ?? 0) { ranges.append(range) }
    return ranges
  }
}

extension BlockTarget {
  /// Writes bytes at `byteOffset`.
  func write(_ bytes: [UInt8], at byteOffset: UInt64) throws(BlockIOError) {
    try write(at: byteOffset, from: IOBuffer(bytes), 0..<bytes.count)
  }
}

/// The error that opening a file as a source, or as a target, ends with.
func errorOfOpening(_ path: String) throws -> BlockIOError {
  try #require(throws: BlockIOError.self) { _ = try FileSource(path: FilePath(path)) }
}

func errorOfTargeting(_ path: String) throws -> BlockIOError {
  try #require(throws: BlockIOError.self) { _ = try FileTarget(path: FilePath(path)) }
}
