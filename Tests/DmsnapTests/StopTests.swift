import Foundation
import Glibc
import TestSupport
import Testing

/// A merge that is asked to stop does so at a safe point, says how to go on, and is finished by that.
@Suite(
  .enabled(if: Strace.tool != nil, "strace must be installed and allowed to trace a program"))
struct StopTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap
  private let undo: String

  init() throws {
    directory = try TemporaryDirectory()
    undo = directory.path("undo")
  }

  private func arguments(_ pair: Pair, _ way: [String]) -> [String] {
    ["merge", pair.store, "--origin", pair.origin, "--accept", "unrelated-origin"] + way
  }

  /// Header, data, table and header of the undo file are four writes; the fifth is the origin's.
  @Test(
    arguments: ["SIGINT", "SIGTERM", "SIGHUP"],
    [(2, "was not touched"), (5, "is partly merged, and"), (0, "is partly merged")])
  func `a signal stops it, and the same command goes on`(
    signal: String, at: (call: Int, words: String)
  ) throws {
    let pair = try Pair("written", in: directory)
    let arguments = arguments(pair, at.call == 0 ? ["--no-undo"] : ["--undo", undo])
    let outcome = try Strace.run(
      arguments, inject: "pwrite64:signal=\(signal):when=\(max(at.call, 1))",
      on: [pair.origin, undo])
    #expect(outcome.status == 5 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint() == nil && outcome.errors.contains("stopped as asked"), "\(outcome)")
    #expect(outcome.errors.contains("\(pair.origin) \(at.words)"), "\(outcome)")
    #expect(outcome.errors.contains("the same command"), "\(outcome)")
    if at.call == 2 { #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256) }
    if at.call == 5 {
      // Either way is told, and both are right.
      let half = try directory.copy(pair.origin, to: "half")
      let back = try dmsnap.run(["merge", undo, "--origin", half, "--no-undo"])
      #expect(back.status == 0, "\(back)")
      #expect(try Files.sha256(half) == pair.facts.origin.sha256)
      #expect(outcome.errors.contains("dmsnap merge \(undo) --origin \(pair.origin) --no-undo"))
    }
    let again = try dmsnap.run(arguments)
    #expect(again.status == 0 && again.errors.isEmpty, "\(again)")
    #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
    if at.call == 0 { return }
    #expect(try dmsnap.run(["merge", undo, "--origin", pair.origin, "--no-undo"]).status == 0)
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
  }

  @Test func `a second signal ends it at once`() throws {
    let pair = try Pair("written", in: directory)
    let arguments = arguments(pair, ["--undo", undo])
    let outcome = try Strace.run(
      arguments, inject: "pwrite64,fdatasync:signal=SIGINT:when=3+", on: [pair.origin, undo])
    #expect(outcome.ending == .killed(signal: SIGINT), "\(outcome)")
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
    #expect(try dmsnap.run(arguments).status == 0)
    #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
  }

  @Test func `a signal that is ignored stays ignored`() throws {
    let pair = try Pair("written", in: directory)
    let strace = try #require(Strace.tool)
    let outcome = try #require(ToolRunner(named: "sh")).run(
      [
        "-c", #"trap '' HUP INT && exec "$0" "$@""#, strace.path, "-f", "-qq", "-o", "/dev/null",
        "-e", "inject=pwrite64:signal=SIGHUP:when=1", dmsnap.path,
      ] + arguments(pair, ["--no-undo"]))
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
  }

  @Test func `a merge of many windows stops in the middle, flushed`() throws {
    // 24 MiB in one run, which is read and written in three windows.
    let olds = (0..<6144).map { UInt64($0) }
    let store = try SparseStore(copying: olds, in: directory, as: "store").path
    let origin = try directory.write(sparse: 6144 * 4096, [], to: "origin")
    let merged = directory.path("merged")
    try dmsnap.succeed(["export", store, "--origin", origin, "--to", merged])
    let merge = [
      "merge", store, "--origin", origin, "--no-undo", "--accept", "unrelated-origin",
    ]
    let outcome = try Strace.run(merge, inject: "pwrite64:signal=SIGTERM:when=1", on: [origin])
    #expect(outcome.status == 5 && outcome.complaint(naming: origin) == nil, "\(outcome)")
    let half = try Files.bytes(origin)
    #expect(half.contains { $0 != 0 } && half.suffix(4 << 20).allSatisfy { $0 == 0 })
    #expect(try dmsnap.run(merge).status == 0)
    #expect(try Files.areEqual(origin, merged))
  }

  // MARK: - With a plan, and skipping what is identical

  @Test func `a plan whose merge was stopped is applied again`() throws {
    let plan = directory.path("plan")
    for way in [["--undo", undo], ["--no-undo"]] {
      let pair = try Pair("random-order", in: directory)
      try dmsnap.succeed(
        ["merge", pair.store, "--origin", pair.origin, "--plan", plan] + way)
      let apply = ["merge", "--apply", plan, "--accept", "unrelated-origin"]
      let call = way.count == 2 ? 5 : 1
      let outcome = try Strace.run(
        apply, inject: "pwrite64:signal=SIGINT:when=\(call)", on: [pair.origin, undo])
      #expect(outcome.status == 5, "\(outcome)")
      let again = try dmsnap.run(apply)
      #expect(again.status == 0, "\(again)")
      #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
      _ = unsafe unlink(plan)
    }
  }
}
