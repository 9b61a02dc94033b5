import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// Copies that lost bytes, or have some too many, are told by their areas, and what is not known of
/// them is not used.
@Suite struct ShiftEvidenceTests {
  private static let builder = StoreBuilder(chunkSectors: 8).copying((0..<700).map { $0 * 3 })
  /// Every byte of a data chunk is of that chunk, and never zero.
  private static let good: [UInt8] = {
    var image = builder.image()
    for position in 0..<700 {
      let chunk = builder.dataChunk(position)
      image.put([UInt8](repeating: UInt8(position % 251 + 1), count: 4096), at: chunk * 4096)
    }
    return image
  }()

  private func without(_ range: Range<Int>) -> [UInt8] {
    Array(Self.good[..<range.lowerBound] + Self.good[range.upperBound...])
  }

  private func gaps(_ bytes: [UInt8]) throws -> [Gap] {
    try ShiftEvidence(FaultySource(bytes), ChunkSize(sectorCount: 8)).gaps
  }

  private func audit(_ bytes: [UInt8]) -> Audit {
    Auditor(Store(FaultySource(bytes, name: "copy.cow"))).audit()
  }

  /// Checks each exception of a salvage against the store that was copied.
  private func expectRight(_ bytes: [UInt8], keepsAtLeast count: UInt64) throws {
    let plan = try SalvagePlan(Store(FaultySource(bytes)))
    let generation = try plan.generation(0)
    #expect(generation.exceptionCount >= count)
    let buffer = IOBuffer(byteCount: 4096)
    for run in generation.runs {
      for within in 0..<run.count {
        let (old, new) = (run.old + within, run.new + within)
        try plan.store.source.read(at: new * 4096, into: buffer, 0..<4096)
        #expect(buffer.bytes(0..<1) == [UInt8(old / 3 % 251 + 1)], "exception \(old)")
        #expect(buffer.isUniform(0..<4096))
      }
    }
  }

  @Test func `a sound store has no gap`() throws {
    #expect(try gaps(Self.good).isEmpty)
    #expect(audit(Self.good).verdict == .healthy)
  }

  @Test(arguments: [1, 7, 8, 128, 333, 2048])
  func `bytes lost among data leave what lies before the area and behind the next`(
    sectors: Int
  ) throws {
    let copy = without(100 * 4096..<100 * 4096 + sectors * 512)
    let found = try gaps(copy)
    #expect(found.map(\.missingByteCount).reduce(0, +) == Int64(sectors * 512))
    #expect(found[0].range.lowerBound == 2 * 4096)
    try expectRight(copy, keepsAtLeast: sectors == 2048 ? 100 : 444)
  }

  @Test(arguments: [1, 8, 333])
  func `bytes that are too many are found as well`(sectors: Int) throws {
    var copy = Self.good
    copy.insert(contentsOf: [UInt8](repeating: 0xaa, count: sectors * 512), at: 300 * 4096)
    #expect(try gaps(copy).map(\.missingByteCount) == [-Int64(sectors * 512)])
    try expectRight(copy, keepsAtLeast: 444)
  }

  @Test func `bytes lost within an area are found to the sector`() throws {
    let area = 258 * 4096
    let copy = without(area + 1024..<area + 1536)
    #expect(try gaps(copy) == [#require(Gap(at: UInt64(area + 1024), missing: 512))])
    try expectRight(copy, keepsAtLeast: 668)
  }

  @Test func `several losses are told apart`() throws {
    var copy = without(600 * 4096..<600 * 4096 + 4096)
    copy.removeSubrange(100 * 4096..<100 * 4096 + 512)
    #expect(try gaps(copy).map(\.missingByteCount) == [512])
    copy = without(300 * 4096..<300 * 4096 + 1536)
    copy.removeSubrange(100 * 4096..<100 * 4096 + 512)
    #expect(try gaps(copy).map(\.missingByteCount) == [512, 1536])
    try expectRight(copy, keepsAtLeast: 188)
  }

  @Test(arguments: [512, 1024, 3584])
  func `bytes lost behind the header cost nothing`(count: Int) throws {
    let copy = without(512..<512 + count)
    #expect(try gaps(copy).map(\.missingByteCount) == [Int64(count)])
    let audit = audit(copy)
    #expect(audit.geometry?.chunkSize.sectorCount == 8)
    #expect(audit.findings.contains { $0.code == .storeShifted })
    try expectRight(copy, keepsAtLeast: 700)
  }

  @Test func `areas that changed places are no loss`() throws {
    var copy = Self.good
    let (first, second) = (258 * 4096, 515 * 4096)
    for index in 0..<4096 { copy.swapAt(first + index, second + index) }
    #expect(try gaps(copy).isEmpty)
  }

  @Test func `an audit names the bytes that are missing`() throws {
    let audit = audit(without(100 * 4096..<101 * 4096))
    let finding = try #require(audit.findings.first { $0.code == .storeShifted })
    let bytes: Range<UInt64> = 8192..<1_052_672
    #expect(finding.place.bytes == bytes)
    #expect(finding.found == "4096 bytes are missing between byte 8192 and byte 1052672")
    #expect(audit.verdict == .damaged)
    #expect(audit.usableCount == 444)
    let diagnosis = try #require(Diagnosis(audit))
    #expect(diagnosis.cause.hasPrefix("this copy lost 4096 bytes between byte 8192 and"))
    #expect(diagnosis.prospect.lostCount == 256)
  }

  @Test func `what nothing confirms is counted as in doubt`() throws {
    // Of the last area the first sector is left, and something else behind it.
    var copy = Self.good
    copy.put([UInt8](repeating: 0x55, count: 3584), at: 515 * 4096 + 512)
    let generation = try SalvagePlan(Store(FaultySource(copy))).generation(0)
    #expect(generation.doubtfulCount > 0)
    #expect(generation.findings.contains { $0.code == .storeUnconfirmed })
  }

  @Test func `carving finds one store, and its gap`() throws {
    let image = [UInt8](repeating: 0xee, count: 10_240) + without(100 * 4096..<101 * 4096)
    let carving = try Carver(FaultySource(image)).carve { _, _ in }
    #expect(carving.beheaded.isEmpty)
    let store = try #require(carving.stores.first)
    #expect(carving.stores.count == 1)
    #expect(store.byteOffset == 10_240)
    #expect(store.exceptionCount == 700)
    #expect(store.gaps.map(\.missingByteCount) == [4096])
  }

  @Test func `a header's remains that read as a far area do not outweigh areas in their places`()
    throws
  {
    // What is left of the header reads as an exception for chunk 2048, the first of area 62.
    let builder = StoreBuilder(chunkSectors: 1).copying((0..<83).map { $0 * 3 })
    var image = builder.image()
    image.put([0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0], at: 0)
    let plan = try SalvagePlan(Store(FaultySource(image)))
    #expect(plan.gaps == [])
    #expect(try plan.generation(0).exceptionCount == 83)
  }

  @Test func `one number that fits a far area is no loss, whatever else is left`() throws {
    // The header's remains read as an exception for chunk 197, the first of area 3; area 0 is gone.
    var image = StoreBuilder(chunkSectors: 2).copying((0..<64).map { $0 * 3 }).image()
    image.put([0, 0, 0, 0, 0, 0, 0, 0, 197, 0, 0, 0, 0, 0, 0, 0], at: 0)
    image.put(Array(repeating: 0xff, count: 1024), at: 1024)
    let plan = try? SalvagePlan(Store(FaultySource(image)), chunkSize: ChunkSize(sectorCount: 2))
    #expect(plan?.gaps ?? [] == [])
    #expect(plan?.generations.first?.exceptionCount ?? 0 == 0)
  }
}
