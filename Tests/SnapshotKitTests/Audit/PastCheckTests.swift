import BlockIO
@testable import SnapshotKit
import TestSupport
import Testing

/// Older areas and data behind the table's end are noted, as far as they tell anything.
@Suite struct PastCheckTests {
  private func findings(_ image: [UInt8]) -> [Finding] {
    Auditor(Store(image)).audit().findings
  }

  @Test func `older areas are counted up to the first that is none`() throws {
    let old = StoreBuilder(chunkSectors: 1, chunkCount: 200).copying(0..<150)  // areas 0 to 4
    let findings = findings(old.image(.zeroChunk(1), .zeroChunk(old.chunk(ofArea: 3))))
    let stale = try #require(findings.first { $0.code == .areaStale })
    #expect(stale.count == 2)
    #expect(stale.ranges == [old.bytes(ofChunk: 34), old.bytes(ofChunk: 67)])
  }

  @Test func `file data where an area would be is no older area`() {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 80).copying(0..<3)
    let data = Stamp.sectors(0..<1, by: "a file")
    #expect(findings(builder.image(.bytes(data, at: 34 * 512))) == [])
  }

  @Test func `only a table that ends has anything behind it`() {
    let full = StoreBuilder(chunkSectors: 1).copying(0..<64).sized(67)
    #expect(!findings(full.image()).contains { $0.code == .mergeInterrupted })
  }

  @Test(arguments: [0, 1, 31])
  func `data in the next free chunk is noted wherever in it it stands`(count: Int) {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 80).copying(0..<count)
    let chunk = 2 + count
    for byteOffset in [chunk * 512, chunk * 512 + 511] {
      let codes = findings(builder.image(.bytes([1], at: byteOffset))).map(\.code)
      #expect(codes == [count == 0 ? .mergeResidue : .mergeInterrupted])
    }
    // After an empty table the whole of the first area's chunks is looked at.
    let later = findings(builder.image(.bytes([1], at: (chunk + 1) * 512))).map(\.code)
    #expect(later == (count == 0 ? [.mergeResidue] : []))
  }

  @Test func `behind a full area the next free chunk is one further, and the end in doubt`() {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 80).copying(0..<32)
    #expect(
      findings(builder.image(.bytes([1], at: 35 * 512))).map(\.code) == [.generationEndInDoubt])
  }

  @Test func `an unused chunk that cannot be read concerns nobody`() {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 80).copying(0..<3)
    let source = FaultySource(
      builder.image(), unreadable: [5, 34].map(builder.bytes(ofChunk:)))
    #expect(Auditor(Store(source)).audit().findings == [])
  }
}
