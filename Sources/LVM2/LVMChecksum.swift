internal import BlockIO

/// The checksum of LVM2's labels, metadata areas and texts.
///
/// A CRC-32 with the usual polynomial, reflected, with its own initial value, and not inverted at
/// the end.
///
/// - Source: lvm2 `lib/misc/crc.c`, `calc_crc()`, and `INITIAL_CRC`.
package struct LVMChecksum: Equatable, Sendable {
  /// The checksum of the bytes so far.
  package private(set) var value: UInt32 = 0xf597_a6cf

  /// The checksum of no bytes.
  package init() {}

  /// The checksum of those bytes.
  package init(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { add(byte) }
  }

  /// The checksum of those bytes.
  init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    for index in range { add(bytes[index]) }
  }

  private mutating func add(_ byte: UInt8) {
    value = Self.table[Int(UInt8(truncatingIfNeeded: value) ^ byte)] ^ value >> 8
  }

  /// The effect of each byte value on the checksum.
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in
      value & 1 == 0 ? value >> 1 : value >> 1 ^ 0xedb8_8320
    }
  }
}
