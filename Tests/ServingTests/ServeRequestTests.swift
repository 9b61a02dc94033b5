import Inputs
@testable import Serving
import SnapshotKit
import Testing

/// The parameters of the plugin and of the mount.
@Suite struct ServeRequestTests {
  private func request(_ words: [String]) throws(ServeError) -> ServeRequest {
    try ServeRequest(
      parameters: words.map { word in
        let pair = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return (String(pair[0]), String(pair[1]))
      })
  }

  @Test(
    arguments: [
      ["reading=kernel", "origin=b", "lost=error"],
      [
        "reading=kernel-6.12", "origin=b,offset=512,length=1024", "lost=pattern", "partition=3",
        "layer=c=d", "limit=12288", "report=3",
      ],
      [
        "reading=salvage", "generation=2", "place=likely", "chunk-size=16", "sibling=e",
        "sibling=f", "map=g", "origin=b", "lost=zero",
      ],
      [
        "reading=kernel", "pv=h", "pv=i,map=j", "vgcfg=k", "seqno=7", "leg=1", "holes=false",
        "lost=origin",
      ],
    ])
  func `a request is what its parameters say`(words: [String]) throws {
    #expect(try request(["store=a"] + words).parameters == ["store=a"] + words)
  }

  @Test func `what asks for the salvage reading implies it`() throws {
    for word in ["generation=1", "place=none", "chunk-size=8", "sibling=c"] {
      #expect(try request(["store=a", "origin=b", word]).names.reading == .salvage)
    }
  }

  @Test(
    arguments: [
      ([], "store= is missing"), (["store="], "store=: invalid value"),
      (["store=a"], "origin= is missing"),
      (["store=a", "origin=b", "what=ever"], "unknown parameter what="),
      (["store=a", "origin=b", "limit=1"], "layer= is missing"),
      (["store=a", "origin=b", "seqno=1"], "pv= is missing"),
      (["store=a", "origin=b", "generation=-1"], "generation=-1: invalid value"),
      (["store=a", "origin=b", "generation=old"], "generation=old: invalid value"),
      (["store=a", "origin=b", "chunk-size=3"], "chunk-size=3: invalid value"),
      (["store=a", "origin=b", "lost=maybe"], "lost=maybe: invalid value"),
      (["store=a", "origin=b", "partition=one"], "partition=one: invalid value"),
      (["store=a", "origin=b", "layer=c", "limit=1G"], "limit=1G: invalid value"),
      (["store=a", "origin=b", "holes=perhaps"], "holes=perhaps: invalid value"),
      (
        ["store=a", "origin=b", "place=none", "reading=kernel"],
        "reading=kernel: invalid value"
      ),
    ])
  func `what is wrong is named`(words: [String], message: String) {
    #expect { try request(words) } throws: { "\($0)" == message }
  }
}
