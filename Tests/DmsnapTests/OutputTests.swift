import Foundation
import SnapshotKit
import TestSupport
import Testing

/// What is written to files, and to a terminal.
@Suite struct OutputTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  private func refuse(_ arguments: [String], _ location: SourceLocation = #_sourceLocation) throws {
    let before = try directory.names()
    let outcome = try dmsnap.run(arguments)
    #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)", sourceLocation: location)
    #expect(outcome.errors.contains("name the same file"), "\(outcome)", sourceLocation: location)
    #expect(try directory.names() == before, sourceLocation: location)
  }

  @Test func `two outputs in one file are refused before anything is written`() throws {
    let pair = try Pair("written", in: directory)
    let (one, other) = (directory.path("x"), directory.path("./x"))
    try FileManager.default.createSymbolicLink(
      atPath: directory.path("here"), withDestinationPath: ".")
    let linked = directory.path("here/x")
    for second in [one, other, linked] {
      try refuse(["salvage", pair.store, "--to", one, "--wanted", second])
      try refuse(
        ["merge", pair.store, "--origin", pair.origin, "--undo", one, "--plan", second])
    }
  }

  /// Bytes that would move a cursor, draw lines, hide text or turn it around.
  private static let hostile =
    "home\"\nverdict  healthy\r\u{1b}[8m\u{7f}\u{9b}31m\u{202e}\u{2066}\u{feff}\t\u{0}x"

  @Test func `no control character of a name or a label reaches the terminal`() throws {
    var random = SplitMix64(seed: 12)
    let pair = try Pair("written", in: directory)
    for round in 0..<40 {
      // Any characters but a slash and a zero, as names go.
      let scalars = (0..<(1 + random.below(20))).compactMap { _ in
        UnicodeScalar(UInt32(1 + random.below(round % 2 == 0 ? 0x100 : 0x2fff)))
      }
      var name = String(String.UnicodeScalarView(scalars.filter { $0 != "/" }))
      if round == 0 { name = Self.hostile.replacing("\u{0}", with: "") }
      if name.isEmpty || name == "." || name == ".." { continue }
      let path = directory.path(name)
      try? FileManager.default.removeItem(atPath: path)
      guard (try? FileManager.default.copyItem(atPath: pair.store, toPath: path)) != nil else {
        continue
      }
      for arguments in [
        ["identify", path], ["inspect", path, "--origin", pair.origin], ["audit", path],
        ["carve", path], ["merge", path, "--origin", pair.origin, "--dry-run"],
        ["export", path, "--origin", path, "--to", path], ["table", path, "--reading", "salvage"],
        ["inspect", "\(path)-missing"],
      ] {
        let outcome = try dmsnap.run(arguments)
        for text in [outcome.output, outcome.errors] {
          let wrong = text.unicodeScalars.first {
            $0 != "\n" && [.control, .format].contains($0.properties.generalCategory)
          }
          #expect(wrong == nil, "\(arguments)")
        }
      }
      try FileManager.default.removeItem(atPath: path)
    }
  }

  @Test func `a command that is printed for a name takes that name`() throws {
    let pair = try Pair("written", in: directory)
    let shell = try #require(ToolRunner(named: "bash"))
    for name in ["it's", "a b", "$HOME", "line\nbreak", "tab\t'\\x41", "ü…"] {
      let path = directory.path(name)
      try FileManager.default.copyItem(atPath: pair.store, toPath: path)
      let carved = try dmsnap.run(["carve", path])
      let next = try #require(carved.outputLines.last { $0.hasPrefix("next") }, "\(carved)")
      let command = next.dropFirst("next     dmsnap".count)
      let outcome = try shell.run(["-c", "\(dmsnap.path)\(command)"])
      #expect(outcome.status == 0, "\(outcome)")
    }
  }

  @Test func `the way back is said when standard output is full`() throws {
    let pair = try Pair("written", in: directory)
    let undo = directory.path("undo")
    let shell = try #require(ToolRunner(named: "bash"))
    let outcome = try shell.run([
      "-c", "exec \"$0\" \"$@\" > /dev/full", dmsnap.path, "merge", pair.store, "--origin",
      pair.origin, "--undo", undo,
    ])
    #expect(outcome.status == 5, "\(outcome)")
    #expect(outcome.errors.contains("to undo, before anything else"), "\(outcome)")
    #expect(outcome.errors.contains(undo), "\(outcome)")
  }

  @Test func `an edited plan is refused, whatever was edited`() throws {
    let pair = try Pair("written", in: directory)
    let (plan, undo) = (directory.path("plan"), directory.path("undo"))
    let planned = try dmsnap.run([
      "merge", pair.store, "--origin", pair.origin, "--undo", undo, "--plan", plan,
    ])
    #expect(planned.status == 0, "\(planned)")
    let other = try directory.copy(pair.origin, to: "other")
    let text = String(decoding: try Files.bytes(plan), as: UTF8.self)
    let origin = try Files.bytes(pair.origin)
    for (old, new) in [
      ("\"noUndo\":false", "\"noUndo\":true"), (undo, directory.path("elsewhere")),
      (pair.origin, other), ("\"reading\":\"kernel\"", "\"reading\":\"kernel-6.12\""),
      ("\"skipIdentical\":false", "\"skipIdentical\":true"),
    ] {
      try #require(text.contains(old))
      try directory.write(Array(text.replacing(old, with: new).utf8), to: "edited")
      let outcome = try dmsnap.run(["merge", "--apply", directory.path("edited")])
      #expect(outcome.status == 4, "\(outcome)")
      #expect(try Files.bytes(pair.origin) == origin && Files.bytes(other) == origin)
      #expect(!Files.exist(undo) && !Files.exist(directory.path("elsewhere")))
    }
    let applied = try dmsnap.run(["merge", "--apply", plan])
    #expect(applied.status == 0 && applied.errors.contains(undo), "\(applied)")
  }

  @Test func `a part of an image is merged into in place, as its undo says`() throws {
    let pair = try Pair("written", in: directory)
    let own = try Files.bytes(pair.origin)
    var random = SplitMix64(seed: 5)
    let (head, tail) = (random.bytes(1 << 20), random.bytes(70_000))
    let disk = try directory.write(head + own + tail, to: "disk")
    let part = "\(disk),offset=\(head.count),length=\(own.count)"
    let undo = directory.path("undo")
    let there = try dmsnap.run(["merge", pair.store, "--origin", part, "--undo", undo])
    #expect(there.status == 0, "\(there)")
    let now = try Files.bytes(disk)
    #expect(Array(now[..<head.count]) == head && Array(now.suffix(tail.count)) == tail)
    #expect(
      Array(now[head.count..<head.count + own.count]).sha256 == (try pair.answer.view?.sha256))
    let line = try #require(there.outputLines.first { $0.hasPrefix("to undo") })
    let shell = try #require(ToolRunner(named: "sh"))
    let words = line.split(separator: ": ", maxSplits: 1)[1].dropFirst("dmsnap".count)
    let back = try shell.run(["-c", "\(dmsnap.path)\(words)"])
    #expect(back.status == 0 && back.output.contains(" restored ("), "\(back)")
    #expect(try Files.bytes(disk) == head + own + tail)
  }
}
