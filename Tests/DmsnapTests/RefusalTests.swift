import Foundation
import TestSupport
import Testing

/// What Linux shows nothing of is refused with status 4, and nothing is written anywhere.
@Suite struct RefusalTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  @Test func `the corpus has stores of every kind that is refused`() {
    #expect(Cases.notLoaded.contains("overflow-p"))
    #expect(Cases.notLoaded.contains("magic-wiped"))
    #expect(Cases.notLoaded.contains("store-cut-at-area"))
    #expect(Cases.loaded.count > 40)
  }

  @Test(arguments: Cases.notLoaded)
  func `a store that Linux shows nothing of is refused, and inspect still answers`(
    name: String
  ) throws {
    let pair = try Pair(name, in: directory)
    let before = try [FileState(pair.store), FileState(pair.origin)]
    let (store, origin, output) = (pair.store, pair.origin, directory.path("output"))
    for arguments in [
      ["table", store], ["table", store, "--format", "json"], ["diff", store, "--origin", origin],
      ["export", store, "--origin", origin, "--to", output],
      ["export", store, "--origin", origin, "--to", "-"],
      ["merge", store, "--origin", origin, "--to", output],
      ["merge", store, "--origin", origin, "--undo", output],
      ["merge", store, "--origin", origin, "--no-undo"],
      ["merge", store, "--origin", origin, "--dry-run"],
    ] {
      let outcome = try dmsnap.run(arguments)
      #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.complaint(naming: store) == nil)
    }
    for command in ["inspect", "audit"] {
      for extra in [[], ["--origin", origin]] {
        let outcome = try dmsnap.run([command, store] + extra)
        #expect(outcome.status == 2, "\(outcome)")
        #expect(!outcome.output.isEmpty && outcome.errors.isEmpty)
      }
    }
    #expect(try directory.names().count == 2)
    #expect(try [FileState(store), FileState(origin)] == before)
  }

  @Test func `a store that would be formatted is warned of loudly`() throws {
    let pair = try Pair("magic-wiped", in: directory)
    let outcome = try dmsnap.run(["inspect", pair.store])
    #expect(outcome.output.contains("WOULD FORMAT IT"), "\(outcome)")
  }

  @Test(arguments: Cases.notMerged)
  func `a merge at which Linux would stop is refused before the first write`(name: String) throws {
    let pair = try Pair(name, in: directory)
    let before = try [FileState(pair.store), FileState(pair.origin)]
    for way in [
      ["--no-undo"], ["--undo", directory.path("undo")], ["--to", directory.path("image")],
      ["--dry-run"],
    ] {
      let outcome = try dmsnap.run(["merge", pair.store, "--origin", pair.origin] + way)
      #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.complaint() == nil)
    }
    #expect(try directory.names().count == 2)
    #expect(try [FileState(pair.store), FileState(pair.origin)] == before)
  }

  // MARK: - Outputs that exist

  @Test(arguments: [Subcommand.export, .merge])
  func `an existing output is refused and stays`(command: Subcommand) throws {
    let pair = try Pair("written", in: directory)
    let output = try directory.write([1, 2, 3], to: "output")
    let outcome = try dmsnap.run(
      command.arguments(store: pair.store, origin: pair.origin, output: output))
    #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors == "dmsnap: \(output): exists, and is not overwritten\n")
    #expect(try Files.bytes(output) == [1, 2, 3])
    #expect(try directory.names().count == 3)
  }

  @Test(arguments: [Subcommand.export, .merge])
  func `an output is never an input`(command: Subcommand) throws {
    let pair = try Pair("written", in: directory)
    for output in [pair.store, pair.origin] {
      let outcome = try dmsnap.run(
        command.arguments(store: pair.store, origin: pair.origin, output: output))
      #expect(outcome.status == 4, "\(outcome)")
    }
    #expect(try Files.sha256(pair.store) == pair.facts.store.sha256)
    #expect(try Files.sha256(pair.origin) == pair.facts.origin.sha256)
  }

  @Test(arguments: [Subcommand.export, .merge])
  func `a folder that is not there is status 5`(command: Subcommand) throws {
    let pair = try Pair("written", in: directory)
    let output = directory.path("missing/output")
    let outcome = try dmsnap.run(
      command.arguments(store: pair.store, origin: pair.origin, output: output))
    #expect(outcome.status == 5 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint(naming: output) == nil)
  }

  @Test(.enabled(if: Mount.isAvailable, Comment(rawValue: Mount.unavailable)))
  func `an output without room is status 5, and nothing is left of it`() throws {
    let pair = try Pair("written", in: directory)
    let place = directory.path("small")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    let mount = try Mount(["-t", "tmpfs", "-o", "size=64k", "none"], at: place)
    for command in [Subcommand.export, .merge] {
      let outcome = try dmsnap.run(
        command.arguments(store: pair.store, origin: pair.origin, output: "\(place)/output"))
      #expect(outcome.status == 5 || outcome.status == 4, "\(outcome)")
      #expect(outcome.output.isEmpty)
      #expect(outcome.complaint(naming: "\(place)/output") == nil)
      #expect(outcome.errors.contains("No space left") || outcome.errors.contains("needs"))
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: place).isEmpty)
    withExtendedLifetime(mount) {}
  }
}
