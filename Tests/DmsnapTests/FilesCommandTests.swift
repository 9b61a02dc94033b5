import Foundation
import TestSupport
import Testing

/// What the `files` commands promise wherever there is nothing for them to read.
@Suite struct FilesCommandTests {
  private let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  /// Every command that prints an object, with a path where it takes one.
  private static let printing = [
    ["list"], ["get", "/etc", "--to", "OUT"], ["changes"], ["owner", "--changed"],
    ["extents", "/etc/passwd"],
  ]

  /// Those, and the others.
  private static let all = printing + [["cat", "/etc/passwd"], ["timeline"]]

  private func run(_ command: [String], _ more: [String] = []) throws -> ToolOutcome {
    let store = try directory.write(StoreBuilder().copying([1, 2]).image(), to: "store")
    let origin = try directory.write(Stamp.origin(byteCount: 65_536), to: "origin")
    let rest = command.dropFirst().map { $0 == "OUT" ? directory.path("out") : $0 }
    return try dmsnap.run(["files", command[0], store] + rest + ["--origin", origin] + more)
  }

  @Test(arguments: all)
  func `what holds no file system is status 3 and one line`(command: [String]) throws {
    let outcome = try run(command)
    #expect(outcome.status == 3 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint(naming: directory.path("store")) == nil)
    #expect(try directory.names() == ["origin", "store"])
  }

  @Test(arguments: printing)
  func `an object says so too`(command: [String]) throws {
    let json = try run(command, ["--format", "json"]).object()
    #expect(json["schema"] as? String == "dmsnap.files-\(command[0]).v1")
    let error = try #require(json["error"] as? [String: Any])
    #expect(error["code"] as? String == "filesystem.not-found")
  }

  /// A store of the corpus, and its origin.
  private func stored(_ name: String) throws -> (bytes: [UInt8], origin: String) {
    let facts = try Corpus.read("file-systems/\(name)")
    let origin = try directory.write(
      Corpus.unpack(facts.origin, of: "file-systems/\(name)"), to: "origin")
    return (try Corpus.unpack(facts.store, of: "file-systems/\(name)"), origin)
  }

  @Test func `a kernel's reading says that it knows of no losses, if there are some`() throws {
    let (bytes, origin) = try stored("ext4-overlay")
    let whole = try directory.write(bytes, to: "whole")
    let chunkByteCount = Int(bytes[12]) << 9
    var damaged = bytes
    damaged.replaceSubrange(
      chunkByteCount..<chunkByteCount + 4096, with: repeatElement(0x5a, count: 4096))
    let store = try directory.write(damaged, to: "store")
    for option in ["--lost", "--doubtful", "--unnamed"] {
      let sound = try dmsnap.run(["files", "owner", whole, "--origin", origin, option])
      #expect(sound.status == 0 && !sound.errors.contains("--reading salvage"), "\(sound)")
      let outcome = try dmsnap.run(["files", "owner", store, "--origin", origin, option])
      #expect(outcome.status != 0 && outcome.status != 64, "\(outcome)")
    }
  }

  @Test func `list takes several paths`() throws {
    let (bytes, origin) = try stored("ext4-overlay")
    let store = try directory.write(bytes, to: "store")
    func list(_ more: String...) throws -> (lines: [String], status: Int32?, errors: String) {
      let outcome = try dmsnap.run(["files", "list", store, "--origin", origin] + more)
      return (
        outcome.output.split(separator: "\n").map(String.init), outcome.status, outcome.errors
      )
    }
    let all = try list("/", "-R").lines
    let folders = try list().lines.filter { path in all.contains { $0.hasPrefix(path + "/") } }
    let (first, second) = (try #require(folders.first), try #require(folders.last))
    #expect(first != second)
    #expect(try list(second, first).lines == list(second).lines + list(first).lines)
    #expect(try list(first, first).lines == list(first).lines)
    #expect(try list("-R", first, "/").lines == all)
    let missing = try list(first, "/no-such-file")
    #expect(missing.status == 2 && missing.errors.contains("/no-such-file"), "\(missing)")
    #expect(try missing.lines == list(first).lines)
    #expect(try list("/no-such-file", "/nor-this").status == 3)
  }

  @Test func `a partition that is not there is status 3`() throws {
    let outcome = try run(["list"], ["--partition", "2"])
    #expect(outcome.status == 3, "\(outcome)")
    #expect(outcome.errors.contains("no partition 2"), "\(outcome)")
  }

  @Test(arguments: ["free", "free.jsonl"])
  func `a stream of what is in no file replaces nothing`(name: String) throws {
    _ = try directory.write([1], to: name)
    let outcome = try run(["get", "--unallocated", directory.path("free")])
    #expect(outcome.status == 4 && outcome.errors.contains("exists"), "\(outcome)")
    #expect(try directory.names() == [name, "origin", "store"].sorted())
  }

  @Test(arguments: [("0", 3), ("10M", 3), ("64K", 3), ("64KiB", 3)])
  func `bytes have units`(text: String, status: Int32) throws {
    // There is no file system, which is found out first.
    let outcome = try run(["owner", "--offset", text])
    #expect(outcome.status == status && !outcome.errors.contains("offset"), "\(outcome)")
  }

  @Test(.enabled(if: ToolRunner(named: "mke2fs") != nil, "mke2fs must be installed"))
  func `a time of 0 is no event of a timeline`() throws {
    let tree = directory.path("tree")
    try ToolRunner(named: "mkdir")?.succeed([tree])
    for (name, time) in [("dated", "@1700000000"), ("undated", "@0")] {
      let path = try directory.write(Array(repeating: 0x61, count: 9000), to: "tree/\(name)")
      try ToolRunner(named: "touch")?.succeed(["-d", time, path])
    }
    let origin = directory.path("ext4")
    try ToolRunner(named: "mke2fs")?.succeed(
      ["-q", "-t", "ext4", "-b", "4096", "-d", tree, origin, "4M"])
    // Each chunk is copied, so that each file was touched.
    let bytes = try Files.bytes(origin)
    let builder = StoreBuilder(chunkSectors: 8).copying(Array(0..<bytes.count / 4096))
    var image = builder.image()
    for exception in builder.exceptions {
      let start = Int(exception.old) * 4096
      image.put(Array(bytes[start..<start + 4096]), at: Int(exception.new) * 4096)
    }
    let store = try directory.write(image, to: "copied")
    let outcome = try dmsnap.run(
      ["files", "timeline", store, "--origin", origin, "--format", "jsonl"])
    #expect(outcome.status == 0, "\(outcome)")
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.contains { $0.contains("/dated") && $0.contains("2023-11-14T22:13:20") })
    #expect(lines.contains { $0.contains("/undated") })
    #expect(!lines.contains { $0.contains("1970-01-01") })
  }

  @Test(
    arguments: [
      ["get", "/x"], ["get", "--to", "d"], ["get", "/x", "--to", "d", "--tar", "t"],
      ["get", "/x", "--tar", "-", "--format", "json"], ["cat"], ["cat", "/x", "--inode", "1"],
      ["cat", "--inode", "x"], ["owner"], ["owner", "--lost", "--changed"], ["extents"],
      ["list", "--of", "both"], ["timeline", "--format", "json"], ["changes", "--before", "both"],
      ["owner", "--offset", "10Q"], ["owner", "--offset", "99999999T"],
      ["owner", "--lost", "--doubtful"], ["get", "/x", "--unallocated", "f"],
      ["get", "--unallocated", "-"], ["get", "--unallocated", "f", "--to", "d"],
    ])
  func `wrong usage is 64`(command: [String]) throws {
    let outcome = try run(command)
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
  }
}
