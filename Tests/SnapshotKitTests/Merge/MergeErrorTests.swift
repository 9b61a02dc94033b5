import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import SystemPackage
import TestSupport
import Testing

/// Errors say where and why, and refusals have a code and a page.
@Suite struct MergeErrorTests {
  @Test(
    arguments: [
      (.refused(MergeRefusal(.undoOfOther, "undo.cow: is wrong")), "undo.cow: is wrong"),
      (
        .verificationFailed("disk", byteOffset: 512),
        "disk: byte 512: the data read back differs from the data written"
      ),
      (
        .io(BlockIOError("a.img", .read, .beyondEnd(byteCount: 7), at: 4..<9)),
        "a.img: cannot read 5 bytes at byte 4: it ends at byte 7"
      ),
    ] as [(MergeError, String)])
  func `an error says what is wrong`(error: MergeError, text: String) {
    #expect("\(error)" == text)
  }

  @Test func `what is refused by a file is a refusal of the merge`() {
    let error = MergeError(
      BlockIOError("origin.img", .open, .refused("is in use")), as: .targetUnavailable)
    #expect(error.refusal?.code == .targetUnavailable)
    #expect(error.refusal?.description == "origin.img: is in use")
    let other = MergeError(
      BlockIOError("origin.img", .open, .system(.ioError)), as: .targetUnavailable)
    #expect(other.refusal == nil)
  }

  @Test(arguments: MergeRefusalCode.allCases)
  func `each refusal has its page`(code: MergeRefusalCode) {
    let entry = code.entry
    for text in [entry.title, entry.reason, entry.remedy] { #expect(!text.isEmpty) }
    #expect(entry.reason.hasSuffix(".") && entry.remedy.hasSuffix("."), "\(code)")
  }
}
