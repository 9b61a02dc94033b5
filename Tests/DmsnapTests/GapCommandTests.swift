import Foundation
import TestSupport
import Testing

/// A copy that lost bytes, from the arguments to the status.
@Suite struct GapCommandTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap
  private let store = StoreBuilder().copying((0..<700).map { $0 * 3 }).image()

  init() throws { directory = try TemporaryDirectory() }

  private func shifted() throws -> String {
    let bytes = Array(store[..<409_600] + store[413_696...])
    return try directory.write(sparse: UInt64(bytes.count), [(0, bytes)], to: "copy.cow")
  }

  @Test func `inspect names the loss and the command that reads around it`() throws {
    let path = try shifted()
    let outcome = try dmsnap.run(["inspect", path])
    #expect(outcome.status == 2)
    #expect(outcome.output.contains("this copy lost 4096 bytes between byte 8192 and byte 1052672"))
    #expect(outcome.output.contains("copy.cow,gap=8192-1052672:4096"))
    let json = try dmsnap.run(["inspect", path, "--format", "json"]).object()
    let gaps = try #require(json["gaps"] as? [[String: Any]])
    #expect(gaps.map { $0["missingByteCount"] as? Int } == [4096])
  }

  @Test func `where the place is known, the table is the store's`() throws {
    let path = try shifted()
    let whole = try directory.write(sparse: UInt64(store.count), [(0, store)], to: "good.cow")
    let good = try dmsnap.run(["table", whole])
    let mended = try dmsnap.run(["table", path + ",gap=409600:4096"])
    #expect(mended.status == 0 && mended.output == good.output)
    // The order does not matter, and all numbers count bytes of the file.
    let part = try dmsnap.run(["table", path + ",gap=409600:4096,offset=0"])
    #expect(part.output == good.output)
    #expect(try dmsnap.run(["table", path + ",gap=99999999:4096"]).status == 5)
    #expect(try dmsnap.run(["table", path + ",gap=409600"]).status == 64)
    #expect(try dmsnap.run(["table", path + ",gap=4096:512,gap=4096:512"]).status == 64)
  }

  @Test func `a salvage keeps what is certain and lists the rest`() throws {
    let outcome = try dmsnap.run([
      "salvage", shifted(), "--to", directory.path("new.cow"), "--format", "json",
    ])
    #expect(outcome.status == 2)
    let json = try outcome.object()
    #expect(json["exceptionCount"] as? Int == 444)
    let lost = try #require(json["lost"] as? [[String: Any]])
    #expect(lost.allSatisfy { $0["reason"] as? String == "lost-in-copy" })
    #expect(lost.reduce(0) { $0 + ($1["byteCount"] as? Int ?? 0) } == 256 * 4096)
  }

  @Test func `a merge does not write into an origin with gaps`() throws {
    let origin = try directory.write(sparse: 16 << 20, [(0, [1])], to: "origin.img")
    let outcome = try dmsnap.run([
      "merge", shifted(), "--origin", origin + ",gap=4096:512", "--reading", "salvage", "--no-undo",
    ])
    #expect(outcome.status == 4 && outcome.errors.contains("has gaps"), "\(outcome)")
  }
}
