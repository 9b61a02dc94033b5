import Foundation
import Glibc
import TestSupport
import Testing

/// An input that is changed while a command reads it ends the command with status 5 and one line that
/// names it; no output is left.
@Suite(
  .enabled(if: Strace.tool != nil, "strace must be installed and allowed to trace a program"))
struct ChangedInputTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// What is done to a file.
  enum Change: CaseIterable, Sendable {
    case shorten, lengthen, write

    func apply(to path: String, of byteCount: Int) throws {
      switch self {
      case .shorten: try Files.truncate(path, to: UInt64(byteCount / 1024 * 512))
      case .lengthen: try Files.truncate(path, to: UInt64(byteCount + 4096))
      case .write: try Files.overwrite(path, at: UInt64(byteCount - 512), [1, 2, 3])
      }
    }
  }

  /// Runs a command, stops it before it reads `path` for the first time, changes that, and has it go on.
  private func run(
    _ arguments: [String], changing path: String, _ change: Change
  ) throws -> ToolOutcome {
    let log = directory.path("log")
    try directory.write([], to: "log")
    let byteCount = try Files.bytes(path).count
    Files.age(path)
    let running = try #require(Strace.tool).start(
      [
        "-f", "-P", path, "-e", "trace=pread64", "-e", "inject=pread64:signal=SIGSTOP:when=1", "-o",
        log, ToolRunner.dmsnap.path,
      ] + arguments)
    while running.isRunning,
      !String(decoding: try Files.bytes(log), as: UTF8.self).contains("stopped by SIGSTOP")
    { usleep(2000) }
    try change.apply(to: path, of: byteCount)
    // Each thread that reads it stops, once.
    for _ in 0..<12_000 where running.isRunning {
      running.signal(SIGCONT)
      usleep(5000)
    }
    return running.wait()
  }

  private func expectStatus5(
    _ outcome: ToolOutcome, naming path: String, _ location: SourceLocation = #_sourceLocation
  ) {
    #expect(outcome.status == 5, "\(outcome)", sourceLocation: location)
    #expect(outcome.output.isEmpty, "\(outcome)", sourceLocation: location)
    // The line on an overflow or an older group may be said before.
    #expect(
      outcome.errorLines.last?.contains("\(path): changed while it was read") == true,
      "\(outcome)", sourceLocation: location)
  }

  @Test(arguments: Subcommand.ofFiles, Change.allCases)
  func `a store`(command: Subcommand, change: Change) throws {
    let pair = try Pair("written", in: directory)
    let output = directory.path("output")
    let outcome = try run(
      command.arguments(store: pair.store, origin: pair.origin, output: output),
      changing: pair.store, change)
    // A table is written as it is read.
    if command == .table {
      #expect(outcome.status == 5 && outcome.complaint(naming: pair.store) == nil, "\(outcome)")
    } else {
      expectStatus5(outcome, naming: pair.store)
    }
    #expect(!Files.exist(output))
  }

  @Test(arguments: Subcommand.ofOrigins + [.inspect, .audit], Change.allCases)
  func `an origin`(command: Subcommand, change: Change) throws {
    let pair = try Pair("written", in: directory)
    let output = directory.path("output")
    var arguments = command.arguments(store: pair.store, origin: pair.origin, output: output)
    if command == .inspect || command == .audit { arguments += ["--origin", pair.origin] }
    let outcome = try run(arguments, changing: pair.origin, change)
    expectStatus5(outcome, naming: pair.origin)
    #expect(!Files.exist(output))
  }

  @Test(arguments: Change.allCases)
  func `a physical volume`(change: Change) throws {
    let volumes = try Volumes("linear", in: directory)
    let path = try #require(volumes.paths.first)
    let output = directory.path("output")
    let snapshot = try volumes.snapshot.path
    for arguments in [
      ["lvm", "list"], ["lvm", "extract", snapshot, "--to", output], ["inspect", snapshot],
    ] {
      let copy = try directory.copy(path, to: "pv.copy")
      let options = volumes.paths.flatMap { ["--pv", $0 == path ? copy : $0] }
      expectStatus5(try run(arguments + options, changing: copy, change), naming: copy)
      try FileManager.default.removeItem(atPath: copy)
      #expect(!Files.exist(output))
    }
  }

  @Test(arguments: Change.allCases)
  func `the store of a merge in place`(change: Change) throws {
    let pair = try Pair("written", in: directory)
    let outcome = try run(
      ["merge", pair.store, "--origin", pair.origin, "--no-undo"], changing: pair.store, change)
    expectStatus5(outcome, naming: pair.store)
  }

  // MARK: - File systems that are wrong about holes

  @Test(arguments: Subcommand.ofFiles)
  func `with --no-holes nobody asks where data is`(command: Subcommand) throws {
    let pair = try Pair("written", in: directory)
    let log = directory.path("log")
    var arguments = command.arguments(
      store: pair.store, origin: pair.origin, output: directory.path("output"))
    if command == .inspect || command == .audit { arguments += ["--origin", pair.origin] }
    let outcome = try #require(Strace.tool).run(
      ["-f", "-qq", "-y", "-e", "trace=lseek", "-o", log, ToolRunner.dmsnap.path] + arguments
        + ["--no-holes"])
    #expect(outcome.status == 0, "\(outcome)")
    let text = String(decoding: try Files.bytes(log), as: UTF8.self)
    let asked = text.split(separator: "\n").filter {
      $0.contains("SEEK_DATA") && ($0.contains(pair.store) || $0.contains(pair.origin))
    }
    #expect(asked.isEmpty, "\(asked)")
  }
}
