import FileSystemFormat
import Testing

/// The checksum against the values of RFC 3720, appendix B.4.
struct CRC32CTests {
  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var checksum = CRC32C()
    checksum.add(bytes.span)
    return checksum.inverted
  }

  @Test func `has the values of the RFC`() {
    #expect(Self.checksum(Array(repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(Self.checksum(Array(repeating: 0xff, count: 32)) == 0x62a8_ab43)
    #expect(Self.checksum(Array(0..<32)) == 0x46dd_794e)
    #expect(Self.checksum((0..<32).reversed()) == 0x113f_db5c)
  }

  @Test func `any split of the bytes gives the same`() {
    let bytes = (0..<100).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    for cut in [0, 1, 7, 8, 9, 50, 99, 100] {
      var checksum = CRC32C()
      checksum.add(Array(bytes[..<cut]).span)
      checksum.add(Array(bytes[cut...]).span)
      #expect(checksum.inverted == Self.checksum(bytes))
    }
  }

  @Test func `zeroes are bytes like others`() {
    var (counted, added) = (CRC32C(register: 17), CRC32C(register: 17))
    counted.addZeroes(21)
    added.add([UInt8](repeating: 0, count: 21).span)
    #expect(counted == added)
  }

  @Test func `removing what was added leads back`() {
    let bytes = (0..<100).map { UInt8(truncatingIfNeeded: $0 &* 91 ^ 5) }
    var checksum = CRC32C(register: 0xdead_beef)
    checksum.add(bytes.span)
    checksum.remove(bytes.span)
    #expect(checksum.register == 0xdead_beef)
  }
}
