import Foundation
import Glibc
import TestSupport
import Testing

/// `serve` and `mount` end as the table in docs/exit-statuses.md says.
@Suite struct ServingStatusTests {
  /// What a row of the table is about.
  enum Given: String, CaseIterable, CustomTestStringConvertible {
    case healthy = "a healthy store"
    case invalid = "an invalid store"
    case unreadable = "a store with data that cannot be read"
    case otherOrigin = "an origin with another file system"
    case text = "a file of something else"
    case missing = "no file"

    var testDescription: String { rawValue }
  }

  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// The page's table.
  private static func table() throws -> [String: [Int32]] {
    let path = Corpus.folder.appending(path: "../docs/exit-statuses.md").standardized
    let page = try String(contentsOf: path, encoding: .utf8).split(separator: "\n")
    let rows = page.drop { !$0.contains("| `serve` | `mount` |") }.prefix { $0.hasPrefix("|") }
      .dropFirst(2).map { row in
        row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      }
    return Dictionary(
      uniqueKeysWithValues: rows.map { ($0[0], $0.dropFirst().compactMap { Int32($0) }) })
  }

  private func make(_ given: Given) throws -> [String] {
    let builder = StoreBuilder(chunkSectors: 8).copying((0..<40).map { $0 * 7 })
    let origin = try directory.write(Stamp.origin(byteCount: 4096 * 400), to: "origin")
    func store(_ bytes: [UInt8]) throws -> [String] {
      [try directory.write(bytes, to: "store"), "--origin", origin]
    }
    switch given {
    case .healthy: return try store(builder.sized(100).image())
    case .invalid:
      var invalid = builder.sized(42)
      invalid.header.valid = 0
      return try store(invalid.image())
    case .unreadable: return try directory.holed().arguments
    case .otherOrigin:
      let pair = try Case("ext4-snapshot-changed", in: directory)
      var other = try Files.bytes(pair.origin)
      other.put(Array(repeating: 0x22, count: 16), at: 1024 + 0x68)
      other.put([other[1024 + 0x65] & ~4], at: 1024 + 0x65)
      return [pair.store, "--origin", try directory.write(other, to: "other")]
    case .text: return try store(Array(String(repeating: "not a store at all\n", count: 5000).utf8))
    case .missing: return [directory.path("nothing"), "--origin", origin]
    }
  }

  @Test(arguments: Given.allCases)
  func `both end as the table says`(given: Given) throws {
    let expected = try #require(try Self.table()[given.rawValue])
    try #require(expected.count == 2)
    let arguments = try make(given)
    if expected[0] < 3 {
      #expect(try Server(arguments, in: directory).end().status == expected[0])
    } else {
      let outcome = try ToolRunner.dmsnap.run(["serve"] + arguments + ["--format", "json"])
      #expect(outcome.status == expected[0], "\(outcome)")
    }
    if expected[1] < 3, !Files.exist("/dev/fuse") { return }
    let place = directory.path("mounted")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    let outcome = try ToolRunner.dmsnap.run(
      ["mount", arguments[0], place] + arguments.dropFirst() + ["--format", "json"])
    #expect(outcome.status == expected[1], "\(outcome)")
    let names = try FileManager.default.contentsOfDirectory(atPath: place)
    #expect(names.contains("snapshot.img") == (expected[1] < 3))
    if !names.isEmpty {
      #expect(try ToolRunner.dmsnap.run(["mount", "--end", place]).status == 0)
    }
  }

  @Test func `the table has a row for all of it, and no other`() throws {
    #expect(Set(try Self.table().keys) == Set(Given.allCases.map(\.rawValue)))
  }

  // MARK: - merge --preview, recipe

  @Test func `a preview is what the merge leaves, and the dry run names its command`() throws {
    let pair = try Case("ext4-origin-changed", in: directory)
    let arguments = ["merge"] + pair.arguments
    let dryRun = try ToolRunner.dmsnap.run(arguments + ["--dry-run"])
    let line = try #require(
      dryRun.outputLines.first { $0.hasPrefix("to look at the result first") })
    #expect(line.hasSuffix("dmsnap merge \(pair.store) --origin \(pair.origin) --preview"))
    let output = try directory.write([], to: "output")
    let tool = try ToolRunner.dmsnap.start(arguments + ["--preview"], output: .path(output))
    while try Files.bytes(output).isEmpty, tool.isRunning { usleep(2000) }
    let uri = try #require(
      String(decoding: try Files.bytes(output), as: UTF8.self).split(separator: "\n").first?
        .split(separator: " ").dropFirst().first)
    let copied = try Tools.run("nbdcopy", [String(uri), directory.path("copy")])
    #expect(copied.status == 0, "\(copied)")
    tool.signal(SIGINT)
    #expect(tool.wait().status == 0)
    _ = try ToolRunner.dmsnap.succeed(arguments + ["--no-undo"])
    #expect(try Files.sha256(directory.path("copy")) == Files.sha256(pair.origin))
    let wrong = try ToolRunner.dmsnap.run(arguments + ["--preview", "--dry-run"])
    #expect(wrong.status == 64)
  }

  @Test func `a recipe names what is there, read-only`() throws {
    let pair = try Case("ext4-snapshot-changed", in: directory)
    let outcome = try ToolRunner.dmsnap.run(["recipe"] + pair.arguments)
    #expect(outcome.status == 0, "\(outcome)")
    for line in [
      "origin=$(losetup --read-only --find --show \(pair.origin))",
      "store=$(losetup --read-only --find --show \(pair.store))",
      "dmsetup create dmsnap-view --readonly --table \"0 8192 snapshot $origin $store P 8\""
        + " && view=/dev/mapper/dmsnap-view && mkdir -p mnt"
        + " && mount -o ro,noload /dev/mapper/dmsnap-view mnt && mounted=mnt",
      "{ dmsnap mount \(pair.store) --origin \(pair.origin) view || test $? -le 2; } && view=view"
        + " && mkdir -p mnt && mount -o loop,ro,noload view/snapshot.img mnt && mounted=mnt",
      "test -z \"$store\" || losetup --detach $store",
    ] {
      #expect(outcome.outputLines.contains(line), "\(line)\n\(outcome)")
    }
    let part = try ToolRunner.dmsnap.run(
      ["recipe", "\(pair.store),offset=0", "--origin", pair.origin, "--format", "json"])
    #expect(part.output.contains("--offset 0 --sizelimit 1048576"))
    let tiny = try ToolRunner.dmsnap.run(
      ["recipe", pair.store, "--origin", try directory.write([1], to: "tiny")])
    #expect(tiny.output.hasPrefix("# not by the device mapper: the snapshot has no whole sector"))
    let salvage = try ToolRunner.dmsnap.run(["recipe"] + pair.arguments + ["--reading", "salvage"])
    #expect(!salvage.output.contains("dmsetup"))
    #expect(salvage.output.contains("--reading salvage view"))
  }
}
