extension FixedWidthInteger {
  /// The number in hexadecimal, padded with zeroes to that many digits.
  package func hexadecimal(digitCount: Int, uppercase: Bool = false) -> String {
    let digits = String(self, radix: 16, uppercase: uppercase)
    return String(repeating: "0", count: Swift.max(digitCount - digits.count, 0)) + digits
  }
}

extension Sequence<UInt8> {
  /// The bytes in hexadecimal, two digits each.
  package var hexadecimal: String { map { $0.hexadecimal(digitCount: 2) }.joined() }
}
