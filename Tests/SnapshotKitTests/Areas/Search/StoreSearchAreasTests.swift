import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// An area is a store's without the header if its numbers are in order and nothing contradicts it.
@Suite struct StoreSearchAreasTests {
  private func stores(_ bytes: [UInt8]) throws -> [CarvedStore] {
    try StoreSearch.through(bytes).stores
  }

  @Test(arguments: [1, 8, 64], [3, 4])
  func `four exceptions in order are a store, three are none`(chunkSectors: Int, count: Int) throws
  {
    let image = StoreBuilder(chunkSectors: chunkSectors).copying(9..<9 + count).image(
      .headerZeroed)
    let stores = try stores(image)
    #expect(stores.map(\.exceptionCount) == (count == 4 ? [4] : []))
    #expect(stores.map(\.header) == (count == 4 ? [.lost] : []))
    #expect(stores.map(\.byteOffset) == (count == 4 ? [0] : []))
  }

  @Test(arguments: [1, 2, 8, 64])
  func `the zeroes in an area tell the chunk size`(chunkSectors: Int) throws {
    let before = [UInt8](repeating: 7, count: 3 * 512)
    let builder = StoreBuilder(chunkSectors: chunkSectors).copying(0..<10)
    let stores = try stores(before + builder.image(.headerZeroed))
    #expect(stores.map(\.chunkSize.sectorCount) == [UInt32(chunkSectors)])
    #expect(stores.map(\.byteOffset) == [1536])
  }

  @Test func `an area 1 alone is a store if its area 0 is zero, and nothing else is there`() throws
  {
    let lone = StoreBuilder(chunkSectors: 1).copying(0..<52)
    let found = try stores(lone.image(.zeroChunk(0), .zeroChunk(1)))
    #expect(found.map(\.byteOffset) == [0] && found.map(\.firstArea) == [AreaIndex(1)])
    #expect(found.map(\.exceptionCount) == [20] && found.map(\.damagedAreaCount) == [0])
    #expect(try stores(lone.image(.zeroChunk(0), .randomChunk(1, seed: 5))) == [])
    // With another area behind it, it is not alone.
    let two = StoreBuilder(chunkSectors: 1).copying(0..<72)
    let both = try stores(two.image(.zeroChunk(0), .randomChunk(1, seed: 5)))
    #expect(both.map(\.firstArea) == [AreaIndex(1)] && both.map(\.exceptionCount) == [40])
  }

  @Test func `an area that does not begin with the first of its chunks takes a header`() throws {
    var builder = StoreBuilder(chunkSectors: 8)
    for number in UInt64(0)..<10 { builder = builder.adding((number * 7, number + 3)) }
    #expect(try stores(builder.image(.headerZeroed)) == [])
    #expect(try stores(builder.image()).map(\.exceptionCount) == [10])
  }

  @Test func `an old chunk that occurs twice contradicts a store without a header`() throws {
    let builder = StoreBuilder(chunkSectors: 8).copying([9, 8, 7, 6, 5, 9, 4, 3])
    #expect(try stores(builder.image(.headerZeroed)) == [])
    #expect(try stores(builder.image()).map(\.exceptionCount) == [8])
  }

  @Test(
    arguments: [(512, 3584, 300), (4096, 0, 300), (8192, 1_048_576, 44)]
      as [(Int, UInt64, UInt64)])
  func `of a store that begins before the image the missing bytes are told`(
    missing: Int, area: UInt64, count: UInt64
  ) throws {
    let image = StoreBuilder(chunkSectors: 8).copying((0..<300).map { $0 * 2 }).image()
    let search = try StoreSearch.through(Array(image[missing...]))
    #expect(search.stores == [])
    #expect(
      search.beheaded == [
        BeheadedStore(
          areaByteOffset: area, missingByteCount: UInt64(missing),
          chunkSize: try ChunkSize(sectorCount: 8), exceptionCount: count)
      ])
  }

  @Test func `new chunks near 2^54 make a store that begins far before the image, or none`() throws
  {
    // Of one-sector chunks, the last area whose data chunks are all below 2^54.
    let last: UInt64 = 545_890_863_923_695
    func search(_ area: UInt64) throws -> StoreSearch {
      let exceptions = (0..<32 as Range<UInt64>).flatMap {
        ($0 * 5).littleEndianBytes + (area * 33 + 2 + $0).littleEndianBytes
      }
      let around = [UInt8](repeating: 0xff, count: 512)
      return try StoreSearch.through(around + exceptions + around)
    }
    let found = try search(last)
    #expect(found.stores == [])
    #expect(found.beheaded.map(\.missingByteCount) == [last * 33 * 512])
    #expect(found.beheaded.map(\.areaByteOffset) == [512])
    for area in [last + 1, 1 << 58, UInt64.max / 33 - 1] {
      let none = try search(area)
      #expect(none.stores == [] && none.beheaded == [], "area \(area)")
    }
  }

  @Test func `a list that is no area is counted once, not again from each of its sectors`() throws {
    let pairs = (0..<16_384 as Range<UInt64>).flatMap {
      (6 * $0 + 1).littleEndianBytes + (6 * $0 + 4).littleEndianBytes
    }
    let source = FaultySource(pairs)
    #expect(try StoreSearch.through(source).stores == [])
    #expect(source.reads.map(\.count).reduce(0, +) < 4 * pairs.count)
  }
}
