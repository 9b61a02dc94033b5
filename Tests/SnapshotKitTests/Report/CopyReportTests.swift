import BlockIO
import SnapshotKit
import TestSupport
import Testing

/// Exports, merges and diffs in JSON say whether all of it is there, and what is not.
@Suite struct CopyReportTests {
  @Test func `a complete copy has nothing lost`() throws {
    let report = CopyReport(
      command: "export", exceptionCount: 3, byteCount: 4096, lost: [], isComplete: true)
    #expect(
      try JSON.text(report)
        == #"{"byteCount":4096,"complete":true,"exceptionCount":3,"lost":[],"#
        + #""schema":"dmsnap.export.v1"}"#)
  }

  @Test func `an incomplete one says what is lost and why`() throws {
    let report = CopyReport(
      command: "merge", exceptionCount: 3, byteCount: 4096,
      lost: [LostRange(0..<512, .beyondStore), LostRange(1024..<1536, .originUnreadable)],
      isComplete: false)
    #expect(
      try JSON.text(report)
        == #"{"byteCount":4096,"complete":false,"exceptionCount":3,"lost":["#
        + #"{"byteCount":512,"byteOffset":0,"reason":"beyond-store"},"#
        + #"{"byteCount":512,"byteOffset":1024,"reason":"origin-unreadable"}],"#
        + #""schema":"dmsnap.merge.v1"}"#)
  }

  @Test func `a diff has its sums, and what is lost`() throws {
    let origin = FaultySource(Stamp.origin(byteCount: 8192))
    let view = try SnapshotView(
      StoreBuilder(chunkSectors: 1, chunkCount: 40).adding((1, 2), (5, 60)).image(), over: origin)
    let diff = try SnapshotDiff(view, origin) { _ in }
    let report = DiffReport(diff, lost: diff.lost, chunkSectors: 1)
    #expect(
      try JSON.text(report)
        == #"{"changedByteCount":512,"#
        + #""chunkSectors":1,"identicalChunkCount":0,"lost":[{"byteCount":512,"#
        + #""byteOffset":2560,"reason":"beyond-store"}],"sameByteCount":0,"#
        + #""schema":"dmsnap.diff.v1"}"#)
  }
}
