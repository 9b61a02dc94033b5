import Foundation
import SnapshotKit
import TestSupport
import Testing

/// The catalogue in JSON has every kind of finding, in full.
@Suite struct ExplainReportTests {
  @Test func `it has the codes that were asked for, in that order`() throws {
    let text = try JSON.text(ExplainReport([.topByte, .headerTail]))
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(object["schema"] as? String == "dmsnap.explain.v1")
    let findings = try #require(object["findings"] as? [[String: String]])
    #expect(findings.map { $0["code"] } == ["exception.top-byte", "header.tail"])
    let entry = FindingCode.topByte.entry
    #expect(findings.first?["title"] == entry.title)
    #expect(findings.first?["meaning"] == entry.meaning)
    #expect(findings.first?["cause"] == entry.cause)
    #expect(findings.first?["consequence"] == entry.consequence)
    #expect(findings.first?["remedy"] == entry.remedy)
    #expect(findings.last?["severity"] == "warning")
  }
}
