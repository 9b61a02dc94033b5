import BlockIO
import SnapshotFormat
import SnapshotKit
import TestSupport
import Testing

/// A store is its bytes, the header if there are sixteen, and a geometry if the header has one.
@Suite struct StoreTests {
  private let image = StoreBuilder(chunkSectors: 1).copying(0..<3).image()

  @Test(arguments: [0, 1, 4, 15, 16, 17, 511, 512, 513])
  func `there is a header from the sixteenth byte on`(byteCount: Int) {
    let store = Store(Array(image.prefix(byteCount)))
    #expect((store.header != nil) == (byteCount >= 16))
    #expect(store.headerError == nil)
    #expect((store.geometry != nil) == (byteCount >= 16))
  }

  @Test func `a header on a bad sector is an error, not a header`() {
    let store = Store(FaultySource(image, unreadable: [511..<512]))
    #expect(store.header == nil)
    #expect(store.geometry == nil)
    #expect(store.headerError?.isUnreadableMedium == true)
  }

  @Test func `bad sectors behind the first do not matter`() {
    let store = Store(FaultySource(image, unreadable: [512..<1024]))
    #expect(store.header?.hasMagic == true)
  }

  @Test(arguments: ChunkSize.all)
  func `its geometry follows the header's chunk size`(size: ChunkSize) {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 8)
    let store = Store(builder.image(.chunkSectors(size.sectorCount)))
    #expect(store.geometry == StoreGeometry(chunkSize: size, byteCount: 4096))
  }

  @Test(arguments: [0, 3, 1 << 22, UInt32.max])
  func `a chunk size that Linux refuses leaves a header without a geometry`(sectorCount: UInt32) {
    let store = Store(StoreBuilder(chunkSectors: 1).image(.chunkSectors(sectorCount)))
    #expect(store.header?.chunkSectors == sectorCount)
    #expect(store.geometry == nil)
  }
}
