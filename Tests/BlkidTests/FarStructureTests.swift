import Testing

@testable import Blkid

/// What boot sectors point to, sane and not.
///
/// - The places follow from the formats' own definitions.
/// - No boot sector makes the arithmetic trap.
@Suite struct FarStructureTests {
  @Test func `the master file table of NTFS is counted in clusters`() {
    var sector = [UInt8](repeating: 0, count: 512)
    sector.put(Array("NTFS    ".utf8), at: 3)
    sector.put(UInt16(512).bytes + [8], at: 11)
    sector.put(UInt64(786_432).bytes, at: 48)
    #expect(FarStructure(bootSector: sector)?.byteOffset == 3 << 30)
    sector.put([244], at: 13)  // 2^12 sectors: clusters of 2 MiB
    sector.put(UInt64(1536).bytes, at: 48)
    #expect(FarStructure(bootSector: sector)?.byteOffset == 3 << 30)
  }

  @Test func `the root directory of exFAT is counted from the cluster heap`() {
    var sector = [UInt8](repeating: 0, count: 512)
    sector.put(Array("EXFAT   ".utf8), at: 3)
    sector.put(UInt32(8192).bytes, at: 88)
    sector.put(UInt32(7).bytes, at: 96)
    sector.put([9, 3], at: 108)
    #expect(FarStructure(bootSector: sector)?.byteOffset == 8192 * 512 + 5 * 4096)
  }

  @Test func `the root directory of FAT32 is counted from behind the tables`() {
    var sector = [UInt8](repeating: 0, count: 512)
    sector.put(UInt16(512).bytes + [8] + UInt16(32).bytes + [2], at: 11)
    sector.put(UInt32(16_384).bytes, at: 36)
    sector.put(UInt32(3).bytes, at: 44)
    #expect(FarStructure(bootSector: sector)?.byteOffset == (32 + 2 * 16_384 + 8) * 512)
    sector.put(UInt16(200).bytes, at: 22)  // tables of FAT12 or FAT16: all is in the head
    #expect(FarStructure(bootSector: sector) == nil)
  }

  @Test func `a sector that is short, empty or no boot sector points nowhere`() {
    #expect(FarStructure(bootSector: []) == nil)
    #expect(FarStructure(bootSector: [UInt8](repeating: 0, count: 512)) == nil)
    #expect(DOSTable([]).extendedStarts.isEmpty)
    #expect(DOSTable([UInt8](repeating: 5, count: 512)).extendedStarts.isEmpty)
  }

  @Test(arguments: ["", "NTFS    ", "EXFAT   "])
  func `no boot sector makes it trap`(_ magic: String) {
    var generator = SplitMix64(seed: 7)
    let full = [UInt8](repeating: 0xff, count: 512)
    let random = (0..<2000).map { _ in
      (0..<512).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
    for var sector in random + [full] {
      sector.put(Array(magic.utf8), at: 3)
      if let structure = FarStructure(bootSector: sector) { #expect(!structure.range.isEmpty) }
      _ = DOSTable(sector)
    }
  }

  @Test func `the frames of logical partitions are those of the three extended types`() {
    var sector = [UInt8](repeating: 0, count: 512)
    for (entry, type) in [UInt8(0x83), 0x05, 0x0f, 0x85].enumerated() {
      sector.put([type], at: 446 + entry * 16 + 4)
      sector.put(UInt32(100 + entry).bytes, at: 446 + entry * 16 + 8)
    }
    sector.put([0x55, 0xaa], at: 510)
    #expect(DOSTable(sector).extendedStarts == [101, 102, 103])
  }
}
