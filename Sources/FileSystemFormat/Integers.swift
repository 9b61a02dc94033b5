// Integers in byte spans: XFS is big-endian, as are the journals of ext4; ext4 and btrfs are
// little-endian.

extension Span where Element == UInt8 {
  /// Reads a little-endian integer; the caller has checked that it is within the span.
  package func little<Value: FixedWidthInteger & UnsignedInteger>(
    at byteOffset: Int, as type: Value.Type = Value.self
  ) -> Value {
    var value: Value = 0
    for index in 0..<MemoryLayout<Value>.size {
      value |= Value(truncatingIfNeeded: self[byteOffset + index]) &<< Value(8 * index)
    }
    return value
  }

  /// Reads a big-endian integer; the caller has checked that it is within the span.
  package func big<Value: FixedWidthInteger & UnsignedInteger>(
    at byteOffset: Int, as type: Value.Type = Value.self
  ) -> Value {
    little(at: byteOffset, as: type).byteSwapped
  }
}

extension Span where Element == UInt8 {
  /// A copy of some bytes; the caller has checked that they are within the span.
  package func array(_ range: Range<Int>) -> [UInt8] {
    [UInt8](capacity: range.count) { target in
      for index in range { target.append(self[index]) }
    }
  }
}

extension [UInt8] {
  /// Writes a little-endian integer; the caller has checked that it is within the bytes.
  package mutating func put<Value: FixedWidthInteger & UnsignedInteger>(
    little value: Value, at byteOffset: Int
  ) {
    put(big: value.byteSwapped, at: byteOffset)
  }

  /// Writes a big-endian integer; the caller has checked that it is within the bytes.
  package mutating func put<Value: FixedWidthInteger & UnsignedInteger>(
    big value: Value, at byteOffset: Int
  ) {
    let count = MemoryLayout<Value>.size
    for index in 0..<count {
      self[byteOffset + index] = UInt8(truncatingIfNeeded: value >> Value(8 * (count - 1 - index)))
    }
  }
}
