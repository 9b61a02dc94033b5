internal import BlockIO
internal import SnapshotFormat

/// A few bytes of a disk, from which numbers are decoded.
struct DiskRecord {
  private let bytes: [UInt8]

  /// nil if the source is shorter, or cannot be read.
  init?(_ byteCount: Int, at byteOffset: UInt64, of source: any BlockSource) throws(BlockIOError) {
    guard byteOffset <= source.byteCount, source.byteCount - byteOffset >= UInt64(byteCount) else {
      return nil
    }
    let buffer = IOBuffer(byteCount: byteCount)
    guard try source.readAround(at: byteOffset, into: buffer, 0..<byteCount).isEmpty else {
      return nil
    }
    bytes = buffer.bytes(0..<byteCount)
  }

  /// A little-endian number; the caller knows that it is within the record.
  func little<Value: FixedWidthInteger & UnsignedInteger>(
    at byteOffset: Int, as type: Value.Type = Value.self
  ) -> Value {
    bytes.span.littleEndian(at: byteOffset)
  }

  /// A big-endian number; the caller knows that it is within the record.
  func big<Value: FixedWidthInteger & UnsignedInteger>(
    at byteOffset: Int, as type: Value.Type = Value.self
  ) -> Value {
    little(at: byteOffset, as: Value.self).byteSwapped
  }

  /// Whether it has that text there.
  func has(_ text: StaticString, at byteOffset: Int) -> Bool {
    bytes[byteOffset...].starts(with: text.description.utf8)
  }

  /// Bytes to compare with others.
  func bytes(_ range: Range<Int>) -> ArraySlice<UInt8> { bytes[range] }
}
