import Blkid
import BlockIO
import SnapshotKit
import Testing

/// What a snapshot holds beside what its origin holds.
///
/// - The view is asked, not the store and not the origin.
/// - Of several signatures the one counts that `mount` would go by.
@Suite struct ContentIdentityTests {
  /// Swap space of 1 MiB: the first page of it is all that there is to see.
  private func swapSpace(label: String, uuid: UInt8) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    bytes[1024] = 1  // the version
    bytes[1028] = 255  // the last page
    for index in 0..<16 { bytes[1036 + index] = uuid }
    bytes.replaceSubrange(1052..<1052 + label.utf8.count, with: label.utf8)
    bytes.replaceSubrange(4086..<4096, with: "SWAPSPACE2".utf8)
    return bytes
  }

  /// A store of one-page chunks that has kept the first page of `bytes`.
  private func store(keeping bytes: [UInt8]) -> [UInt8] {
    var store = [UInt8](repeating: 0, count: 64 << 10)
    store.replaceSubrange(0..<4, with: "SnAp".utf8)
    (store[4], store[8], store[12]) = (1, 1, 8)
    store[4096 + 8] = 2  // old chunk 0, new chunk 2
    store.replaceSubrange(8192..<12288, with: bytes[..<4096])
    return store
  }

  private func view(of origin: MemorySource, keeping bytes: [UInt8]) throws -> SnapshotView {
    let store = MemorySource(name: "store", store(keeping: bytes))
    let table = try LoadedTable(Store(store), reading: .kernel).table
    return SnapshotView(of: origin, through: table, of: store)
  }

  @Test func `a snapshot shares its UUID with an origin that was written to since`() throws {
    let origin = MemorySource(swapSpace(label: "after", uuid: 0x11))
    let view = try view(of: origin, keeping: swapSpace(label: "before", uuid: 0x11))
    let comparison = try OriginCheck(view, hasInFlightChunks: false).content
    let uuid = "11111111-1111-1111-1111-111111111111"
    #expect(comparison.snapshot == ContentIdentity(type: "swap", label: "before", uuid: uuid))
    #expect(comparison.origin == ContentIdentity(type: "swap", label: "after", uuid: uuid))
    #expect(comparison.sharedUUID == uuid)
  }

  @Test func `an origin that was made anew since shares none`() throws {
    let origin = MemorySource(swapSpace(label: "new", uuid: 0x22))
    let view = try view(of: origin, keeping: swapSpace(label: "old", uuid: 0x11))
    #expect(try OriginCheck(view, hasInFlightChunks: false).content.sharedUUID == nil)
  }

  @Test func `two that hold nothing known share nothing`() throws {
    let origin = MemorySource([UInt8](repeating: 0, count: 1 << 20))
    let view = try view(of: origin, keeping: [UInt8](repeating: 0, count: 4096))
    let comparison = try OriginCheck(view, hasInFlightChunks: false).content
    #expect(comparison == ContentComparison(snapshot: nil, origin: nil))
    #expect(comparison.sharedUUID == nil)
  }

  @Test func `a file system counts before what else is there`() throws {
    var bytes = swapSpace(label: "swap", uuid: 0x11)
    bytes.replaceSubrange(0..<4, with: "hsqs".utf8)  // squashfs
    bytes[28] = 4  // its version
    let origin = MemorySource(bytes)
    #expect(try ContentIdentity(Probe.identify(origin)) == ContentIdentity(type: "squashfs"))
  }
}
