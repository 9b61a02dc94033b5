import Foundation
import Glibc
import TestSupport
import Testing

/// `merge --plan` says what would be done and does nothing; `merge --apply` does that and nothing else.
@Suite struct MergePlanCommandTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap
  private let plan: String
  private let undo: String

  init() throws {
    directory = try TemporaryDirectory()
    (plan, undo) = (directory.path("plan"), directory.path("undo"))
  }

  private func merge(_ pair: Pair, _ how: String...) throws -> ToolOutcome {
    try dmsnap.run(["merge", pair.store, "--origin", pair.origin] + how)
  }

  private func apply(_ how: String...) throws -> ToolOutcome {
    try dmsnap.run(["merge", "--apply", plan] + how)
  }

  private struct Piece: Decodable {
    let byteOffset: Int
    let byteCount: Int
    let before: String
    let after: String
    var range: Range<Int> { byteOffset..<byteOffset + byteCount }
  }

  private func pieces() throws -> [Piece] {
    try String(decoding: Files.bytes(plan), as: UTF8.self).split(separator: "\n").dropFirst()
      .dropLast().map { try JSONDecoder().decode(Piece.self, from: Data($0.utf8)) }
  }

  // MARK: - Plan

  @Test(arguments: Cases.shapes)
  func `a plan writes nothing else, and its digests are those of the origin before and after`(
    name: String
  ) throws {
    let pair = try Pair(name, in: directory)
    let before = try [FileState(pair.store), FileState(pair.origin)]
    let outcome = try merge(pair, "--plan", plan, "--accept", "unrelated-origin")
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    #expect(outcome.output.contains("Nothing was written but the plan."))
    #expect(try [FileState(pair.store), FileState(pair.origin)] == before)
    #expect(try directory.names() == ["\(name).cow", "\(name).origin", "plan"].sorted())
    let old = try Files.bytes(pair.origin)
    #expect(try apply("--undo", undo, "--accept", "unrelated-origin").status == 0)
    let new = try Files.bytes(pair.origin)
    #expect(new.sha256 == (try pair.answer.merge?.originSha256))
    var rest = old
    for piece in try pieces() {
      #expect(Array(old[piece.range]).sha256 == piece.before)
      #expect(Array(new[piece.range]).sha256 == piece.after)
      rest.replaceSubrange(piece.range, with: new[piece.range])
    }
    #expect(rest == new)
    #expect(try dmsnap.run(["merge", undo, "--origin", pair.origin, "--no-undo"]).status == 0)
    #expect(try Files.bytes(pair.origin) == old)
  }

  @Test func `a plan that is there is refused and stays`() throws {
    let pair = try Pair("written", in: directory)
    try directory.write([1, 2], to: "plan")
    let outcome = try merge(pair, "--plan", plan)
    #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors == "dmsnap: \(plan): exists, and is not overwritten\n")
    #expect(try Files.bytes(plan) == [1, 2])
  }

  @Test func `a plan tells the command that does it`() throws {
    let pair = try Pair("written", in: directory)
    let outcome = try merge(pair, "--plan", plan, "--undo", undo)
    let command = try #require(outcome.outputLines.last).split(separator: ": ", maxSplits: 1)[1]
    let words = command.split(separator: " ").map(String.init)
    #expect(words == ["dmsnap", "merge", "--apply", plan])
    #expect(try dmsnap.run(Array(words.dropFirst())).status == 0)
    #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
    #expect(Files.exist(undo))
  }

  @Test(
    arguments: [
      ["--plan", "P", "--to", "T"], ["--plan", "P", "--dry-run"], ["--plan", "P", "--verify"],
      ["--plan", "P", "--apply", "Q"], ["--plan", ""], ["--apply", "P", "--skip-identical"],
      ["--apply", "P", "--reading", "kernel"], ["--apply", "P", "--undo", "U", "--no-undo"],
    ])
  func `a plan does not go with what is something else`(how: [String]) throws {
    let pair = try Pair("written", in: directory)
    let how = how.map { $0.count == 1 ? directory.path($0) : $0 }
    let outcome = try dmsnap.run(["merge", pair.store, "--origin", pair.origin] + how)
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(try directory.names().count == 2)
  }

  // MARK: - Apply

  /// Runs dmsnap in a directory.
  private func run(in place: String, _ arguments: [String]) throws -> ToolOutcome {
    try #require(ToolRunner(named: "sh")).run(
      ["-c", #"cd "$0" && exec "$@""#, place, dmsnap.path] + arguments)
  }

  @Test func `a plan made with relative paths is applied from anywhere`() throws {
    let pair = try Pair("written", in: directory)
    // Behind a link, .. is not where the name suggests.
    let inner = directory.path("inner")
    for place in [inner, "\(inner)/deep"] {
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    }
    try FileManager.default.createSymbolicLink(
      atPath: directory.path("link"), withDestinationPath: "inner/deep")
    try directory.copy(pair.store, to: "inner/store")
    let made = try run(
      in: directory.path,
      [
        "merge", "link/../store", "--origin", "written.origin", "--plan", "plan", "--undo",
        "link/undo",
      ])
    #expect(made.status == 0, "\(made)")
    let applied = try run(in: "/", ["merge", "--apply", plan])
    #expect(applied.status == 0, "\(applied)")
    #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
    #expect(Files.exist("\(inner)/deep/undo"))
  }

  @Test func `a plan without a way back wants one, and says so`() throws {
    let pair = try Pair("written", in: directory)
    _ = try merge(pair, "--plan", plan)
    let outcome = try apply()
    #expect(outcome.status == 4 && outcome.complaint(naming: plan) == nil, "\(outcome)")
    #expect(try apply("--dry-run").status == 0)
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
    #expect(try apply("--no-undo").status == 0)
    #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
  }

  @Test func `a plan knows that identical chunks are skipped, and by which rules it is read`()
    throws
  {
    let pair = try Pair("written", in: directory)
    let half = try Files.bytes(pair.origin)
    #expect(try merge(pair, "--no-undo").status == 0)
    var merged = try Files.bytes(pair.origin)
    merged.replaceSubrange(
      merged.count / 2..<merged.count, with: half[merged.count / 2..<half.count])
    try directory.write(merged, to: "written.origin")
    let made = try merge(
      pair, "--skip-identical", "--reading", "salvage", "--plan", plan, "--undo", undo)
    #expect(made.status == 0 && made.output.contains("are there already"), "\(made)")
    let applied = try apply()
    #expect(applied.status == 0 && applied.output.contains("are there already"), "\(applied)")
    #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
  }

  // MARK: - What is refused

  private func expectRefusal(
    _ outcome: ToolOutcome, _ words: String, origin: String, _ bytes: [UInt8],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    // What the plan says is shown first, where it says anything.
    #expect(
      outcome.status == 4 && outcome.output.isEmpty && outcome.errorLines.count <= 2
        && outcome.errorLines.last?.contains(words) == true, "\(outcome)",
      sourceLocation: sourceLocation)
    #expect(try Files.bytes(origin) == bytes, sourceLocation: sourceLocation)
    #expect(!Files.exist(undo), sourceLocation: sourceLocation)
  }

  @Test func `one byte of a planned range that differs is refused, elsewhere not`() throws {
    let pair = try Pair("written", in: directory)
    _ = try merge(pair, "--plan", plan, "--undo", undo)
    let original = try Files.bytes(pair.origin)
    for piece in try pieces() {
      for place in [piece.range.lowerBound, piece.range.upperBound - 1] {
        var changed = original
        changed[place] ^= 1
        try directory.write(changed, to: "written.origin")
        for way in [[], ["--no-undo"], ["--dry-run"]] {
          let outcome = try dmsnap.run(["merge", "--apply", plan] + way)
          try expectRefusal(outcome, "are not as they were", origin: pair.origin, changed)
        }
      }
    }
    var elsewhere = original
    let place = try #require(
      (0..<original.count).first { index in
        try !pieces().contains { $0.range.contains(index) }
      })
    elsewhere[place] ^= 1
    try directory.write(elsewhere, to: "written.origin")
    #expect(try apply().status == 0)
  }

  @Test func `a store that is not as it was is refused`() throws {
    let pair = try Pair("written", in: directory)
    _ = try merge(pair, "--plan", plan, "--undo", undo)
    let (store, origin) = (try Files.bytes(pair.store), try Files.bytes(pair.origin))
    var changed = store
    changed[2 * 4096 + 9] ^= 1  // data begins at chunk 2
    try directory.write(changed, to: "written.cow")
    try expectRefusal(try apply(), "plans other content", origin: pair.origin, origin)
    let another = try Pair("random-order", in: directory).store
    let other = try dmsnap.run(["merge", another, "--apply", plan])
    try expectRefusal(other, "for a table other than", origin: pair.origin, origin)
  }

  @Test func `a plan that was edited or cut, or is none, is refused`() throws {
    let pair = try Pair("written", in: directory)
    _ = try merge(pair, "--plan", plan, "--undo", undo)
    let origin = try Files.bytes(pair.origin)
    let lines = String(decoding: try Files.bytes(plan), as: UTF8.self).split(separator: "\n")
      .map { String($0) + "\n" }
    let digit = try #require(lines[1].firstIndex(of: "9") ?? lines[1].firstIndex(of: "8"))
    var edited = lines
    edited[1].replaceSubrange(digit...digit, with: "7")
    let others: [[String]] = [
      [], [lines[0]], Array(lines.dropLast()), lines + [lines[1]], Array(lines.dropFirst()), edited,
      ["{}\n"], ["no plan\n"] + lines.dropFirst(), [lines[0]] + lines.dropFirst(2),
    ]
    for other in others {
      try directory.write(Array(other.joined().utf8), to: "plan")
      let outcome = try dmsnap.run(["merge", "--apply", plan])
      try expectRefusal(outcome, plan, origin: pair.origin, origin)
    }
    let store = try dmsnap.run(["merge", "--apply", pair.store, "--no-undo"])
    try expectRefusal(store, "is not a merge plan", origin: pair.origin, origin)
    #expect(try dmsnap.run(["merge", "--apply", "/missing", "--no-undo"]).status == 5)
  }

  // MARK: - Again

  @Test func `a plan that was applied says so, with undo and without`() throws {
    let pair = try Pair("written", in: directory)
    _ = try merge(pair, "--plan", plan)
    #expect(try apply("--undo", undo).status == 0)
    let again = try apply("--undo", undo)
    #expect(again.status == 0 && again.output.contains("was already merged"), "\(again)")
    #expect(try apply("--no-undo").status == 0)
    #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
    #expect(try dmsnap.run(["merge", undo, "--origin", pair.origin, "--no-undo"]).status == 0)
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
  }

  @Test(
    .enabled(if: Strace.tool != nil, "strace must be installed and allowed to trace a program"),
    arguments: [true, false])
  func `a plan whose merge was killed anywhere is applied again`(hasUndo: Bool) throws {
    let pair = try Pair("written", in: directory)
    let way = hasUndo ? ["--undo", undo] : ["--no-undo"]
    let made = try dmsnap.run(
      ["merge", pair.store, "--origin", pair.origin, "--plan", plan] + way)
    #expect(made.status == 0, "\(made)")
    let apply = ["merge", "--apply", plan, "--accept", "unrelated-origin"]
    for call in 1... {
      let outcome = try Strace.run(
        apply, inject: "pwrite64,fdatasync:signal=SIGKILL:when=\(call)")
      let again = try dmsnap.run(apply)
      #expect(again.status == 0, "killed at call \(call): \(again)")
      #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256, "\(call)")
      try directory.write(Corpus.unpack(pair.facts.origin, of: "written"), to: "written.origin")
      _ = unsafe unlink(undo)
      if outcome.status == 0 {
        #expect(call > (hasUndo ? 9 : 3), "\(call)")
        return
      }
      try #require(call < 100)
    }
  }
}
