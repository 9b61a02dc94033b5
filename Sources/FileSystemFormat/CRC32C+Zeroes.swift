extension CRC32C {
  /// Adds the four bytes of a little-endian integer.
  package mutating func add(_ value: UInt32) {
    // Adding to a register is an exclusive or.
    register ^= value
    addZeroes(4)
  }

  /// The integer whose four bytes lead from one register to another.
  package static func integer(from start: UInt32, to end: UInt32) -> UInt32 {
    var checksum = CRC32C(register: end)
    checksum.removeZeroes(4)
    return checksum.register ^ start
  }

  /// The register from which adding that many zero bytes leads to this one.
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
