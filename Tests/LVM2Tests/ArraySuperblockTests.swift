import BlockIO
import MD
import TestSupport
import Testing

/// Members of md arrays are told by their superblocks, wherever these lie.
@Suite struct ArraySuperblockTests {
  private let data = Stamp.origin(byteCount: 300 * 1024)

  @Test(arguments: ["0.90", "1.0", "1.1", "1.2"])
  func `each version is read`(version: String) throws {
    var builder = ArrayBuilder()
    (builder.version, builder.level, builder.events) = (version, 5, 0x1_0000_0007)
    builder.memberCount = 3
    let bytes = builder.member(2, data)
    let found = try #require(try ArraySuperblock(of: FaultySource(bytes)))
    #expect(found.version == version && found.level == 5 && !found.isMirror)
    #expect(found.memberCount == 3 && found.role == 2 && found.events == 0x1_0000_0007)
    #expect(found.name == (version == "0.90" ? "" : "any:0") && found.isRecovered)
    #expect(found.uuidText == "5a5a5a5a:5a5a5a5a:5a5a5a5a:5a5a5a5a")
    #expect(Array(bytes[Int(found.data.lowerBound)..<Int(found.data.upperBound)]) == data)
    #expect(found.memberDescription.hasPrefix("member 2 of 3 of the raid5 array "))
  }

  @Test(arguments: ["0.90", "1.0", "1.1", "1.2"])
  func `a flipped bit is no superblock, and neither is what lies elsewhere`(version: String) throws
  {
    var builder = ArrayBuilder()
    builder.version = version
    let bytes = builder.member(0, data)
    let magic: [UInt8] = [0xfc, 0x4e, 0x2b, 0xa9]
    let place = try #require(
      stride(from: 0, to: bytes.count - 4, by: 512).first { Array(bytes[$0..<$0 + 4]) == magic })
    var flipped = bytes
    flipped[place + 40] ^= 4
    #expect(try ArraySuperblock(of: FaultySource(flipped)) == nil)
    let moved = [UInt8](repeating: 0, count: 512) + bytes + [UInt8](repeating: 0, count: 70_000)
    #expect(try ArraySuperblock(of: FaultySource(moved)) == nil)
    #expect(try ArraySuperblock(of: FaultySource(data)) == nil)
    #expect(try ArraySuperblock(of: FaultySource([])) == nil)
  }

  @Test func `a spare, and numbers that nobody could have, trap nobody`() throws {
    var random = SplitMix64(seed: 7)
    let builder = ArrayBuilder()
    let bytes = builder.member(0, data)
    for _ in 0..<2000 {
      var odd = Array(bytes[..<8192])
      let at = 4096 + random.below(400)
      odd.put(random.bytes(1 + random.below(8)), at: at)
      // The checksum is put right, so that the numbers are looked at.
      odd.put([0, 0, 0, 0], at: 4096 + 216)
      let count = 256 + 2 * Int(odd[4096 + 220])
      var sum: UInt64 = 0
      for index in stride(from: 0, to: count, by: 2) {
        let value = UInt64(odd[4096 + index]) | UInt64(odd[4097 + index]) << 8
        sum += value << (index % 4 == 0 ? 0 : 16)
      }
      odd.put(UInt32(truncatingIfNeeded: sum + sum >> 32).littleEndianBytes, at: 4096 + 216)
      _ = try ArraySuperblock(of: FaultySource(odd))?.memberDescription
    }
  }
}
