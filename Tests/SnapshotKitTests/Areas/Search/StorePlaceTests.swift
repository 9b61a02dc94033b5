import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// A store's beginning and the places of its areas give each other, as far as 63 bits reach.
@Suite struct StorePlaceTests {
  private static let sector = ChunkSize.all[0]
  /// Of a store of one-sector chunks, the last area that begins below 2^63 bytes, and where.
  private static let lastArea: UInt64 = 545_890_863_923_696
  private static let lastByteOffset: UInt64 = 9_223_372_036_854_768_128

  @Test(arguments: [1, 8, 32, 4096], [0, 512, 1_000_001] as [Int64])
  func `areas are where Linux puts them`(chunkSectors: Int, start: Int64) throws {
    let builder = StoreBuilder(chunkSectors: chunkSectors)
    let size = try ChunkSize(sectorCount: UInt32(chunkSectors))
    let place = StorePlace(start: start, chunkSize: size)
    for area in [0, 1, 2, 100] {
      let expected = UInt64(start) + UInt64(builder.byteOffset(area: area, slot: 0))
      #expect(place.byteOffset(of: AreaIndex(UInt64(area))) == expected)
      #expect(StorePlace(area: AreaIndex(UInt64(area)), at: expected, chunkSize: size) == place)
    }
  }

  @Test func `all areas of a store have the same place, those of another chunk size have not`()
    throws
  {
    let sizes = ChunkSize.all.prefix(4)
    let places = sizes.flatMap { size in
      [0, 1, 7].map { area in
        StorePlace(
          area: AreaIndex(area), at: 512 + size.byteCount * (1 + area * size.areaStride),
          chunkSize: size)
      }
    }
    #expect(Set(places) == Set(sizes.map { StorePlace(start: 512, chunkSize: $0) }))
  }

  @Test func `a store that begins before the image has areas in it, and some before it`() throws {
    // Area 1 is chunk 34.
    let place = try #require(StorePlace(area: AreaIndex(1), at: 1024, chunkSize: Self.sector))
    #expect(place.start == 1024 - 34 * 512)
    #expect(place.byteOffset(of: AreaIndex(0)) == nil)
    #expect(place.byteOffset(of: AreaIndex(1)) == 1024)
    let edge = StorePlace(start: -512, chunkSize: Self.sector)
    #expect(edge.byteOffset(of: AreaIndex(0)) == 0)
    #expect(StorePlace(start: -513, chunkSize: Self.sector).byteOffset(of: AreaIndex(0)) == nil)
  }

  @Test func `an area that begins beyond 2^63 bytes has no place`() {
    let (last, next) = (AreaIndex(Self.lastArea), AreaIndex(Self.lastArea + 1))
    #expect(
      StorePlace(area: last, at: 0, chunkSize: Self.sector)?.start == -Int64(Self.lastByteOffset))
    for area in [next, AreaIndex(1 << 59), AreaIndex(1 << 63), AreaIndex(.max)] {
      for size in ChunkSize.all {
        #expect(StorePlace(area: area, at: 0, chunkSize: size) == nil, "\(area), \(size)")
      }
    }
    let place = StorePlace(start: 0, chunkSize: Self.sector)
    #expect(place.byteOffset(of: last) == Self.lastByteOffset)
    #expect(place.byteOffset(of: next) == nil)
    #expect(place.byteOffset(of: AreaIndex(.max)) == nil)
  }

  @Test(arguments: [1 << 63, (1 << 63) + 512, .max] as [UInt64])
  func `a byte from 2^63 on is in no store`(byteOffset: UInt64) {
    #expect(StorePlace(area: AreaIndex(0), at: byteOffset, chunkSize: Self.sector) == nil)
  }

  @Test func `sums that do not fit 63 bits are no places`() {
    let high = StorePlace(start: .max - 512, chunkSize: Self.sector)
    #expect(high.byteOffset(of: AreaIndex(0)) == UInt64(Int64.max))
    #expect(high.byteOffset(of: AreaIndex(1)) == nil)
    let higher = StorePlace(start: .max - 511, chunkSize: Self.sector)
    #expect(higher.byteOffset(of: AreaIndex(0)) == nil)
    let low = StorePlace(start: .min, chunkSize: Self.sector)
    #expect(low.byteOffset(of: AreaIndex(Self.lastArea)) == nil)
  }
}
