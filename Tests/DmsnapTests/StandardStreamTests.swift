import Glibc
import TestSupport
import Testing

/// Standard output is data and standard error is talk, also when they are full, shut or gone.
@Suite struct StandardStreamTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  /// Two runs a command: as text, and as JSON where it has that.
  private func printingRuns(_ command: Subcommand, _ pair: Pair) -> [[String]] {
    func run() -> [String] { command.printing(store: pair.store, origin: pair.origin) }
    return command == .export ? [run()] : [run(), run() + ["--format", "json"]]
  }

  @Test(arguments: Subcommand.allCases)
  func `a full disk behind standard output is status 5 and one line`(command: Subcommand) throws {
    for arguments in printingRuns(command, try Pair("written", in: directory)) {
      let outcome = try dmsnap.run(arguments, output: .path("/dev/full"))
      #expect(outcome.status == 5, "\(outcome)")
      #expect(outcome.complaint(naming: "standard output") == nil)
      #expect(outcome.errors.contains("No space left on device"), "\(outcome)")
    }
  }

  @Test(arguments: Subcommand.allCases)
  func `a pipe that nobody reads ends it quietly, and not with status 0`(
    command: Subcommand
  ) throws {
    for arguments in printingRuns(command, try Pair("many-areas", in: directory)) {
      let outcome = try dmsnap.run(arguments, output: .deadPipe)
      #expect(outcome.status == 5, "\(outcome)")
      #expect(outcome.errors.isEmpty, "\(outcome)")
    }
  }

  @Test(arguments: Subcommand.allCases)
  func `without standard output it ends with a line, and not with status 0`(
    command: Subcommand
  ) throws {
    for arguments in printingRuns(command, try Pair("written", in: directory)) {
      let outcome = try dmsnap.run(arguments, output: .closed)
      #expect(outcome.status == 5, "\(outcome)")
      #expect(outcome.complaint() == nil)
    }
  }

  @Test(arguments: [["--help"], ["--version"], ["inspect", "--help"], ["help", "merge"]])
  func `help and version that cannot be written are no success`(arguments: [String]) throws {
    let outcome = try dmsnap.run(arguments, output: .path("/dev/full"))
    #expect(outcome.status == 5 && outcome.complaint() == nil, "\(outcome)")
  }

  @Test(arguments: [false, true])
  func `a target never takes the place of a closed standard stream`(all: Bool) throws {
    let pair = try Pair("written", in: directory)
    let undo = directory.path("undo")
    for arguments in [
      ["merge", pair.store, "--origin", pair.origin, "--undo", undo],
      ["merge", undo, "--origin", pair.origin, "--no-undo"],
      ["merge", pair.store, "--origin", pair.origin, "--no-undo", "--verify"],
      ["export", pair.store, "--origin", pair.origin, "--to", directory.path("image")],
    ] {
      _ = try dmsnap.run(
        arguments, output: .closed, errors: all ? .closed : .captured, closingInput: all)
    }
    #expect(try Files.sha256(pair.store) == pair.facts.store.sha256)
    #expect(try Files.sha256(pair.origin) == pair.answer.merge?.originSha256)
    #expect(try Files.sha256(directory.path("image")) == pair.answer.view?.sha256)
  }

  @Test func `standard error that is shut or full changes nothing`() throws {
    let pair = try Pair("overflow-p", in: directory)
    for errors in [ToolRunner.Stream.closed, .path("/dev/full"), .deadPipe] {
      let outcome = try dmsnap.run(["table", pair.store], errors: errors)
      #expect(outcome.status == 4, "\(outcome)")
    }
  }

  // MARK: - Quiet

  @Test func `quiet says nothing when all is well`() throws {
    let pair = try Pair("written", in: directory)
    for arguments in [
      ["export", pair.store, "--origin", pair.origin, "--to", directory.path("image")],
      ["merge", pair.store, "--origin", pair.origin, "--to", directory.path("merged")],
      ["merge", pair.store, "--origin", pair.origin, "--undo", directory.path("undo")],
      ["merge", pair.store, "--origin", pair.origin, "--no-undo", "--verify"],
    ] {
      for flag in ["--quiet", "-q"] where flag == "--quiet" || arguments.last == "--verify" {
        let outcome = try dmsnap.run(arguments + [flag])
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.output.isEmpty && outcome.errors.isEmpty, "\(outcome)")
      }
    }
  }

  @Test func `quiet says errors all the same`() throws {
    let pair = try Pair("overflow-p", in: directory)
    let outcome = try dmsnap.run([
      "export", pair.store, "--origin", pair.origin, "--to", directory.path("image"), "--quiet",
    ])
    #expect(outcome.status == 4)
    #expect(outcome.complaint(naming: pair.store) == nil)
  }

  @Test func `quiet leaves data on standard output`() throws {
    let pair = try Pair("written", in: directory)
    let loud = try dmsnap.run(["table", pair.store])
    #expect(try dmsnap.run(["table", pair.store, "--quiet"]).output == loud.output)
    #expect(!loud.output.isEmpty)
  }

  // MARK: - Progress

  private static let longJobs: [Subcommand] = [.audit, .export, .diff, .merge]

  private func longJob(_ command: Subcommand, _ pair: Pair) -> [String] {
    let output = directory.path("output")
    let arguments = command.arguments(store: pair.store, origin: pair.origin, output: output)
    return command == .audit ? arguments + ["--origin", pair.origin] : arguments
  }

  @Test(arguments: longJobs)
  func `progress is shown where nobody watches only if that is asked for`(
    command: Subcommand
  ) throws {
    let arguments = longJob(command, try Pair("written", in: directory))
    let always = try dmsnap.run(arguments + ["--progress", "always"])
    #expect(always.status == 0, "\(always)")
    #expect(
      always.errors.contains(/[0-9.]+ [KM]iB of [0-9.]+ [KM]iB \(100 %\), .+\/s, 0 s left/),
      "\(always)")
    #expect(always.errors.hasSuffix("\n"))
    for mode in [[], ["--progress", "auto"], ["--progress", "never"]] {
      _ = unsafe unlink(directory.path("output"))
      let outcome = try dmsnap.run(arguments + mode)
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
      #expect(outcome.output == always.output)
    }
  }

  @Test func `output for people has no colours where nobody watches`() throws {
    let pair = try Pair("overflow-p", in: directory)
    for command in [Subcommand.inspect, .audit] {
      let outcome = try dmsnap.run([command.rawValue, pair.store, "--origin", pair.origin])
      #expect(!outcome.outputBytes.contains(0x1b) && !outcome.errorBytes.contains(0x1b))
    }
  }
}
