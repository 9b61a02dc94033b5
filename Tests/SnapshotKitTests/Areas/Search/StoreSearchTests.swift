import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

extension StoreSearch {
  /// A search of all of an image.
  static func through(_ source: any BlockSource) throws -> StoreSearch {
    var search = StoreSearch(source)
    try search.run { _, _ in }
    return search
  }

  static func through(_ bytes: [UInt8]) throws -> StoreSearch {
    try through(FaultySource(bytes))
  }
}

/// An image is read once from its beginning to its end, and each store in it is found once.
@Suite struct StoreSearchTests {
  @Test func `the progress is told at each mebibyte and at the end`() throws {
    let byteCount: UInt64 = 2 << 20 + 700
    let source = FaultySource([UInt8](repeating: 7, count: Int(byteCount)))
    var positions: [UInt64] = []
    var totals: Set<UInt64> = []
    var search = StoreSearch(source)
    try search.run {
      positions.append($0)
      totals.insert($1)
    }
    #expect(positions == positions.sorted() && positions.last == byteCount)
    #expect(Set(positions) == [1 << 20, 2 << 20, byteCount] && totals == [byteCount])
    #expect(source.hasReadEachByteAtMostOnce)
  }

  @Test func `a hole that ends within a sector hides nothing of it`() throws {
    // A single exception, which without the header would be no store.
    let builder = StoreBuilder(chunkSectors: 8).copying([7])
    let image = builder.image(.magicErased)
    let area = builder.byteOffset(slot: 0)
    // From the header's valid field to its end, and the exception.
    let source = FaultySource(
      byteCount: 1 << 30,
      pieces: [(4100, Array(image[4..<16])), (4096 + UInt64(area), Array(image[area..<area + 16]))])
    let stores = try StoreSearch.through(source).stores
    #expect(stores.map(\.byteOffset) == [4096] && stores.map(\.header) == [.damaged])
    #expect(stores.map(\.exceptionCount) == [1])
  }

  @Test func `lawful areas after the end of a table are stale exceptions of its store`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying((0..<100).map { $0 * 3 })
    let end = Damage.bytes([UInt8](repeating: 0, count: 22 * 16), at: builder.byteOffset(slot: 10))
    let whole = try StoreSearch.through(builder.image(end)).stores
    #expect(whole.map(\.exceptionCount) == [10] && whole.map(\.areaCount) == [1])
    #expect(whole.map(\.staleExceptionCount) == [68])
    let damage = Damage.exception(area: 2, slot: 7, old: 5, new: 1 << 60)
    let damaged = try StoreSearch.through(builder.image(end, damage)).stores
    #expect(damaged.map(\.exceptionCount) == [10])
    #expect(damaged.map(\.staleExceptionCount) == [36])
  }

  @Test func `a store among the data of another is found beside it`() throws {
    let inner = StoreBuilder(chunkSectors: 1).copying(0..<40).image()
    let outer = StoreBuilder(chunkSectors: 8).copying(0..<20).sized(60)
    let stores = try StoreSearch.through(outer.image(.bytes(inner, at: 40 * 4096 + 512))).stores
    #expect(stores.map(\.byteOffset) == [0, 40 * 4096 + 512])
    #expect(stores.map(\.chunkSize.sectorCount) == [8, 1])
    #expect(stores.map(\.exceptionCount) == [20, 40])
  }

  @Test func `a store reaches to its last data chunk, or to the end of a shorter image`() throws {
    let builder = StoreBuilder(chunkSectors: 8).copying(0..<20)
    // Up to chunk 21, or 100 bytes behind area 0.
    for (damages, byteCount) in [([], 22 * 4096), ([.cut(byteCount: 8292)], 8292)]
      as [([Damage], UInt64)]
    {
      let image = damages.reduce(into: builder.image()) { $1.apply(to: &$0, of: builder) }
      let stores = try StoreSearch.through(image).stores
      #expect(stores.map(\.chainByteCount) == [byteCount])
      #expect(stores.map(\.exceptionCount) == [20])
    }
  }

  @Test(arguments: [20, 32])
  func `a store at the end of the largest medium is found`(count: Int) throws {
    let image = StoreBuilder(chunkSectors: 8).copying(0..<count).image()
    let start = (1 << 63) - 4096 - UInt64(image.count)
    for header in [Array(image[..<512]), [UInt8](repeating: 0, count: 512)] {
      let source = FaultySource(
        byteCount: UInt64(Int64.max), pieces: [(start, header + image[512...])])
      let search = try StoreSearch.through(source)
      #expect(search.stores.map(\.byteOffset) == [start] && search.beheaded == [])
      #expect(search.stores.map(\.exceptionCount) == [UInt64(count)])
      #expect(search.stores.map(\.chainByteCount) == [UInt64(count + 2) * 4096])
      #expect(search.stores.map(\.gaps) == [[]])
    }
  }

  @Test func `unreadable sectors are skipped and listed, neighbours as one range`() throws {
    let store = StoreBuilder(chunkSectors: 1).copying(0..<40).image()
    let bad: [Range<UInt64>] = [1000..<1001, 1024..<1025, 4096..<8192]
    let source = FaultySource([UInt8](repeating: 7, count: 10_240) + store, unreadable: bad)
    let search = try StoreSearch.through(source)
    #expect(search.unreadable == [512..<1536, 4096..<8192])
    #expect(search.stores.map(\.byteOffset) == [10_240])
  }

  @Test func `an error that is not the medium's ends the search`() {
    let source = FaultySource([UInt8](repeating: 7, count: 4096), unreadable: [512..<1024])
    source.failure = .refused("no")
    #expect(throws: BlockIOError.self) { try StoreSearch.through(source) }
  }
}
