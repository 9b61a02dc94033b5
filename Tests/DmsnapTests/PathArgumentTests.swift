import Foundation
import TestSupport
import Testing

/// `PATH,offset=BYTES,length=BYTES` is the part of a file that it names, in every command.
@Suite struct PathArgumentTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  /// A disk with a store and its origin somewhere in it, and their names as parts of it.
  private func disk(_ pair: Pair, at offset: UInt64) throws -> (
    path: String, store: String, origin: String
  ) {
    let storeCount = UInt64(pair.facts.store.byteCount)
    let originOffset = offset + storeCount + 1536
    let path = try directory.write(
      sparse: 32 << 20,
      [
        (at: offset, bytes: Files.bytes(pair.store)),
        (at: originOffset, bytes: Files.bytes(pair.origin)),
      ],
      to: "disk")
    return (
      path, "\(path),offset=\(offset),length=\(storeCount)",
      "\(path),offset=\(originOffset),length=\(pair.facts.origin.byteCount)"
    )
  }

  @Test(arguments: [UInt64(0), 512, 1 << 20, 1_000_001])
  func `parts of a disk are what they would be as files`(offset: UInt64) throws {
    let pair = try Pair("written", in: directory)
    let disk = try disk(pair, at: offset)
    let before = try FileState(disk.path)
    for command in ["table", "inspect", "audit"] {
      let part = try dmsnap.run([command, disk.store])
      let file = try dmsnap.run([command, pair.store])
      #expect(part.status == file.status, "\(part)")
      #expect(
        part.output.replacing(disk.store, with: "STORE")
          == file.output.replacing(pair.store, with: "STORE"))
    }
    #expect(
      try dmsnap.run(["table", disk.store]).output == dmsnap.run(["table", pair.store]).output)
    let image = directory.path("image")
    let outcome = try dmsnap.run(["export", disk.store, "--origin", disk.origin, "--to", image])
    #expect(outcome.status == 0, "\(outcome)")
    #expect(try Files.sha256(image) == pair.answer.view?.sha256)
    #expect(try FileState(disk.path) == before)
  }

  @Test func `a part without a length goes up to the end`() throws {
    let pair = try Pair("written", in: directory)
    let path = try directory.write(
      [UInt8](repeating: 7, count: 1000) + Files.bytes(pair.store), to: "disk")
    let part = try dmsnap.run(["inspect", "\(path),offset=1000", "--format", "json"]).object()
    let place = try #require(part["store"] as? [String: Any])
    #expect(place["byteCount"] as? Int == pair.facts.store.byteCount)
    #expect(part["verdict"] as? String == "healthy")
  }

  @Test func `the suggested next command names the same part`() throws {
    let pair = try Pair("written", in: directory)
    let disk = try disk(pair, at: 512)
    let outcome = try dmsnap.run(["inspect", disk.store, "--origin", disk.origin])
    let next = try #require(outcome.outputLines.first { $0.hasPrefix("next") })
    #expect(next.contains(disk.store) && next.contains(disk.origin), "\(next)")
  }

  @Test(
    arguments: [
      "offset=262145", "offset=0,length=262145", "offset=1,length=262144",
      "offset=18446744073709551615,length=2", "length=18446744073709551615",
    ])
  func `a part that the file does not have is status 5`(part: String) throws {
    let store = try Pair("written", in: directory).store
    let outcome = try dmsnap.run(["inspect", "\(store),\(part)"])
    #expect(outcome.status == 5 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint(naming: store) == nil)
    #expect(outcome.errors.contains("262144"), "the end is not told: \(outcome)")
  }

  @Test(
    arguments: [
      "offset=abc", "offset=-1", "offset=0x10", "length=1e3", "offset=0,offset=0",
      "offset=18446744073709551616",
    ])
  func `a part that cannot be understood is wrong usage`(part: String) throws {
    let store = try Pair("written", in: directory).store
    let outcome = try dmsnap.run(["inspect", "\(store),\(part)"])
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
  }

  @Test(arguments: ["a,b", "a,offset", "a,size=5", "a b", "ü", "-x", "a,offset=1,b"])
  func `a file's name may have commas, spaces and what not`(name: String) throws {
    let pair = try Pair("written", in: directory)
    let path = try directory.copy(pair.store, to: name)
    #expect(try dmsnap.run(["inspect", path]).status == 0)
    #expect(try dmsnap.run(["inspect", "\(path),offset=0"]).status == 0)
  }

  @Test(arguments: [Subcommand.export, .merge])
  func `an empty name for an output is wrong usage`(command: Subcommand) throws {
    let pair = try Pair("written", in: directory)
    let outcome = try dmsnap.run(
      command.arguments(store: pair.store, origin: pair.origin, output: ""))
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
  }
}
