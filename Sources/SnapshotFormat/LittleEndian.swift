// Little-endian integers in byte spans: everything in a COW store is little-endian.

extension Span where Element == UInt8 {
  /// Reads a little-endian integer; the caller has checked that it is within the span.
  @inlinable
  package func littleEndian<Value: FixedWidthInteger & UnsignedInteger>(
    at byteOffset: Int, as type: Value.Type = Value.self
  ) -> Value {
    var value: Value = 0
    for index in 0..<MemoryLayout<Value>.size {
      value |= Value(truncatingIfNeeded: self[byteOffset + index]) &<< Value(8 * index)
    }
    return value
  }
}

extension MutableSpan where Element == UInt8 {
  /// Writes a little-endian integer; the caller has checked that it fits inside the span.
  @inlinable
  package mutating func store<Value: FixedWidthInteger & UnsignedInteger>(
    littleEndian value: Value, at byteOffset: Int
  ) {
    for index in 0..<MemoryLayout<Value>.size {
      self[byteOffset + index] = UInt8(truncatingIfNeeded: value &>> Value(8 * index))
    }
  }
}
