import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// A chain has the areas that continue each other, and counts what it stepped over between them.
@Suite struct AreaChainTests {
  private static let builder = StoreBuilder(chunkSectors: 1).copying((0..<200).map { $0 * 3 })

  private func chain(
    in source: FaultySource, at start: Int64 = 0, from area: UInt64 = 0, chunkSectors: UInt32 = 1,
    hasSoundHeader: Bool = false
  ) throws -> AreaChain {
    let place = StorePlace(start: start, chunkSize: try ChunkSize(sectorCount: chunkSectors))
    return try AreaReader(source).chain(
      of: place, from: AreaIndex(area), hasSoundHeader: hasSoundHeader)
  }

  private func chain(in bytes: [UInt8], hasSoundHeader: Bool = false) throws -> AreaChain {
    try chain(in: FaultySource(bytes), hasSoundHeader: hasSoundHeader)
  }

  @Test(
    arguments: [(1, 0...0, 2), (31, 0...0, 32), (33, 0...1, 35), (70, 0...2, 73)]
      as [(Int, ClosedRange<UInt64>, UInt64)])
  func `a chain ends in the first area that is not full`(
    count: Int, areas: ClosedRange<UInt64>, lastChunk: UInt64
  ) throws {
    let chain = try chain(in: StoreBuilder(chunkSectors: 1).copying(5..<5 + count).image())
    #expect(chain.exceptionCount == UInt64(count) && chain.inOrderCount == UInt64(count))
    #expect(chain.areas == areas && chain.areaCount == UInt64(areas.count))
    #expect(chain.damagedAreaCount == 0 && !chain.isContradicted && !chain.isBroken)
    #expect(chain.highestChunk == lastChunk)
  }

  @Test(arguments: [(31, false), (32, true), (33, false), (63, false), (64, true), (65, false)])
  func `a chain that ends with a whole sector is broken`(count: Int, isBroken: Bool) throws {
    // Areas of two sectors.
    let store = StoreBuilder(chunkSectors: 2).copying(0..<count)
    let chain = try chain(in: FaultySource(store.image()), chunkSectors: 2)
    #expect(chain.exceptionCount == UInt64(count))
    #expect(chain.isBroken == isBroken)
  }

  @Test func `an area of which the image has a part is missing`() throws {
    let store = StoreBuilder(chunkSectors: 1).copying(0..<40)
    let area = store.byteOffset(area: 1, slot: 0)
    let chains = try [511, 512].map { try chain(in: store.image(.cut(byteCount: area + $0))) }
    #expect(chains.map(\.exceptionCount) == [32, 40])
    #expect(chains.map(\.isBroken) == [true, false])
  }

  @Test func `a chain ends at the first area of another store`() throws {
    let other = StoreBuilder(chunkSectors: 1).copying((0..<200).map { $0 * 5 + 1 }).image()
    let store = StoreBuilder(chunkSectors: 1).copying(0..<70)
    let image = store.image(
      .bytes(Array(other[512..<1024]), at: store.byteOffset(area: 1, slot: 0)),
      .bytes(Array(other[34 * 512..<35 * 512]), at: store.byteOffset(area: 2, slot: 0)))
    let chain = try chain(in: image)
    #expect(chain.areas == 0...0 && chain.exceptionCount == 32 && chain.highestChunk == 33)
    #expect(chain.damagedAreaCount == 0 && chain.isBroken)
  }

  @Test func `of a damaged area the exceptions in order count, before the first area none`() throws
  {
    let inside = try chain(
      in: Self.builder.image(.exception(area: 2, slot: 5, old: 9, new: 1 << 60)))
    #expect(inside.exceptionCount == 199 && inside.inOrderCount == 199)
    #expect(inside.areas == 0...6 && inside.areaCount == 6 && inside.damagedAreaCount == 1)
    let first = try chain(
      in: Self.builder.image(.exception(area: 0, slot: 5, old: 9, new: 1 << 60)))
    #expect(first.exceptionCount == 168 && first.inOrderCount == 168)
    #expect(first.areas == 1...6 && first.areaCount == 6 && first.damagedAreaCount == 0)
    #expect(!inside.isContradicted && first.isContradicted)
  }

  @Test(arguments: [(16, 63, false), (17, 32, true)] as [(Int, UInt64, Bool)])
  func `fifteen missing areas do not end a chain, sixteen do`(
    last: Int, exceptionCount: UInt64, isBroken: Bool
  ) throws {
    func area(_ number: Int, count: Int) -> (byteOffset: UInt64, bytes: [UInt8]) {
      let bytes = (number * 32..<number * 32 + count).flatMap {
        UInt64($0 * 7).littleEndianBytes + UInt64(Self.builder.dataChunk($0)).littleEndianBytes
      }
      return (UInt64(Self.builder.byteOffset(area: number, slot: 0)), bytes)
    }
    let source = FaultySource(
      byteCount: 1 << 20, pieces: [area(0, count: 32), area(last, count: 31)])
    let chain = try chain(in: source)
    #expect(chain.exceptionCount == exceptionCount && chain.isBroken == isBroken)
    #expect(chain.damagedAreaCount == (isBroken ? 0 : 15))
  }

  @Test func `after a sound header a zero area 0 is an empty table, and any order is a table`()
    throws
  {
    let zero = Self.builder.image(.zeroChunk(1))
    let empty = try chain(in: zero, hasSoundHeader: true)
    #expect(empty.areas == nil && empty.exceptionCount == 0)
    #expect(!empty.isBroken && !empty.isContradicted)
    let rest = try chain(in: zero)
    #expect(rest.areas == 1...6 && rest.exceptionCount == 168 && !rest.isContradicted)

    var backwards = StoreBuilder(chunkSectors: 1).copying(0..<20)
    backwards.exceptions.reverse()
    let possible = try chain(in: backwards.image(), hasSoundHeader: true)
    #expect(possible.exceptionCount == 20 && possible.inOrderCount == 0 && !possible.isBroken)
    let unlawful = try chain(in: backwards.image())
    #expect(unlawful.exceptionCount == 0 && unlawful.isContradicted)
  }

  @Test func `places and chunks near the end of 64 bits make no chain`() throws {
    let source = FaultySource(Self.builder.image())
    for (start, area) in [
      (.max, 0), (.max - 600, 1), (.min, 0), (.min, .max), (0, .max), (0, 1 << 60),
      (-1024, 0), (1 << 40, 0),
    ] as [(Int64, UInt64)] {
      let chain = try chain(in: source, at: start, from: area)
      #expect(chain.areas == nil && chain.exceptionCount == 0, "\(start), \(area)")
    }
    #expect(source.reads.isEmpty)
    var wild = StoreBuilder(chunkSectors: 1, chunkCount: 40)
    for number in UInt64(0)..<32 { wild = wild.adding((.max - number, .max - 40 + number)) }
    for hasSoundHeader in [false, true] {
      let chain = try chain(in: wild.image(), hasSoundHeader: hasSoundHeader)
      #expect(chain.areas == nil && chain.isContradicted && chain.highestChunk == 0)
    }
  }
}
