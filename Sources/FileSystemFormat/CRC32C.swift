/// The checksum of ext4, XFS and btrfs: CRC-32C, the Castagnoli polynomial, bits reflected.
///
/// The register is kept as it is: inversions at the beginning and at the end, and the seed, differ
/// between the file systems.
///
/// - Source: RFC 3720, section 12.1 and appendix B.4, which has the test values.
package struct CRC32C: Equatable, Sendable {
  /// The register.
  package var register: UInt32

  /// A checksum that begins with a register; all ones for a usual one.
  package init(register: UInt32 = ~0) { self.register = register }

  /// The checksum of the bytes added, inverted at the end, as in RFC 3720.
  package var inverted: UInt32 { ~register }

  /// Adds bytes.
  package mutating func add(_ bytes: Span<UInt8>) {
    var value = register
    let tables = Self.tables.span
    var index = 0
    while index + 8 <= bytes.count {
      let low =
        value
        ^ (UInt32(bytes[index]) | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2]) << 16
          | UInt32(bytes[index + 3]) << 24)
      value =
        tables[7 << 8 | Int(low & 0xff)] ^ tables[6 << 8 | Int(low >> 8 & 0xff)]
        ^ tables[5 << 8 | Int(low >> 16 & 0xff)] ^ tables[4 << 8 | Int(low >> 24)]
        ^ tables[3 << 8 | Int(bytes[index + 4])] ^ tables[2 << 8 | Int(bytes[index + 5])]
        ^ tables[1 << 8 | Int(bytes[index + 6])] ^ tables[Int(bytes[index + 7])]
      index += 8
    }
    while index < bytes.count {
      value = tables[Int((value ^ UInt32(bytes[index])) & 0xff)] ^ value >> 8
      index += 1
    }
    register = value
  }

  /// Adds that many bytes of zero.
  package mutating func addZeroes(_ count: Int) {
    for _ in 0..<count { register = Self.tables[Int(register & 0xff)] ^ register >> 8 }
  }

  /// The register that adding `bytes` leads from to this one: the way back.
  package mutating func remove(_ bytes: Span<UInt8>) {
    for index in (0..<bytes.count).reversed() {
      // The top byte of a register determines the entry of the table that went into it.
      let entry = Self.origins[Int(register >> 24)]
      register = (register ^ Self.tables[Int(entry)]) << 8 | UInt32(entry ^ bytes[index])
    }
  }

  /// Eight tables of 256 entries: the register after a byte and zero to seven bytes of zero.
  private static let tables: [UInt32] = {
    var tables: [UInt32] = Array(repeating: 0, count: 8 << 8)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 != 0 ? 0x82f6_3b78 ^ value >> 1 : value >> 1 }
      tables[byte] = value
    }
    for index in 256..<8 << 8 {
      let before = tables[index - 256]
      tables[index] = tables[Int(before & 0xff)] ^ before >> 8
    }
    return tables
  }()

  /// The entry of the first table that has each top byte.
  private static let origins: [UInt8] = {
    var origins: [UInt8] = Array(repeating: 0, count: 256)
    for byte in 0..<256 { origins[Int(tables[byte] >> 24)] = UInt8(byte) }
    return origins
  }()
}
