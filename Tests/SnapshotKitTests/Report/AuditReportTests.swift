import SnapshotKit
import TestSupport
import Testing

/// An audit in JSON has every finding, with null for what does not apply in its place.
@Suite struct AuditReportTests {
  private static let builder = StoreBuilder(chunkSectors: 1, chunkCount: 40).copying(0..<2)

  @Test func `a sound store has an empty list`() throws {
    let report = AuditReport(Auditor(Store(Self.builder.image())).audit())
    #expect(
      try JSON.text(report)
        == #"{"findings":[],"schema":"dmsnap.audit.v1","verdict":"healthy"}"#)
  }

  @Test func `a finding has its code, place, count and ranges`() throws {
    let image = Self.builder.image(.valid(0), .exception(slot: 1, old: 1, new: 50))
    let text = try JSON.text(AuditReport(Auditor(Store(image)).audit()))
    #expect(text.hasSuffix(#"],"schema":"dmsnap.audit.v1","verdict":"damaged"}"#))
    #expect(
      text.contains(
        #"{"code":"header.invalid","count":1,"found":"valid 0","hasMoreRanges":false,"place":"#
          + #"{"area":null,"byteCount":4,"byteOffset":4,"newChunk":null,"oldChunk":null,"#
          + #""slot":null},"ranges":[{"byteCount":4,"byteOffset":4}],"required":"1","#
          + #""severity":"damage"}"#), "\(text)")
    #expect(
      text.contains(
        #""place":{"area":0,"byteCount":16,"byteOffset":528,"newChunk":50,"oldChunk":1,"#
          + #""slot":1}"#), "\(text)")
  }
}
