import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// The result of carving is in the order of the image, and says what was not examined.
@Suite struct CarvingTests {
  private func carve(_ source: FaultySource) throws -> Carving {
    try Carver(source).carve { _, _ in }
  }

  private func carve(_ bytes: [UInt8]) throws -> Carving { try carve(FaultySource(bytes)) }

  @Test func `a store that is found by a later area stands at its beginning`() throws {
    // Among the data of a store whose header and area 0 are lost lies a new one, found before it.
    let fresh = Array(StoreBuilder(chunkSectors: 1).image().prefix(3 * 512))
    let image = StoreBuilder(chunkSectors: 1).copying(0..<84).image(
      .zeroChunk(0), .zeroChunk(1), .bytes(fresh, at: 5 * 512))
    let stores = try carve(image).stores
    #expect(stores.map(\.byteOffset) == [0, 2560])
    #expect(stores.map(\.header) == [.lost, .intact])
    #expect(stores.map(\.exceptionCount) == [52, 0])
  }

  @Test func `of stores at one place the one of smaller chunks comes first`() throws {
    let newer = StoreBuilder(chunkSectors: 8).copying(0..<10)
    let older = StoreBuilder(chunkSectors: 1).copying((0..<20).map { $0 * 3 }).image()
    // Area 0 of the older one and its first data chunks, in the chunk of the newer one's header.
    let stores = try carve(newer.image(.bytes(Array(older[512..<4096]), at: 512))).stores
    #expect(stores.map(\.byteOffset) == [0, 0])
    #expect(stores.map(\.chunkSize.sectorCount) == [1, 8])
    #expect(stores.map(\.header) == [.lost, .intact])
    #expect(stores.map(\.exceptionCount) == [20, 10])
  }

  @Test func `a container is named, and searched all the same`() throws {
    let store = StoreBuilder(chunkSectors: 8).copying(0..<10).image()
    var image = [UInt8](repeating: 0, count: 4096) + store
    #expect(try carve(image).container == nil)
    image.put([0x51, 0x46, 0x49, 0xfb], at: 0)
    let carving = try carve(image)
    #expect(carving.container?.type == "qcow2")
    #expect(carving.stores.map(\.byteOffset) == [4096])
  }

  @Test(arguments: [0, 1, 16, 511])
  func `an image of less than a sector holds nothing`(byteCount: Int) throws {
    let image = StoreBuilder(chunkSectors: 1).image()
    #expect(try carve(Array(image.prefix(byteCount))) == Carving())
    #expect(try carve(Array(image.prefix(512))).stores.count == 1)
  }

  @Test func `an image that cannot be read at all is unreadable, and holds nothing`() throws {
    let image = StoreBuilder(chunkSectors: 1).copying(0..<40).image(.cut(byteCount: 20_000))
    let carving = try carve(FaultySource(image, unreadable: [0..<20_000]))
    var expected = Carving()
    expected.unreadable = [0..<20_000]
    #expect(carving == expected)
  }
}
