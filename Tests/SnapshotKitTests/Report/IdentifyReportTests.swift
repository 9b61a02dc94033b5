import BlockIO
import SnapshotFormat
import SnapshotKit
import TestSupport
import Testing

/// What a path holds, by libblkid and by the store's own header, in JSON.
@Suite struct IdentifyReportTests {
  @Test func `a store is what libblkid and its header say`() throws {
    let source = FaultySource(StoreBuilder(chunkSectors: 8).image(), name: "store.img")
    let content = try IdentifiedContent(source)
    #expect(!content.isEmpty && content.header?.chunkSectors == 8)
    #expect(
      try JSON.text(IdentifyReport([content]))
        == #"{"paths":[{"array":null,"byteCount":24576,"container":null,"partitionTable":null,"path":"store.img","#
        + #""signatures":[{"badChecksum":false,"byteOffset":0,"label":null,"#
        + #""type":"DM_snapshot_cow","usage":"other","uuid":null,"version":null}],"#
        + #""store":{"chunkSectors":8,"magic":1883336275,"valid":1,"version":1},"unreadable":[]}],"#
        + #""schema":"dmsnap.identify.v1"}"#)
  }

  @Test func `nothing is an empty list`() throws {
    let content = try IdentifiedContent(FaultySource([UInt8](repeating: 0, count: 8192)))
    #expect(content.isEmpty)
    #expect(
      try JSON.text(IdentifyReport([content]))
        == #"{"paths":[{"array":null,"byteCount":8192,"container":null,"partitionTable":null,"path":"faulty.img","#
        + #""signatures":[],"store":null,"unreadable":[]}],"schema":"dmsnap.identify.v1"}"#)
  }
}
