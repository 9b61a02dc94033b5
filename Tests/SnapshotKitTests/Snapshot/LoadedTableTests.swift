import BlockIO
import SnapshotFormat
import SnapshotKit
import TestSupport
import Testing

/// There is a table to work with only where Linux would show the snapshot.
@Suite struct LoadedTableTests {
  private static let builder = StoreBuilder(chunkSectors: 8, chunkCount: 40).copying(0..<10)

  @Test func `a store that loads has a table`() throws {
    let loaded = try Self.builder.loaded()
    #expect(loaded.table.runs.reduce(0) { $0 + $1.count } == 10)
    #expect(loaded.exceptionCount == 10)
    #expect(loaded.geometry == loaded.store.geometry)
  }

  @Test(
    arguments: [
      (.valid(0), "Linux shows nothing of this snapshot"),
      (.magicErased, "Linux would treat this store as new"),
      (.headerZeroed, "Linux would treat this store as new"),
      (.version(7), "Linux refuses this store"),
      (.magic("LUKS"), "Linux refuses this store"),
      (.cut(byteCount: 4096), "Linux refuses this store"),
    ] as [(Damage, String)])
  func `a store that does not load says why`(damage: Damage, words: String) {
    let error = #expect(throws: StoreError.self) {
      try LoadedTable(Store(Self.builder.image(damage)), reading: .kernel)
    }
    #expect(error.map { "\($0)".contains(words) } == true, "\(String(describing: error))")
    #expect(error.map { "\($0)".hasPrefix("store.img: ") } == true)
  }

  @Test(arguments: [0, 1, 15, 512, 5000])
  func `zeroes are no store`(byteCount: Int) {
    let error = #expect(throws: StoreError.self) {
      try LoadedTable(Store([UInt8](repeating: 0, count: byteCount)), reading: .kernel)
    }
    guard case .notAStore = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func `a table that would crash Linux is refused`() {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 64).adding((1, 255 << 56 | 3), (0, 2))
    let error = #expect(throws: StoreError.self) { try builder.loaded() }
    #expect(error.map { "\($0)".contains("crash") } == true)
  }

  @Test func `which obstacle keeps Linux from merging depends on the origin`() throws {
    let loaded = try StoreBuilder(chunkSectors: 8).copying([5, 6, 9]).loaded()
    #expect(try loaded.mergeObstacle(originByteCount: 10 * 4096) == nil)
    #expect(try loaded.mergeObstacle(originByteCount: 4 * 4096)?.kind == .oldBeyondOrigin)
  }

  @Test func `a kernel goes by the header's chunk size, whatever the areas say`() throws {
    // By the header, area 0 lies in what was chunk 0, and is empty.
    let image = StoreBuilder(chunkSectors: 8).copying(0..<40).image(.chunkSectors(1))
    #expect(InferredGeometry(Store(image)).geometry?.chunkSize.sectorCount == 8)
    let loaded = try LoadedTable(Store(image), reading: .kernel)
    #expect(loaded.geometry.chunkSize.sectorCount == 1)
    #expect(loaded.exceptionCount == 0)
  }
}
