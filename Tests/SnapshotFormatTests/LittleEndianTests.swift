import BlockIO
@testable import SnapshotFormat
import TestSupport
import Testing

/// Integers lie with their lowest byte first, wherever they begin.
@Suite struct LittleEndianTests {
  private static let bytes: [UInt8] = Array(0x10...0x2f)

  private func read<Value: FixedWidthInteger & UnsignedInteger>(
    _ bytes: [UInt8], at offset: Int, as type: Value.Type
  ) -> Value {
    bytes.span.littleEndian(at: offset, as: type)
  }

  @Test(arguments: 0...24)
  func `an integer is read at any byte`(offset: Int) {
    let first = UInt64(Self.bytes[offset])
    let expected = (0..<8).reduce(UInt64(0)) { $0 | (first + UInt64($1)) << UInt64(8 * $1) }
    #expect(read(Self.bytes, at: offset, as: UInt64.self) == expected)
    #expect(
      read(Self.bytes, at: offset, as: UInt32.self) == UInt32(truncatingIfNeeded: expected))
    #expect(
      read(Self.bytes, at: offset, as: UInt16.self) == UInt16(truncatingIfNeeded: expected))
    #expect(read(Self.bytes, at: offset, as: UInt8.self) == UInt8(first))
  }

  @Test(arguments: 0...24)
  func `an integer is written where it belongs and nowhere else`(offset: Int) {
    var bytes = Self.bytes
    var span = bytes.mutableSpan
    span.store(littleEndian: UInt64(0xa1b2_c3d4_e5f6_0718), at: offset)
    var expected = Self.bytes
    expected.put([0x18, 0x07, 0xf6, 0xe5, 0xd4, 0xc3, 0xb2, 0xa1], at: offset)
    #expect(bytes == expected)
  }

  @Test(arguments: UInt64(1)...20)
  func `what is written is read again`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var bytes = random.bytes(40)
    let (value, offset) = (random.next(), random.below(33))
    var span = bytes.mutableSpan
    span.store(littleEndian: value, at: offset)
    #expect(read(bytes, at: offset, as: UInt64.self) == value)
  }
}
