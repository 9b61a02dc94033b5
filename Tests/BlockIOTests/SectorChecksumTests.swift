import BlockIO
import TestSupport
import Testing

/// The checksum of sectors is that of undo stores on disks, and changes with any bit and any place.
@Suite struct SectorChecksumTests {
  private func sum(_ bytes: [UInt8], at byteOffset: UInt64 = 0) -> UInt64 {
    var checksum = SectorChecksum()
    checksum.add(IOBuffer(bytes), 0..<bytes.count, at: byteOffset)
    return checksum.sum
  }

  /// The sums are those of an implementation in Python: an undo store has to be readable by later
  /// versions.
  @Test func `sums are the ones that undo stores have`() {
    #expect(sum([UInt8](repeating: 0, count: 512)) == 0x2352_ae95_51c5_7a44)
    #expect(sum([UInt8](repeating: 0xff, count: 512)) == 0x4ff9_7056_6a3c_558e)
    #expect(sum([UInt8](repeating: 0, count: 512), at: 512) == 0x843b_3015_c7a5_e13a)
    #expect(sum(pattern(512)) == 0x5b94_779d_2fc4_f5c0)
    #expect(sum(pattern(2048), at: 4096) == 0xb81d_c707_13de_b55f)
  }

  @Test func `places may be anywhere in 64 bits`() {
    #expect(sum(pattern(512), at: 1 << 63) == 0x9930_ffb4_c29b_3788)
    #expect(sum(pattern(512), at: .max - 511) == 0x9e23_c791_6a4d_3603)
  }

  @Test func `pieces in any order have the sum of the whole`() {
    let buffer = IOBuffer(pattern(8192))
    var (backwards, halves) = (SectorChecksum(), SectorChecksum())
    for sector in (0..<16).reversed() {
      backwards.add(
        buffer, sector * 512..<(sector + 1) * 512, at: 1 << 40 + UInt64(sector) * 512)
    }
    for half in [4096..<8192, 0..<4096] {
      var checksum = SectorChecksum()
      checksum.add(buffer, half, at: 1 << 40 + UInt64(half.lowerBound))
      halves.add(checksum)
    }
    let whole = sum(pattern(8192), at: 1 << 40)
    #expect(backwards.sum == whole && halves.sum == whole)
  }

  @Test func `any bit of a sector changes its sum`() {
    let whole = sum(pattern(512))
    let unnoticed = (0..<4096).first { bit in
      var bytes = pattern(512)
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      return sum(bytes) == whole
    }
    #expect(unnoticed == nil)
  }

  @Test func `words, sectors and places that are exchanged change the sum`() {
    let bytes = pattern(1024)
    let whole = sum(bytes)
    #expect(sum(Array(bytes[512...] + bytes[..<512])) != whole)
    for distance in [8, 32, 256] {
      var other = bytes
      for index in 0..<8 { other.swapAt(index, index + distance) }
      #expect(sum(other) != whole, "words \(distance) bytes apart")
    }
    for byteOffset in [1, 512, 1 << 32, 1 << 63, .max - 1023] as [UInt64] {
      #expect(sum(bytes, at: byteOffset) != whole)
    }
  }

  @Test func `bytes behind the last whole sector are not counted`() {
    #expect(sum([]) == 0)
    for count in [1, 8, 511] { #expect(sum(pattern(count)) == 0) }
    for count in [513, 520, 1023] { #expect(sum(pattern(count)) == sum(pattern(512))) }
  }

  @Test func `a stored sum goes on where it was, and wraps around`() {
    var checksum = SectorChecksum(sum: .max)
    checksum.add(IOBuffer(pattern(512)), 0..<512, at: 0)
    #expect(checksum.sum == 0x5b94_779d_2fc4_f5bf)
    checksum.add(SectorChecksum(sum: .max))
    #expect(checksum == SectorChecksum(sum: 0x5b94_779d_2fc4_f5be))
    checksum.add(SectorChecksum())
    #expect(checksum.sum == 0x5b94_779d_2fc4_f5be)
  }
}
