import LVM2
import Testing

/// The checksum, against numbers that lvm2 wrote.
@Suite struct LVMChecksumTests {
  @Test func `of nothing it is where it starts`() {
    #expect(LVMChecksum().value == 0xf597_a6cf)
    #expect(LVMChecksum([]) == LVMChecksum())
  }

  /// A plain CRC-32 begins with all ones, and is inverted at the end; both are linear, so that two
  /// texts of one length differ by the same bits in both.
  @Test func `it differs from CRC-32 in its start and its end only`() {
    let (first, second) = (Array("123456789".utf8), Array(repeating: UInt8(0), count: 9))
    // 0xcbf43926 is CRC-32's well known check value, 0xe60914ae that of nine zeroes.
    #expect(
      LVMChecksum(first).value ^ LVMChecksum(second).value == 0xcbf4_3926 ^ 0xe609_14ae)
  }
}
