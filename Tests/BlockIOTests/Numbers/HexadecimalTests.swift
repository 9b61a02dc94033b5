import Testing

@testable import BlockIO

struct HexadecimalTests {
  @Test(
    arguments: [
      (0, "00000000"), (1, "00000001"), (0x7041_6e53, "70416e53"), (.max, "ffffffff"),
    ] as [(UInt32, String)])
  func `a number has as many digits as asked for, or more`(number: UInt32, text: String) {
    #expect(number.hexadecimal(digitCount: 8) == text)
    #expect(number.hexadecimal(digitCount: 8, uppercase: true) == text.uppercased())
    #expect(UInt64(0x1_0000_0000).hexadecimal(digitCount: 8) == "100000000")
  }

  @Test func `each byte has two digits`() {
    #expect(([0, 9, 10, 255] as [UInt8]).hexadecimal == "00090aff")
    #expect([UInt8]().hexadecimal == "")
  }
}
