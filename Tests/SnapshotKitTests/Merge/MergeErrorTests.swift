import BlockIO
import SnapshotFormat
import SnapshotKit
import TestSupport
import Testing

/// Errors say where and why, and whether anything was written.
@Suite struct MergeErrorTests {
  @Test(
    arguments: [
      (.wrongUndo("undo.cow: is wrong"), true, "undo.cow: is wrong"),
      (.notThisOrigin("undo.cow: undoes another"), true, "undo.cow: undoes another"),
      (.sameFile("store.img"), true, "store.img: is the store itself; a store is never written"),
      (
        .noSpace(path: "undo.cow", needed: 10, available: 9), true,
        "undo.cow: needs 10 bytes, the file system has 9"
      ),
      (
        .verificationFailed(byteOffset: 512), false,
        "byte 512: read back other data than was written"
      ),
      (
        .io(BlockIOError("origin.img", .open, .refused("is in use"))), true, "origin.img: is in use"
      ),
      (
        .io(BlockIOError("a.img", .read, .beyondEnd(byteCount: 7), at: 4..<9)), false,
        "a.img: cannot read 5 bytes at byte 4: it ends at byte 7"
      ),
    ] as [(MergeError, Bool, String)])
  func `an error says what is wrong`(error: MergeError, isRefusal: Bool, text: String) {
    #expect("\(error)" == text)
    #expect(error.isRefusal == isRefusal)
  }

  @Test func `an obstacle is named with its place and chunks`() throws {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 60).adding((3, 2), (99, 3))
    let obstacle = try #require(try builder.loaded().mergeObstacle(originByteCount: 5120))
    let error = MergeError.kernelWouldFail(store: "cow.img", obstacle)
    #expect(error.isRefusal)
    #expect(
      "\(error)".hasPrefix("cow.img: area 0, slot 1 (99 → 3): lies past the end of the origin"))
  }
}
