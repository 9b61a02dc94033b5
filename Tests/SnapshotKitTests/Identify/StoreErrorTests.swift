import BlockIO
@testable import SnapshotKit
import SystemPackage
import TestSupport
import Testing

/// What an error means for a run, and when finding nothing proves nothing.
@Suite struct StoreErrorTests {
  private static let bad = BlockIOError("disk", .read, .system(.ioError), at: 512..<1024)

  @Test func `each error has a status, a code and a place`() {
    let load = KernelLoad(Store(MemorySource(name: "store", [])))
    let errors: [(StoreError, BlockIO.ExitStatus, String, ErrorPlace?)] = [
      (.notAStore("s", nil), .noStore, "store.not-recognised", ErrorPlace("s")),
      (.nothingLeft("s", unreadByteCount: 1, byteCount: 2), .damage, "damage", ErrorPlace("s")),
      (.notLoadable("s", load), .refused, "store.not-loadable", ErrorPlace("s")),
      (.table("s", .kernelCrash(oldChunk: 1)), .refused, "store.table", ErrorPlace("s")),
      (.table("s", .changed), .couldNotFinish, "store.table", ErrorPlace("s")),
      (.noGeneration("s", 3, count: 2), .noStore, "store.no-generation", ErrorPlace("s")),
      (
        .io(Self.bad), .couldNotFinish, "io.read",
        ErrorPlace("disk", byteOffset: 512, byteCount: 512)
      ),
    ]
    for (error, status, code, place) in errors {
      #expect(error.status == status && error.code == code && error.place == place, "\(error)")
      let merge = MergeError.store(error)
      #expect(merge.status == status && merge.code == code && merge.place == place, "\(error)")
    }
  }

  @Test func `an I/O error is refused, changed, closed, or an operation`() {
    let errors: [(BlockIOError, BlockIO.ExitStatus, String)] = [
      (BlockIOError("f", .open, .refused("is in use")), .refused, "refused"),
      (BlockIOError("f", .read, .changed("it grew")), .couldNotFinish, "input.changed"),
      (BlockIOError("f", .write, .system(.brokenPipe)), .couldNotFinish, "output.closed"),
      (BlockIOError("f", .write, .system(.noSpace)), .couldNotFinish, "io.write"),
      (BlockIOError("f", .seek, .system(.ioError)), .couldNotFinish, "io.read"),
      (BlockIOError("f", .size, .system(.ioError)), .couldNotFinish, "io.read"),
      (BlockIOError("f", .clone, .system(.ioError)), .couldNotFinish, "io.clone"),
    ]
    for (error, status, code) in errors {
      #expect(error.status == status && error.code == code, "\(error)")
    }
  }

  @Test func `no store proves nothing where sectors were not read`() throws {
    let map = try BadSectorMap(
      parsing: Array("0x0 +\n0x0 0x400 +\n0x400 0x200 -\n0x600 0xa00 +\n".utf8).span)
    let bytes = MemorySource(name: "s", [UInt8](repeating: 0, count: 4096))
    let holed = Store(RescuedSource(bytes, map))
    let (none, third) = (StoreError.notAStore("s", nil), StoreError.noGeneration("s", 3, count: 2))
    #expect(Store(bytes).explained(none).status == .noStore)
    #expect(
      holed.explained(none).description
        == "s: nothing is left of its table: 512 of 4096 bytes cannot be read")
    #expect(holed.explained(.noGeneration("s", 0, count: 0)).status == .damage)
    // There are generations; that another one was asked for has nothing to do with the sectors.
    #expect(holed.explained(third).status == .noStore)
    #expect(throws: StoreError.self) { try SalvagePlan(holed) }
  }
}
