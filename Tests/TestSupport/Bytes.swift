public import BlockIO
internal import Crypto

// Bytes in and out of buffers, and what they are called in a failure.

extension FixedWidthInteger {
  /// The bytes of the integer as they stand on a disk.
  public var littleEndianBytes: [UInt8] {
    stride(from: 0, to: Self.bitWidth, by: 8).map { UInt8(truncatingIfNeeded: self >> $0) }
  }
}

extension [UInt8] {
  /// Replaces bytes, as far as there are any here.
  public mutating func put(_ bytes: [UInt8], at byteOffset: Int) {
    let range = (byteOffset..<byteOffset + bytes.count).clamped(to: indices)
    replaceSubrange(
      range, with: bytes[range.lowerBound - byteOffset..<range.upperBound - byteOffset])
  }

  /// SHA-256 in hexadecimal digits.
  public var sha256: String {
    Array(SHA256.hash(data: self)).hexadecimal
  }

  /// Where the first byte is that differs, or nil; a failed `==` of two images would print both.
  public func firstDifference(from other: [UInt8]) -> String? {
    if self == other { return nil }
    guard count == other.count else { return "\(count) bytes instead of \(other.count)" }
    guard let index = indices.first(where: { self[$0] != other[$0] }) else { return nil }
    let sector = index / 512 * 512
    let mine = String(decoding: self[sector..<Swift.min(sector + 31, count)], as: UTF8.self)
    let others = String(decoding: other[sector..<Swift.min(sector + 31, count)], as: UTF8.self)
    return "byte \(index) (sector \(index / 512)): “\(mine)” instead of “\(others)”"
  }
}

extension IOBuffer {
  /// A buffer that holds those bytes.
  public convenience init(_ bytes: [UInt8]) {
    self.init(byteCount: bytes.count)
    put(bytes[...], at: 0)
  }

  /// Replaces bytes.
  public func put(_ bytes: ArraySlice<UInt8>, at byteOffset: Int) {
    withMutableBytes(byteOffset..<byteOffset + bytes.count) { span in
      unsafe span.withUnsafeMutableBufferPointer { target in
        _ = unsafe target.update(fromContentsOf: bytes)
      }
    }
  }
}

extension BlockSource {
  /// All that it holds.
  public func allBytes() throws(BlockIOError) -> [UInt8] {
    let buffer = IOBuffer(byteCount: Int(byteCount))
    try read(at: 0, into: buffer, 0..<buffer.byteCount)
    return buffer.bytes(0..<buffer.byteCount)
  }
}
