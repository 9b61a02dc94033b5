import Foundation
import Glibc
import TestSupport
import Testing

/// `merge --skip-identical` writes and saves what differs only, and ends the same.
@Suite struct MergeSkipTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap
  private let undo: String

  init() throws {
    directory = try TemporaryDirectory()
    undo = directory.path("undo")
  }

  /// A case whose origin holds every other chunk of the store already.
  private func halfMerged(_ name: String) throws -> (pair: Pair, origin: [UInt8]) {
    let pair = try Pair(name, in: directory)
    var origin = try Files.bytes(pair.origin)
    let merged = try #require(ReferenceDecoder(Files.bytes(pair.store)).merge(into: origin))
    let size = max(pair.facts.chunkSectors, 1) * 512
    for start in stride(from: 0, to: origin.count - size, by: 2 * size) {
      origin.put(Array(merged[start..<start + size]), at: start)
    }
    try directory.write(origin, to: "\(name).origin")
    return (pair, origin)
  }

  private func merge(_ pair: Pair, _ how: String...) throws -> ToolOutcome {
    try dmsnap.run(
      ["merge", pair.store, "--origin", pair.origin, "--accept", "unrelated-origin"] + how)
  }

  @Test(arguments: Cases.shapes)
  func `it ends the same, with a smaller undo, that gives the origin back`(name: String) throws {
    let (pair, origin) = try halfMerged(name)
    let outcome = try merge(pair, "--skip-identical", "--undo", undo, "--verify")
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    let merged = try Files.bytes(pair.origin)
    #expect(merged.sha256 == (try pair.answer.merge?.originSha256))
    #expect(ReferenceDecoder(try Files.bytes(undo)).merge(into: merged) == origin)
    #expect(try dmsnap.run(["merge", undo, "--origin", pair.origin, "--no-undo"]).status == 0)
    #expect(try Files.bytes(pair.origin) == origin)
    let whole = directory.path("whole")
    #expect(try merge(pair, "--undo", whole).status == 0)
    #expect(try Files.bytes(undo).count <= Files.bytes(whole).count)
    #expect(try Files.sha256(pair.store) == pair.facts.store.sha256)
  }

  /// The undo file has chunks of the same origin, and is still not that of all that is to be done.
  @Test func `the undo file of a smaller table is refused, finished or not`() throws {
    let few = try SparseStore(copying: (0..<20).map { UInt64($0 * 2) }, in: directory, as: "few")
      .path
    let more = try SparseStore(copying: (0..<22).map { UInt64($0 * 2) }, in: directory, as: "more")
      .path
    var random = SplitMix64(seed: 3)
    let origin = try directory.write(random.bytes(60 * 4096), to: "origin")
    let merged = ["--origin", origin, "--undo", undo, "--skip-identical"]
    #expect(try dmsnap.run(["merge", few] + merged).status == 0)
    let before = try [Files.sha256(origin), Files.sha256(undo)]
    let outcome = try dmsnap.run(["merge", more] + merged)
    #expect(outcome.status == 4 && outcome.errors.contains("another merge"), "\(outcome)")
    #expect(try [Files.sha256(origin), Files.sha256(undo)] == before)
    #expect(try dmsnap.run(["merge", few] + merged).status == 0)
  }

  @Test(
    .enabled(if: Strace.tool != nil, "strace must be installed and allowed to trace a program"))
  func `only what differs is written`() throws {
    let (pair, _) = try halfMerged("random-order")
    let log = directory.path("log")
    _ = try #require(Strace.tool).run([
      "-f", "-qq", "-y", "-s", "0", "-e", "trace=pwrite64", "-o", log, dmsnap.path, "merge",
      pair.store, "--origin", pair.origin, "--no-undo", "--skip-identical",
    ])
    let before = try halfMerged("random-order").origin
    let store = ReferenceDecoder(try Files.bytes(pair.store))
    let merged = try #require(store.merge(into: before))
    let size = pair.facts.chunkSectors * 512
    let differing = stride(from: 0, to: before.count, by: size).filter {
      before[$0..<min($0 + size, before.count)] != merged[$0..<min($0 + size, before.count)]
    }
    // pwrite64(3</origin>, ""..., 4096, 8192) = 4096
    let written = String(decoding: try Files.bytes(log), as: UTF8.self).split(separator: "\n")
      .filter { $0.contains("\(pair.origin)>") }
      .reduce(0) { $0 + (Int($1.split(separator: "= ").last ?? "") ?? 0) }
    #expect(written == differing.count * size && written > 0)
  }

  @Test func `an origin that has all of it is left alone, with undo and without`() throws {
    let pair = try Pair("written", in: directory)
    #expect(try merge(pair, "--no-undo").status == 0)
    let merged = try FileState(pair.origin)
    for way in [["--no-undo"], ["--undo", undo], ["--undo", undo], ["--dry-run"]] {
      let outcome = try dmsnap.run(
        ["merge", pair.store, "--origin", pair.origin, "--skip-identical"] + way)
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
      #expect(
        outcome.output.contains("28 KiB are there already") || outcome.output.contains("finished"))
    }
    #expect(try FileState(pair.origin) == merged)
    #expect(ReferenceDecoder(try Files.bytes(undo)).exceptions.isEmpty)
  }

  @Test func `a finished one says so, and an undo file without it is another merge's`() throws {
    let (pair, origin) = try halfMerged("written")
    #expect(try merge(pair, "--skip-identical", "--undo", undo).status == 0)
    let again = try merge(pair, "--skip-identical", "--undo", undo)
    #expect(again.status == 0 && again.output.contains("was already merged"), "\(again)")
    let other = try merge(pair, "--undo", undo)
    #expect(other.status == 4 && other.errors.contains("of another merge"), "\(other)")
    #expect(try dmsnap.run(["merge", undo, "--origin", pair.origin, "--no-undo"]).status == 0)
    #expect(try Files.bytes(pair.origin) == origin)
    let since = try merge(pair, "--skip-identical", "--undo", undo)
    #expect(since.status == 4 && since.complaint(naming: undo) == nil, "\(since)")
  }

  @Test(
    .enabled(if: Strace.tool != nil, "strace must be installed and allowed to trace a program"))
  func `killed anywhere, the same command goes on`() throws {
    for call in 1... {
      let (pair, origin) = try halfMerged("written")
      let arguments = [
        "merge", pair.store, "--origin", pair.origin, "--skip-identical", "--undo", undo,
        "--accept", "unrelated-origin",
      ]
      let outcome = try Strace.run(
        arguments, inject: "pwrite64,fdatasync:signal=SIGKILL:when=\(call)")
      let again = try dmsnap.run(arguments)
      #expect(again.status == 0, "killed at call \(call): \(again)")
      #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256, "\(call)")
      #expect(try dmsnap.run(["merge", undo, "--origin", pair.origin, "--no-undo"]).status == 0)
      #expect(try Files.bytes(pair.origin) == origin, "\(call)")
      _ = unsafe unlink(undo)
      if outcome.status == 0 { return }
      try #require(call < 100)
    }
  }

  @Test func `it goes with a merge in place only`() throws {
    let pair = try Pair("written", in: directory)
    let outcome = try merge(pair, "--skip-identical", "--to", directory.path("image"))
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
  }
}
