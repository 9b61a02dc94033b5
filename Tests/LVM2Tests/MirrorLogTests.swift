import BlockIO
import TestSupport
import Testing

@testable import LVM2

/// A mirror is in step where its log says so of every region, and can be read.
@Suite struct MirrorLogTests {
  private func log(
    _ bits: [UInt8], regionCount: UInt64, magic: String = "rRiM"
  ) -> [UInt8] {
    Array(magic.utf8) + UInt32(2).littleEndianBytes + regionCount.littleEndianBytes
      + Array(repeating: 0, count: 1008) + bits
  }

  private func isInSync(_ bytes: [UInt8]) throws -> Bool {
    try MirrorLog.isInSync(MemorySource(bytes))
  }

  @Test func `every region counts, and no bit behind the last`() throws {
    #expect(try isInSync(log([0xff, 0x07], regionCount: 11)))
    #expect(try !isInSync(log([0xff, 0x07], regionCount: 12)))
    for bit in 0..<11 {
      var bits: [UInt8] = [0xff, 0xff]
      bits[bit / 8] ^= 1 << (bit % 8)
      #expect(try !isInSync(log(bits, regionCount: 11)), "bit \(bit)")
    }
    #expect(try isInSync(log([0xff, 0xf7], regionCount: 11)))
  }

  @Test func `long logs are read to their end`() throws {
    var bits = [UInt8](repeating: 0xff, count: 200_000)
    #expect(try isInSync(log(bits, regionCount: 1_600_000)))
    #expect(try isInSync(log(bits, regionCount: 1_599_999)))
    bits[199_999] = 0x7f
    #expect(try !isInSync(log(bits, regionCount: 1_600_000)))
    #expect(try isInSync(log(bits, regionCount: 1_599_999)))
  }

  @Test(arguments: [0, 17, 1 << 32, .max - 6, .max] as [UInt64])
  func `a count of regions for which there is no room, or of none`(regionCount: UInt64) throws {
    #expect(try !isInSync(log([0xff, 0xff], regionCount: regionCount)))
  }

  @Test func `what is no log, or cannot be read, says nothing`() throws {
    #expect(try !isInSync([]))
    #expect(try !isInSync(Array(log([0xff], regionCount: 8).prefix(1024))))
    #expect(try !isInSync(log([0xff], regionCount: 8, magic: "MiRr")))
    let bytes = log(Array(repeating: 0xff, count: 1000), regionCount: 4096)
    for byte: UInt64 in [0, 1500] {
      #expect(try !MirrorLog.isInSync(FaultySource(bytes, unreadable: [byte..<byte + 1])))
    }
    #expect(try MirrorLog.isInSync(FaultySource(bytes, unreadable: [600..<601])))
  }
}
