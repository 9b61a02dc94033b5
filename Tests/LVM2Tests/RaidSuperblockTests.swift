import BlockIO
import SystemPackage
import TestSupport
import Testing

@testable import LVM2

/// What md notes on a leg, where it can be read.
@Suite struct RaidSuperblockTests {
  private static let bytes: [UInt8] =
    Array("DmRd".utf8) + Array(repeating: 7, count: 12) + UInt64(41).littleEndianBytes
    + UInt64(5).littleEndianBytes + UInt64.max.littleEndianBytes + Array(repeating: 0, count: 472)

  @Test func `its fields`() throws {
    let superblock = try #require(try RaidSuperblock(MemorySource(Self.bytes)))
    #expect((superblock.events, superblock.failedLegs) == (41, 5))
    #expect(superblock.isRecovered)
    var bytes = Self.bytes
    bytes.put(UInt64(2048).littleEndianBytes, at: 32)
    let rebuilding = try #require(try RaidSuperblock(MemorySource(bytes)))
    #expect(!rebuilding.isRecovered)
    #expect(rebuilding.recoveredSectorCount == 2048)
  }

  @Test func `none where there is none, and an error where it cannot be read`() throws {
    #expect(try RaidSuperblock(MemorySource([])) == nil)
    #expect(try RaidSuperblock(MemorySource(Array(Self.bytes.dropLast()))) == nil)
    #expect(try RaidSuperblock(MemorySource(Array(repeating: 0, count: 4096))) == nil)
    let source = FaultySource(Self.bytes, unreadable: [400..<401])
    #expect(throws: BlockIOError.self) { try RaidSuperblock(source) }
    source.failure = .system(.noMemory)
    #expect(throws: BlockIOError.self) { try RaidSuperblock(source) }
  }
}
