/// The effect of a number of zero bytes on a register of CRC-32C, forwards or backwards, in 32
/// steps.
///
/// CRC-32C is linear: the register of two pieces is that of the first, shifted by the length of the
/// second, XOR that of the second. From a checksum and all pieces but one, the register of the
/// missing piece can therefore be computed, and looked up.
package struct CRC32CShift: Equatable, Sendable {
  /// The effect on each bit of the register.
  private var columns: [UInt32]

  /// The shift by that many bytes.
  package init(byteCount: Int) {
    self.init(of: byteCount) { $0.addZeroes(1) }
  }

  /// The shift that undoes the one by that many bytes.
  package init(undoing byteCount: Int) {
    let zero: [UInt8] = [0]
    self.init(of: byteCount) { $0.remove(zero.span) }
  }

  private init(of byteCount: Int, _ step: (inout CRC32C) -> Void) {
    columns = (0..<32).map { 1 << UInt32($0) }
    var power = self
    power.columns = columns.map { bit in
      var checksum = CRC32C(register: bit)
      step(&checksum)
      return checksum.register
    }
    var rest = max(byteCount, 0)
    while rest > 0 {
      if rest & 1 != 0 { columns = columns.map { power($0) } }
      power.columns = power.columns.map { power($0) }
      rest >>= 1
    }
  }

  /// The register after the shift.
  package func callAsFunction(_ register: UInt32) -> UInt32 {
    var (rest, result) = (register, UInt32(0))
    while rest != 0 {
      result ^= columns[rest.trailingZeroBitCount]
      rest &= rest &- 1
    }
    return result
  }
}
