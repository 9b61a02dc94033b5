import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// A store of which the image lost bytes, or has too many, is one store with a gap.
@Suite struct StoreSearchGapsTests {
  /// Areas 0, 1 and 2 are chunks 1, 258 and 515.
  private static let image = StoreBuilder(chunkSectors: 8).copying((0..<700).map { $0 * 3 })
    .image()
  private static let before = [UInt8](repeating: 0xee, count: 10_240)

  private func place(_ start: Int64) throws -> StorePlace {
    StorePlace(start: start, chunkSize: try ChunkSize(sectorCount: 8))
  }

  @Test(arguments: [1, 8, 333])
  func `bytes lost among the data are a gap behind the last area in its place`(sectors: Int) throws
  {
    let cut = 100 * 4096..<100 * 4096 + sectors * 512
    let image = Self.before + Self.image[..<cut.lowerBound] + Self.image[cut.upperBound...]
    let search = try StoreSearch.through(image)
    #expect(search.beheaded == [] && search.stores.map(\.byteOffset) == [10_240])
    #expect(search.stores.map(\.exceptionCount) == [700])
    #expect(search.stores.map(\.damagedAreaCount) == [0])
    #expect(search.stores.map(\.staleExceptionCount) == [0])
    let gap = try #require(search.stores.first?.gaps.first)
    #expect(gap.missingByteCount == Int64(sectors * 512) && gap.range.lowerBound == 8192)
    #expect(gap.range.upperBound == UInt64(258 * 4096 - sectors * 512))
  }

  @Test(arguments: [Int64(1), 8, 333], [true, false])
  func `bytes that are too many are a gap with and without a header`(
    sectors: Int64, hasHeader: Bool
  ) throws {
    var image = Self.image
    if !hasHeader { image.put([UInt8](repeating: 0, count: 512), at: 0) }
    image.insert(contentsOf: [UInt8](repeating: 0xaa, count: Int(sectors) * 512), at: 300 * 4096)
    let search = try StoreSearch.through(Self.before + image)
    #expect(search.beheaded == [] && search.stores.map(\.byteOffset) == [10_240])
    #expect(search.stores.map(\.header) == [hasHeader ? .intact : .lost])
    #expect(search.stores.map(\.exceptionCount) == [700])
    #expect(search.stores.map { $0.gaps.map(\.missingByteCount) } == [[-sectors * 512]])
  }

  @Test func `a chain that ended is not mended, and nothing is read for it`() throws {
    let source = FaultySource(Self.image)
    var chain = AreaChain()
    chain.exceptionCount = 5
    chain.isBroken = false
    let (mended, gaps) = try StoreSearch(source).mended(
      chain, at: place(0), hasSoundHeader: true)
    #expect(mended.exceptionCount == 5 && gaps == [] && source.reads.isEmpty)
  }

  @Test(arguments: [-512, .min, 2_899_968, .max] as [Int64])
  func `a store that does not begin in the image is not mended`(start: Int64) throws {
    let source = FaultySource(Self.image)
    try #require(source.byteCount == 2_899_968)
    let (mended, gaps) = try StoreSearch(source).mended(
      AreaChain(), at: place(start), hasSoundHeader: true)
    #expect(mended.exceptionCount == 0 && gaps == [] && source.reads.isEmpty)
  }

  @Test func `a table that ends with a sector, and has nothing behind it, has no gap`() throws {
    let builder = StoreBuilder(chunkSectors: 8).copying(0..<32)
    let stores = try StoreSearch.through(builder.image()).stores
    #expect(stores.map(\.exceptionCount) == [32] && stores.map(\.gaps) == [[]])
  }

  @Test func `after each gap a store seems to begin earlier by all that is missing`() throws {
    let gaps = try ([(9000, 512), (20_000, 1024), (30_000, -4096)] as [(UInt64, Int64)]).map {
      try #require(Gap(at: $0.0, missing: $0.1))
    }
    #expect(try place(10_240).shifted(by: gaps).map(\.start) == [9728, 8704, 12_800])
    #expect(try place(10_240).shifted(by: []) == [])
    #expect(try place(0).shifted(by: Array(gaps[..<2])).map(\.start) == [-512, -1536])
  }

  @Test func `a beginning that does not fit 64 bits is left out`() throws {
    let lost = try #require(Gap(at: 0, missing: 512))
    let extra = try #require(Gap(at: 0, missing: -512))
    #expect(try place(.min + 512).shifted(by: [lost, lost, extra]).map(\.start) == [.min, .min])
    #expect(try place(.max).shifted(by: [extra]) == [])
    #expect(try place(.max).shifted(by: [lost]).map(\.start) == [.max - 512])
  }
}
