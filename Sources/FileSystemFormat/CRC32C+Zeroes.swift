extension CRC32C {
  /// Adds the four bytes of a little-endian integer.
  package mutating func add(_ value: UInt32) {
    // What is added to a register is the exclusive or of both.
    register ^= value
    addZeroes(4)
  }

  /// The integer whose four bytes lead from one register to another.
  package static func integer(from start: UInt32, to end: UInt32) -> UInt32 {
    var checksum = CRC32C(register: end)
    checksum.removeZeroes(4)
    return checksum.register ^ start
  }

  /// The register that adding that many bytes of zero leads from to this one.
  package mutating func removeZeroes(_ count: Int) {
    var rest = count
    while rest > 0 {
      let piece = min(rest, Self.zeroes.count)
      remove(Self.zeroes.span.extracting(0..<piece))
      rest -= piece
    }
  }

  private static let zeroes = [UInt8](repeating: 0, count: 4096)
}

/// What adding a fixed number of bytes does to a register, without the bytes.
///
/// A checksum is linear: the register after some bytes is what they lead to from zero, exclusive or
/// what the same number of zeroes leads to from the register before. So a block is added once, from
/// zero, and its checksum with any beginning follows from this in four steps.
package struct CRC32CDistance: Sendable {
  private let forwards: [UInt32]
  private let backwards: [UInt32]

  /// The effect of `byteCount` bytes.
  package init(_ byteCount: Int) {
    forwards = Self.tables { $0.addZeroes(byteCount) }
    backwards = Self.tables { $0.removeZeroes(byteCount) }
  }

  /// The checksum of bytes after `start`, if they lead from zero to `content`.
  package func register(from start: UInt32, adding content: UInt32) -> UInt32 {
    Self.apply(forwards, start) ^ content
  }

  /// The register from which bytes lead to `end`, if they lead from zero to `content`.
  package func register(before end: UInt32, adding content: UInt32) -> UInt32 {
    Self.apply(backwards, end ^ content)
  }

  /// What bytes lead to from zero, if they lead from `start` to `end`.
  package func content(from start: UInt32, to end: UInt32) -> UInt32 {
    Self.apply(forwards, start) ^ end
  }

  /// Four tables of 256 entries, one for each byte of a register, of what `step` does to it.
  private static func tables(_ step: (inout CRC32C) -> Void) -> [UInt32] {
    let bits = (0..<32).map { bit in
      var checksum = CRC32C(register: 1 << UInt32(bit))
      step(&checksum)
      return checksum.register
    }
    return (0..<4 << 8).map { index in
      (0..<8).reduce(0) { $0 ^ (index >> $1 & 1 != 0 ? bits[index >> 8 * 8 + $1] : 0) }
    }
  }

  private static func apply(_ tables: [UInt32], _ register: UInt32) -> UInt32 {
    tables[Int(register & 0xff)] ^ tables[1 << 8 | Int(register >> 8 & 0xff)]
      ^ tables[2 << 8 | Int(register >> 16 & 0xff)] ^ tables[3 << 8 | Int(register >> 24)]
  }
}
