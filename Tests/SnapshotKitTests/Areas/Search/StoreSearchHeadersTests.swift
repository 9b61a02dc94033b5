import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// A header is believed as far as its fields, its sector and the areas agree.
@Suite struct StoreSearchHeadersTests {
  private static let builder = StoreBuilder(chunkSectors: 8).copying(0..<20)

  private func header(_ damages: [Damage]) -> [UInt8] {
    let image = damages.reduce(into: Self.builder.image()) { $1.apply(to: &$0, of: Self.builder) }
    return Array(image[..<512])
  }

  private func stores(_ bytes: [UInt8]) throws -> [CarvedStore] {
    try StoreSearch.through(bytes).stores
  }

  @Test func `a header's state goes by its fields, its magic and the rest of its sector`() throws {
    let size = try ChunkSize(sectorCount: 8)
    let junk = Damage.bytes([1], at: 511)
    for (damages, state) in [
      ([], .intact), ([.valid(0)], .intact), ([junk], .damaged), ([.valid(7)], .damaged),
      ([.version(0)], .damaged), ([.version(.max)], .damaged), ([.chunkSectors(0)], .damaged),
      ([.chunkSectors(3)], .damaged), ([.chunkSectors(.max)], .damaged),
      ([.chunkSectors(16)], .lost), ([.magicErased], .damaged), ([.magicErased, junk], .lost),
      ([.magicErased, .chunkSectors(16)], .lost), ([.magicErased, .chunkSectors(.max)], .lost),
      ([.magic("LOST")], .lost), ([.headerZeroed], .lost),
    ] as [([Damage], CarvedStore.Header)] {
      let search = StoreSearch(FaultySource(header(damages)))
      let found = try search.headerState(of: StorePlace(start: 0, chunkSize: size))
      #expect(found == state, "\(damages)")
    }
  }

  @Test(arguments: [-512, -1, 1, 512, 1 << 40, .max, .min] as [Int64])
  func `a place outside of the image has no header`(start: Int64) throws {
    let search = StoreSearch(FaultySource(header([])))
    let place = StorePlace(start: start, chunkSize: try ChunkSize(sectorCount: 8))
    #expect(try search.headerState(of: place) == .lost)
  }

  @Test(
    arguments: [
      (1, 3, false), (1, 4, true), (4, 3, false), (4, 4, true), (8, 0, false), (8, 1, true),
      (64, 1, true),
    ])
  func `without its magic a header takes one exception, below chunks of 4 KiB four`(
    chunkSectors: Int, count: Int, isFound: Bool
  ) throws {
    let builder = StoreBuilder(chunkSectors: chunkSectors).copying(7..<7 + count)
    let stores = try stores(builder.image(.magicErased))
    #expect(stores.map(\.header) == (isFound ? [.damaged] : []))
    #expect(stores.map(\.exceptionCount) == (isFound ? [UInt64(count)] : []))
  }

  @Test(arguments: [0, 3, 24, 1 << 22, 1 << 31, .max] as [UInt32])
  func `areas give the chunk size that a header cannot have`(sectorCount: UInt32) throws {
    let stores = try stores(Self.builder.image(.chunkSectors(sectorCount)))
    #expect(stores.map(\.chunkSize.sectorCount) == [8] && stores.map(\.header) == [.damaged])
    #expect(stores.map(\.exceptionCount) == [20])
    let empty = StoreBuilder(chunkSectors: 8).image(.chunkSectors(sectorCount))
    #expect(try self.stores(empty) == [])
  }

  @Test func `an undo store's manifest is a part of its header, a damaged one is not`() throws {
    let digest = [UInt8](repeating: 0xaa, count: 32)
    let manifest = UndoManifest(
      state: .saved, originByteCount: 1 << 30, exceptionCount: 20, tableDigest: digest,
      fingerprint: digest)
    var sector = [UInt8](repeating: 0, count: 512)
    var span = sector.mutableSpan
    manifest.encode(after: SnapshotHeader(chunkSize: try ChunkSize(sectorCount: 8)), into: &span)
    for (index, header) in [(nil, .intact), (40, .damaged)] as [(Int?, CarvedStore.Header)] {
      if let index { sector[index] ^= 1 }
      let stores = try stores(Self.builder.image(.bytes(sector, at: 0)))
      #expect(stores.map(\.header) == [header] && stores.map(\.exceptionCount) == [20])
    }
  }

  @Test func `a header in the last sector is a store without areas, less than a sector is none`()
    throws
  {
    let before = [UInt8](repeating: 7, count: 1536)
    let stores = try stores(before + header([]))
    #expect(stores.map(\.byteOffset) == [1536] && stores.map(\.header) == [.intact])
    #expect(stores.map(\.exceptionCount) == [0] && stores.map(\.areaCount) == [0])
    #expect(stores.map(\.firstArea) == [AreaIndex(0)] && stores.map(\.chainByteCount) == [512])
    for count in [4, 16, 511] { #expect(try self.stores(before + header([])[..<count]) == []) }
  }

  @Test func `a sound header whose area 0 is of another chunk size is damaged`() throws {
    let stores = try stores(Self.builder.image(.chunkSectors(16)))
    #expect(stores.map(\.header) == [.damaged] && stores.map(\.chunkSize.sectorCount) == [8])
    // An empty area 0 contradicts nothing.
    let zeroes = Damage.bytes([UInt8](repeating: 0, count: 8192), at: 8192)
    let both = try self.stores(Self.builder.image(.chunkSectors(16), zeroes))
    #expect(both.map(\.header) == [.intact, .lost] && both.map(\.exceptionCount) == [0, 20])
    #expect(both.map(\.chunkSize.sectorCount) == [16, 8])
  }
}
