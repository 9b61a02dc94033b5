import Foundation
import Glibc
import TestSupport
import Testing

/// What `export` and `diff` give is what Linux shows.
@Suite struct ExportTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: Cases.loaded)
  func `an export is the snapshot that Linux shows`(name: String) throws {
    let pair = try Pair(name, in: directory)
    let image = directory.path("image")
    let view = try #require(pair.answer.view)
    let outcome = try dmsnap.run(["export", pair.store, "--origin", pair.origin, "--to", image])
    #expect(outcome.status == (view.unreadable.isEmpty ? 0 : 2), "\(outcome)")
    let warnings = ["origin-too-short", "store-cut-in-data"].contains(name) ? 1 : 0
    #expect(outcome.errorLines.count == view.unreadable.count + warnings, "\(outcome)")
    #expect(try Files.sha256(image) == view.sha256)
    #expect(try directory.names().count == 3)
  }

  @Test(arguments: ["written", "odd-origin", "chunk-1024", "zero-origin", "store-cut-in-data"])
  func `an export to standard output is the same bytes, and nothing else`(name: String) throws {
    let pair = try Pair(name, in: directory)
    let view = try #require(pair.answer.view)
    let outcome = try dmsnap.run(["export", pair.store, "--origin", pair.origin, "--to", "-"])
    #expect(outcome.outputBytes.sha256 == view.sha256)
    #expect(outcome.status == (view.unreadable.isEmpty ? 0 : 2))
    let warnings = name == "store-cut-in-data" ? 1 : 0
    #expect(outcome.errorLines.count == view.unreadable.count + warnings)
    #expect(try directory.names().count == 2)
  }

  @Test func `an export says how much is the store's`() throws {
    let pair = try Pair("written", in: directory)
    let image = directory.path("image")
    let outcome = try dmsnap.run(["export", pair.store, "--origin", pair.origin, "--to", image])
    #expect(outcome.output == "\(image): 4 MiB, 28 KiB of it from the store (7 exceptions)\n")
  }

  @Test func `an export keeps the origin's holes`() throws {
    let origin = try directory.write(
      sparse: 1 << 30, [(at: 512 << 20, bytes: Stamp.origin(byteCount: 65_536))], to: "origin")
    let store = try directory.write(
      StoreBuilder().copying([0, 131_072, 262_143]).image(), to: "store")
    let image = directory.path("image")
    #expect(try dmsnap.run(["export", store, "--origin", origin, "--to", image]).status == 0)
    var status = stat()
    try #require(unsafe stat(image, &status) == 0)
    #expect(status.st_size == 1 << 30)
    #expect(status.st_blocks * 512 < 1 << 20)
  }

  @Test(arguments: Cases.loaded)
  func `diff tells just the sectors in which the two differ`(name: String) throws {
    let pair = try Pair(name, in: directory)
    guard try #require(pair.answer.view).unreadable.isEmpty else { return }
    let image = directory.path("image")
    _ = try dmsnap.run(["export", pair.store, "--origin", pair.origin, "--to", image])
    // As Data, because slices of arrays are compared byte by byte in a debug build.
    let (snapshot, origin) = (Data(try Files.bytes(image)), Data(try Files.bytes(pair.origin)))
    var expected: [[Int]] = []
    for sector in stride(from: 0, to: origin.count, by: 512)
    where snapshot[sector..<sector + 512] != origin[sector..<sector + 512] {
      if let last = expected.last, last[0] + last[1] == sector {
        expected[expected.count - 1][1] += 512
      } else {
        expected.append([sector, 512])
      }
    }
    let outcome = try dmsnap.run([
      "diff", pair.store, "--origin", pair.origin, "--format", "json",
    ])
    #expect(outcome.status == 0, "\(outcome)")
    let changed = try #require(try outcome.object()["changed"] as? [[String: Int]])
    #expect(changed.map { [$0["byteOffset"] ?? -1, $0["byteCount"] ?? -1] } == expected)
    let text = try dmsnap.run(["diff", pair.store, "--origin", pair.origin]).outputLines
    let numbers = text.dropFirst(expected.isEmpty ? 0 : 1).dropLast().map {
      $0.split(separator: " ").compactMap { Int($0) }
    }
    #expect(numbers == expected)
  }

  @Test func `a snapshot that lost some is compared as far as it goes, with status 2`() throws {
    let pair = try Pair("store-cut-in-data", in: directory)
    let outcome = try dmsnap.run([
      "diff", pair.store, "--origin", pair.origin, "--format", "json",
    ])
    #expect(outcome.status == 2, "\(outcome)")
    #expect(try #require(try outcome.object()["lost"] as? [Any]).isEmpty == false)
  }

  /// Linux shows such a snapshot without a word; whoever took the wrong origin wants to be told.
  @Test func `an origin shorter than the table needs is said`() throws {
    let store = try directory.write(StoreBuilder().copying([0, 100]).image(), to: "store")
    let origin = try directory.write(Stamp.origin(byteCount: 65_536), to: "origin")
    let outcome = try dmsnap.run([
      "export", store, "--origin", origin, "--to", directory.path("image"),
    ])
    #expect(outcome.status == 0)
    #expect(outcome.errors.contains("context.origin-smaller"))
  }
}
