import SnapshotKit
import TestSupport
import Testing

/// An inspection in JSON has every key of its schema, whatever the store is.
@Suite struct InspectReportTests {
  private func text(_ bytes: [UInt8]) throws -> String {
    try JSON.text(InspectReport(Auditor(Store(bytes)).audit(), content: nil))
  }

  @Test func `a sound store`() throws {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 40).copying([5, 6, 9])
    #expect(
      try text(builder.image())
        == #"{"fileLosses":null,"findings":{"damage":0,"note":0,"warning":0},"gaps":[],"generations":["#
        + #"{"areaCount":1,"current":true,"exceptionCount":3,"index":0}],"#
        + #""header":{"chunkSectors":1,"magic":1883336275,"valid":1,"version":1},"#
        + #""kernel":{"reason":"the table is read to its end","status":"5/40 2","verdict":"loads"},"#
        + #""placement":{"likelyCount":0,"orphanCount":0,"provenCount":0,"siblings":[],"unplaced":[],"unplacedCount":0},"#
        + #""schema":"dmsnap.inspect.v1","snapshot":null,"#
        + #""store":{"byteCount":20480,"path":"store.img"},"#
        + #""table":{"areaCount":1,"exceptionCount":3,"runCount":2,"usableCount":3},"#
        + #""unnamed":{"byteCount":0,"chunkCount":0},"verdict":"healthy"}"#)
  }

  @Test func `what the snapshot holds is said in three words`() throws {
    let audit = Auditor(Store(StoreBuilder(chunkSectors: 1).image())).audit()
    let content = ContentIdentity(type: "ext4", label: "home")
    let text = try JSON.text(InspectReport(audit, content: content))
    #expect(text.contains(#""snapshot":{"label":"home","type":"ext4","uuid":null}"#))
  }

  @Test func `no store`() throws {
    #expect(
      try text([])
        == #"{"fileLosses":null,"findings":{"damage":0,"note":0,"warning":0},"gaps":[],"generations":[],"header":null,"#
        + #""kernel":{"reason":"Failed to read snapshot metadata (-EIO): the header cannot be read","#
        + #""status":null,"verdict":"refuses"},"#
        + #""placement":{"likelyCount":0,"orphanCount":0,"provenCount":0,"siblings":[],"unplaced":[],"unplacedCount":0},"#
        + #""schema":"dmsnap.inspect.v1","snapshot":null,"#
        + #""store":{"byteCount":0,"path":"store.img"},"#
        + #""table":{"areaCount":0,"exceptionCount":0,"runCount":0,"usableCount":0},"#
        + #""unnamed":{"byteCount":0,"chunkCount":0},"verdict":"not-a-store"}"#)
  }
}
