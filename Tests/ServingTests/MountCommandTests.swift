import Foundation
import TestSupport
import Testing

/// `dmsnap mount`: the snapshot is a file.
@Suite(.enabled(if: Files.exist("/dev/fuse"), "FUSE is needed: /dev/fuse"))
struct MountCommandTests {
  private let directory: TemporaryDirectory
  private let place: String

  init() throws {
    directory = try TemporaryDirectory()
    place = directory.path("mounted")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
  }

  private func mount(_ arguments: [String]) throws -> ToolOutcome {
    try ToolRunner.dmsnap.run(["mount", arguments[0], place] + arguments.dropFirst())
  }

  private func end() throws {
    let outcome = try ToolRunner.dmsnap.run(["mount", "--end", place])
    #expect(outcome.status == 0, "\(outcome)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: place).isEmpty)
  }

  @Test(arguments: ["written", "odd-origin", "ext4-snapshot-changed"])
  func `the image is what Linux shows`(name: String) throws {
    let pair = try Case(name, in: directory)
    let before = [try FileState(pair.store), try FileState(pair.origin)]
    let outcome = try mount(pair.arguments)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.outputLines.first?.hasPrefix("image    \(place)/snapshot.img") == true)
    #expect(try Files.sha256("\(place)/snapshot.img") == pair.digest)
    for path in ["\(place)/snapshot.img", "\(place)/new"] {
      #expect(throws: (any Error).self) { try Data([1]).write(to: URL(filePath: path)) }
    }
    try end()
    #expect([try FileState(pair.store), try FileState(pair.origin)] == before)
  }

  @Test func `the image is an origin for other commands`() throws {
    let pair = try Case("ext4-snapshot-changed", in: directory)
    _ = try mount(pair.arguments)
    let store = try directory.write(
      StoreBuilder(chunkSectors: 8).copying([3]).image(), to: "over")
    let image = directory.path("image")
    let outcome = try ToolRunner.dmsnap.run(
      ["export", store, "--origin", "\(place)/snapshot.img", "--to", image])
    #expect(outcome.status == 0 || outcome.status == 1, "\(outcome)")
    #expect(try Files.bytes(image).count == Files.bytes("\(place)/snapshot.img").count)
    try end()
  }

  @Test func `reading what is lost fails, and only that`() throws {
    let (arguments, lost) = try directory.holed()
    let outcome = try mount(arguments + ["--format", "json"])
    #expect(outcome.status == 2, "\(outcome)")
    let file = try FileHandle(forReadingFrom: URL(filePath: "\(place)/snapshot.img"))
    for start in [lost.lowerBound - 4096, lost.lowerBound, lost.upperBound] {
      try file.seek(toOffset: UInt64(start))
      let bytes = try? file.read(upToCount: 4096)
      #expect(bytes?.count == (start == lost.lowerBound ? nil : 4096))
    }
    try file.close()
    try end()
  }

  @Test(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
  func `root gets the files as well`() throws {
    let pair = try Case("ext4-snapshot-changed", in: directory)
    let before = [try FileState(pair.store), try FileState(pair.origin)]
    let outcome = try mount(pair.arguments + ["--loop"])
    #expect(outcome.status == 0, "\(outcome)")
    let letter = try Files.bytes("\(place)/files/papers/letter")
    let read = try ToolRunner.dmsnap.run(["files", "cat"] + pair.arguments + ["/papers/letter"])
    #expect(read.outputBytes == letter && letter.count > 100, "\(read)")
    try end()
    #expect([try FileState(pair.store), try FileState(pair.origin)] == before)
  }

  @Test func `what cannot be mounted says why, and nothing stays mounted`() throws {
    let pair = try Case("written", in: directory)
    let nowhere = try ToolRunner.dmsnap.run(
      ["mount", pair.store, directory.path("nowhere"), "--origin", pair.origin])
    #expect(nowhere.status == 5 && nowhere.errors.contains("nowhere"), "\(nowhere)")
    let text = try directory.write(Array("text\n".utf8), to: "text")
    #expect(try mount([text, "--origin", pair.origin]).status == 3)
    let end = try ToolRunner.dmsnap.run(["mount", "--end", place])
    #expect(end.status == 5, "\(end)")
    #expect(try ToolRunner.dmsnap.run(["mount", "--end", place, "more"]).status == 64)
    #expect(try ToolRunner.dmsnap.run(["mount", "store"]).status == 64)
  }
}
