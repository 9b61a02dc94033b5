import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// Bad sectors that a salvage would gain by are wanted, all others are not.
@Suite struct WantedSectorsTests {
  /// Forty exceptions of one sector: areas at sectors 1 and 34, data in 2 to 33 and 35 to 42.
  private static let forty = StoreBuilder(chunkSectors: 1, chunkCount: 80).copying(100..<140)

  private static func map(_ unreadable: [Range<UInt64>], byteCount: UInt64) throws -> BadSectorMap {
    let text = BadSectorMap.mapfile(
      of: unreadable.map { RescueBlock($0, .badSector) }, byteCount: byteCount, comment: "made up")
    return try BadSectorMap(parsing: Array(text.utf8).span)
  }

  private func sectors(_ numbers: Int...) -> [Range<UInt64>] {
    numbers.map { UInt64($0) * 512..<UInt64($0 + 1) * 512 }
  }

  private func wanted(
    _ bad: [Range<UInt64>], lost: [LostRange] = [], image: [UInt8] = forty.image()
  ) throws -> WantedSectors {
    let source = RescuedSource(
      FaultySource(image, name: "store.img"), try Self.map(bad, byteCount: UInt64(image.count)))
    let plan = try SalvagePlan(Store(source))
    return WantedSectors(plan, try plan.generation(0), lost: lost)
  }

  @Test func `header and areas are metadata, what exceptions name is data`() throws {
    let wanted = try wanted(sectors(0, 5, 34, 36, 60))
    #expect(wanted.metadata == sectors(0, 34))
    // Sector 36 is an orphan's, whose exception is in the area that was lost; 60 is nobody's.
    #expect(wanted.data == sectors(5))
    #expect(wanted.metadataByteCount == 1024 && wanted.dataByteCount == 512)
  }

  @Test func `without bad sectors nothing is wanted, nor with bad ones that nobody uses`() throws {
    for bad in [[], sectors(44, 60, 79)] {
      let wanted = try wanted(bad)
      #expect(wanted.metadata == [] && wanted.data == [])
      #expect(wanted.metadataByteCount == 0 && wanted.dataByteCount == 0)
    }
  }

  @Test func `the area behind the table's last may be the table's`() throws {
    #expect(try wanted(sectors(67)).metadata == sectors(67))
    // One further cannot be reached by this table.
    let long = StoreBuilder(chunkSectors: 1, chunkCount: 140).copying(100..<140).image()
    #expect(try wanted(sectors(100), image: long).metadata == [])
  }

  @Test func `a bad byte is a bad sector, neighbours are one`() throws {
    let wanted = try wanted([1536..<2048, 2048..<2049, 17_500..<17_501])
    #expect(wanted.metadata == sectors(34))
    #expect(wanted.data == [1536..<2560])
  }

  @Test func `what whoever tried could not read is wanted where the store has it`() throws {
    let lost = [
      LostRange(103 * 512..<105 * 512, .storeUnreadable), LostRange(0..<512, .originUnreadable),
      LostRange(133 * 512..<134 * 512, .beyondStore),
    ]
    #expect(try wanted([], lost: lost).data == [5 * 512..<7 * 512])
    // Across an area: old chunks 131 and 132 lie in sectors 33 and 35.
    let across = LostRange(131 * 512..<133 * 512, .storeUnreadable)
    #expect(try wanted([], lost: [across]).data == sectors(33, 35))
  }

  @Test func `of a store that cannot be read at its head the first sector is wanted`() throws {
    let source = FaultySource(Self.forty.image(), unreadable: [0..<1])
    let plan = try SalvagePlan(Store(source))
    let wanted = WantedSectors(plan, try plan.generation(0), lost: [])
    #expect(wanted.metadata == sectors(0))
  }

  // MARK: - Mapfiles

  @Test func `the mapfile has metadata to be read first, and all else as finished`() throws {
    let wanted = try wanted(sectors(5, 34, 60))
    let text = wanted.mapfile(at: 0, in: 80 * 512)
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
    #expect(
      lines == [
        "0x00000000     ?               1", "0x00000000  0x00000A00  +",
        "0x00000A00  0x00000200  *", "0x00000C00  0x00003800  +", "0x00004400  0x00000200  ?",
        "0x00004600  0x00005A00  +",
      ])
    let map = try BadSectorMap(parsing: Array(text.utf8).span)
    #expect(map.unreadableRanges(in: 0..<80 * 512) == sectors(5, 34))
  }

  @Test func `a store inside a file has its sectors where the file has them`() throws {
    let start: UInt64 = 3 * 512
    let file = [UInt8](repeating: 7, count: Int(start)) + Self.forty.image() + [1, 2, 3]
    let bad = sectors(8, 37).map { $0 }  // sectors 5 and 34 of the store
    let whole = RescuedSource(FaultySource(file), try Self.map(bad, byteCount: UInt64(file.count)))
    let slice = try SliceSource(whole, start..<start + UInt64(Self.forty.image().count))
    let plan = try SalvagePlan(Store(slice))
    let wanted = WantedSectors(plan, try plan.generation(0), lost: [])
    #expect(wanted.metadata == sectors(34) && wanted.data == sectors(5))
    let text = wanted.mapfile(at: start, in: UInt64(file.count))
    let map = try BadSectorMap(parsing: Array(text.utf8).span)
    #expect(map.unreadableRanges(in: 0..<UInt64(file.count)) == bad)
  }

  @Test(arguments: UInt64(1)...40)
  func `any map of bad sectors gives back those that matter, and no other`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let bad = (0..<80).filter { _ in random.oneIn(6) }
    let wanted = try wanted(bad.map { UInt64($0) * 512..<UInt64($0 + 1) * 512 })
    let text = wanted.mapfile(at: 0, in: 80 * 512)
    let map = try BadSectorMap(parsing: Array(text.utf8).span)
    // The table may reach one area further than those that are lost.
    let metadata = bad.filter { [0, 1, 34, 67].contains($0) }
    var data = bad.filter { (2..<34).contains($0) && !bad.contains(1) }
    data += bad.filter { (35..<43).contains($0) && !bad.contains(34) }
    for sector in 0..<80 {
      let range = UInt64(sector) * 512..<UInt64(sector + 1) * 512
      let isWanted = map.firstUnreadableRange(in: range) != nil
      #expect(isWanted == (metadata + data).contains(sector), "seed \(seed), sector \(sector)")
    }
  }
}
