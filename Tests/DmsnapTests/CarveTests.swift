import Foundation
import TestSupport
import Testing

/// `dmsnap carve`, from the arguments to the status.
@Suite struct CarveTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap
  private let store = StoreBuilder().copying((0..<40).map { $0 * 3 }).image()

  init() throws { directory = try TemporaryDirectory() }

  private func stores(_ json: [String: Any]) throws -> [[String: Any]] {
    try #require(json["stores"] as? [[String: Any]])
  }

  @Test func `JSON has the keys of its schema`() throws {
    let image = try directory.write(sparse: 1 << 32, [(1_049_088, store)], to: "image")
    let outcome = try dmsnap.run(["carve", image, "--format", "json"])
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    let json = try outcome.object()
    #expect(
      json.reportKeys == ["schema", "image", "stores", "beheaded", "container", "unreadable"])
    #expect(json["schema"] as? String == "dmsnap.carve.v1")
    let found = try stores(json)
    #expect(found.count == 1)
    #expect(
      Set(try #require(found.first).keys) == [
        "byteOffset", "chunkSectors", "exceptionCount", "header", "confidence", "inOrderCount",
        "firstArea", "areaCount", "damagedAreaCount", "chainByteCount", "staleExceptionCount",
        "gaps",
        "filesystem",
      ])
    #expect(found.first?["byteOffset"] as? Int == 1_049_088)
    #expect(found.first?["chunkSectors"] as? Int == 8)
    #expect(found.first?["exceptionCount"] as? Int == 40)
    #expect(found.first?["header"] as? String == "intact")
    #expect(found.first?["confidence"] as? Double == 0.982)
    #expect(found.first?["chainByteCount"] as? Int == 42 * 4096)
  }

  @Test func `what is found is a store to the other commands, also in a part of an image`() throws {
    let image = try directory.write(
      [UInt8](repeating: 7, count: 1536) + store + [UInt8](repeating: 9, count: 512), to: "image")
    for (argument, name) in [
      (image, "\(image),offset=1536"), ("\(image),offset=512", "\(image),offset=1536"),
      (
        "\(image),offset=512,length=\(store.count + 1024)",
        "\(image),offset=1536,length=\(store.count)"
      ),
    ] {
      let outcome = try dmsnap.run(["carve", argument])
      #expect(outcome.status == 0, "\(outcome)")
      #expect(outcome.outputLines.first == "store    \(name)")
      #expect(outcome.outputLines.last == "next     dmsnap inspect \(name)")
      #expect(try dmsnap.run(["inspect", name]).status == 0)
    }
  }

  /// Without an end, the areas of the next store would be taken for displaced ones of the first.
  @Test func `a store ends before the next one`() throws {
    let first = StoreBuilder(chunkSectors: 8).copying(0..<300)
    let wiped = [UInt8](repeating: 0, count: 8192) + first.image().dropFirst(8192)
    let image = try directory.write(
      wiped + [UInt8](repeating: 0, count: 65536) + store, to: "image")
    let outcome = try dmsnap.run(["carve", image])
    let names = outcome.outputLines.filter { $0.hasPrefix("store") }.map { $0.dropFirst(9) }
    #expect(
      names == [
        "\(image),offset=0,length=\(wiped.count + 65536)", "\(image),offset=\(wiped.count + 65536)",
      ], "\(outcome)")
  }

  @Test func `status 3 and one line where there is no store`() throws {
    let image = try directory.write([UInt8](repeating: 7, count: 70_000), to: "image")
    let outcome = try dmsnap.run(["carve", image])
    #expect(outcome.status == 3 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint(naming: image) == nil)
    let json = try dmsnap.run(["carve", image, "--format", "json"])
    #expect(json.status == 3)
    #expect(try stores(try json.object()).isEmpty)
  }

  @Test func `a store that begins before the image is told of on standard error`() throws {
    let image = try directory.write(Array(store[4096...]), to: "image")
    let outcome = try dmsnap.run(["carve", image])
    #expect(outcome.status == 3 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.contains("4096 bytes before the image"), "\(outcome)")
  }

  @Test(.enabled(if: ToolRunner(named: "mke2fs") != nil, "mke2fs must be installed"))
  func `a store is found between the files of a file system, and no file is one`() throws {
    let image = directory.path("image")
    try #require(ToolRunner(named: "mke2fs")).succeed(
      [
        "-q", "-t", "ext4", "-d",
        Corpus.folder.deletingLastPathComponent().appending(path: "Sources").path, image, "64M",
      ])
    #expect(try dmsnap.run(["carve", image]).status == 3)
    var lost = store
    lost.put([UInt8](repeating: 0, count: 512), at: 0)
    try Files.overwrite(image, at: 40_000_000 / 512 * 512 + 512, lost)
    let outcome = try dmsnap.run(["carve", image, "--format", "json"])
    let found = try stores(try outcome.object())
    #expect(found.compactMap { $0["byteOffset"] as? Int } == [40_000_512], "\(outcome)")
    #expect(found.first?["exceptionCount"] as? Int == 40)
    #expect(found.first?["chunkSectors"] as? Int == 8)
  }

  @Test func `progress is shown when asked for`() throws {
    let image = try directory.write(store, to: "image")
    let outcome = try dmsnap.run(["carve", image, "--progress", "always"])
    #expect(outcome.errors.contains("searched"), "\(outcome)")
  }
}
