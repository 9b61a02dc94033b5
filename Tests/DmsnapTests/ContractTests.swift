import Foundation
import Glibc
import SnapshotKit
import TestSupport
import Testing

/// What every command promises, whatever it does: help, usage errors, bad input, inputs untouched.
@Suite struct ContractTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  // MARK: - Help and usage

  @Test func `the command's help names every subcommand and every status`() throws {
    let help = try dmsnap.run(["--help"])
    #expect(help.status == 0 && help.errors.isEmpty, "\(help)")
    let names = help.outputLines.map { $0.trimmingCharacters(in: .whitespaces) }
    for command in Subcommand.allCases {
      #expect(names.contains { $0.hasPrefix("\(command.rawValue) ") }, "\(command): \(help)")
    }
    let words = help.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    for status in ["0 complete", "1 warnings", "2 damage", "3 no store", "4 refused", "64 usage"] {
      #expect(words.contains(status), "\(status)")
    }
  }

  @Test func `the command's help groups subcommands by what they are for`() throws {
    let help = try dmsnap.run(["--help"])
    let sections = help.output.split(separator: "SUBCOMMANDS:\n").dropFirst().map { section in
      section.matches(of: /(?:^|\n) {2}([a-z]+)\s/).map { String($0.1) }
    }
    #expect(
      sections == [
        ["identify", "inspect", "table", "diff", "audit", "explain"], ["files"],
        ["serve", "mount", "recipe"],
        ["salvage", "carve", "export"], ["merge"], ["lvm"],
      ], "\(help)")
    #expect(help.output.contains("lvm list, lvm extract"), "\(help)")
  }

  @Test(arguments: Subcommand.allCases)
  func `help names every option`(command: Subcommand) throws {
    let help = try dmsnap.run([command.rawValue, "--help"])
    #expect(help.status == 0 && help.errors.isEmpty, "\(help)")
    let words = Set(help.output.split { $0.isWhitespace || $0 == "," || $0 == "[" || $0 == "]" })
    for option in command.options { #expect(words.contains(Substring(option)), "\(option)") }
    #expect(help.output.contains("OVERVIEW: "))
    #expect(try dmsnap.run([command.rawValue, "-h"]).output == help.output)
    #expect(try dmsnap.run(["help", command.rawValue]).output == help.output)
  }

  @Test func `the version says what dmsnap was built from, and what it goes by`() throws {
    let version = try dmsnap.run(["--version"])
    #expect(version.status == 0 && version.errors.isEmpty)
    let lines = version.outputLines
    try #require(lines.count == 4, "\(version)")
    let first = /dmsnap \d+\.\d+\.\d+(?: \(([0-9a-f]{7,40})(?: with changes)?\))?/
    let commit = try #require(lines[0].wholeMatch(of: first), "\(version)").1
    if let commit, let git = ToolRunner(named: "git") {
      // A tree that is built, and then committed, is named by what it was built from.
      let folder = URL(filePath: #filePath).deletingLastPathComponent().path()
      let known = try git.run(["-C", folder, "cat-file", "-t", String(commit)])
      #expect(known.status != 0 || known.output == "commit\n", "\(known)")
    }
    #expect(lines[1].wholeMatch(of: /Swift \d+\.\d+\.\d+/) != nil, "\(version)")
    #expect(lines[2].wholeMatch(of: /libblkid \d+\.\d+\.\d+/) != nil, "\(version)")
    #expect(lines[3] == "kernel rules: Linux 6.1 and 6.12")
  }

  @Test func `the version in JSON is the number alone`() throws {
    struct Result: Decodable { let version: String }
    let explained = try dmsnap.succeed(["explain", "header.invalid", "--format", "json"])
    let result = try JSONDecoder().decode(Result.self, from: Data(explained.outputBytes))
    #expect(result.version.wholeMatch(of: /\d+\.\d+\.\d+/) != nil, "\(result)")
    #expect(try dmsnap.run(["--version"]).output.hasPrefix("dmsnap \(result.version)"))
  }

  @Test func `without a subcommand there is help`() throws {
    let outcome = try dmsnap.run([])
    #expect(outcome.output.contains("SUBCOMMANDS:"))
  }

  @Test(arguments: Subcommand.allCases)
  func `an unknown option is wrong usage`(command: Subcommand) throws {
    let arguments = command.arguments(store: "s", origin: "o", output: directory.path("output"))
    let outcome = try dmsnap.run(arguments + ["--frobnicate"])
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errorLines.first == "Error: Unknown option '--frobnicate'")
    #expect(try directory.names().isEmpty)
  }

  @Test(arguments: Subcommand.ofFiles)
  func `a missing argument is wrong usage`(command: Subcommand) throws {
    let outcome = try dmsnap.run([command.rawValue])
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
  }

  @Test(
    arguments: [
      ["frobnicate"], ["export", "s", "--to", "x"], ["export", "s", "--origin", "o"],
      ["diff", "s"], ["table", "s", "--format", "xml"], ["inspect", "s", "--format", "csv"],
      ["audit", "s", "--progress", "sometimes"], ["inspect", "s", "--reading", "guess"],
      ["inspect", "s", "t"], ["explain", "no.such.finding"],
      ["export", "s", "--origin", "o", "--to", "-", "--format", "json"],
    ])
  func `wrong usage is 64 and says nothing on standard output`(arguments: [String]) throws {
    let outcome = try dmsnap.run(arguments)
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.hasPrefix("Error: "), "\(outcome)")
  }

  @Test(
    arguments: [
      (["inspct", "s"], "Unknown subcommand 'inspct'. Did you mean 'inspect'?"),
      (["help", "inspct"], "Unknown subcommand 'inspct'. Did you mean 'inspect'?"),
      (["mrege", "--help"], "Unknown subcommand 'mrege'. Did you mean 'merge'?"),
      (["tabel"], "Unknown subcommand 'tabel'. Did you mean 'table'?"),
      (["lvm", "lst", "--pv", "p"], "Unknown subcommand 'lvm lst'. Did you mean 'lvm list'?"),
      (
        ["help", "lvm", "extrcat"], "Unknown subcommand 'lvm extrcat'. Did you mean 'lvm extract'?"
      ),
      (["extract", "vg/lv"], "Unknown subcommand 'extract'. Did you mean 'lvm extract'?"),
      (["frobnicate"], "Unknown subcommand 'frobnicate'"),
      (["help", "frobnicate"], "Unknown subcommand 'frobnicate'"),
      (["in\u{1b}[31mspect"], "Unknown subcommand 'in\\x1b[31mspect'"),
      (["inspect", "s", "--orign", "o"], "Unknown option '--orign'. Did you mean '--origin'?"),
      (
        ["lvm", "list", "--pv", "p", "--hsitory"],
        "Unknown option '--hsitory'. Did you mean '--history'?"
      ),
    ])
  func `a word that is misspelt is wrong usage, and said right`(
    arguments: [String], message: String
  ) throws {
    let outcome = try dmsnap.run(arguments)
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errorLines.first == "Error: \(message)", "\(outcome)")
  }

  @Test(arguments: [
    ["help"], ["help", "help"], ["help", "lvm"], ["help", "lvm", "list"], ["lvm"],
  ])
  func `a word that is right is help`(arguments: [String]) throws {
    let outcome = try dmsnap.run(arguments)
    #expect(outcome.status == 0 && outcome.output.contains("OVERVIEW: "), "\(outcome)")
  }

  // MARK: - What cannot be opened

  /// Makes something that is no file, and returns its path and what the message must say.
  private func obstacle(_ kind: String) throws -> (path: String, message: String) {
    let path = directory.path("obstacle")
    switch kind {
    case "missing": return (path, "No such file or directory")
    case "dangling link":
      try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "nowhere")
      return (path, "No such file or directory")
    case "directory":
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      return (path, "is a directory")
    case "fifo":
      try #require(unsafe mkfifo(path, 0o600) == 0)
      return (path, "is a pipe")
    default: return ("/dev/null", "is a character device")
    }
  }

  private static let obstacles = ["missing", "dangling link", "directory", "fifo", "device"]

  @Test(arguments: Subcommand.ofFiles, obstacles)
  func `what cannot be opened is status 5 and a line that names it`(
    command: Subcommand, kind: String
  ) throws {
    let origin = try directory.write([UInt8](repeating: 0, count: 65_536), to: "origin")
    let (path, message) = try obstacle(kind)
    let outcome = try dmsnap.run(
      command.arguments(store: path, origin: origin, output: directory.path("output")),
      timeout: .seconds(20))
    #expect(outcome.status == 5 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint(naming: path) == nil)
    #expect(outcome.errors.contains(message), "\(outcome)")
    #expect(try directory.names().allSatisfy { $0 == "obstacle" || $0 == "origin" })
  }

  @Test(arguments: [Subcommand.inspect, .audit, .export, .diff, .merge], obstacles)
  func `an origin that cannot be opened is status 5 and a line that names it`(
    command: Subcommand, kind: String
  ) throws {
    let store = try directory.write(StoreBuilder().copying([1, 2, 3]).image(), to: "store")
    let (path, message) = try obstacle(kind)
    var arguments = command.arguments(
      store: store, origin: path, output: directory.path("output"))
    if !Subcommand.ofOrigins.contains(command) { arguments += ["--origin", path] }
    let outcome = try dmsnap.run(arguments, timeout: .seconds(20))
    #expect(outcome.status == 5 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint(naming: path) == nil)
    #expect(outcome.errors.contains(message), "\(outcome)")
    #expect(try directory.names().allSatisfy { $0 == "obstacle" || $0 == "store" })
  }

  /// To root every file is readable: then the command must be run as somebody else.
  private static let asNobody: ToolRunner? = geteuid() == 0 ? ToolRunner(named: "setpriv") : nil
  private static let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"]

  /// Runs dmsnap as a user who is not root.
  private static func runUnprivileged(_ arguments: [String]) throws -> ToolOutcome {
    if let asNobody { return try asNobody.run(nobody + [ToolRunner.dmsnap.path] + arguments) }
    return try ToolRunner.dmsnap.run(arguments)
  }

  private static let canBeUnprivileged =
    (geteuid() != 0 || asNobody != nil) && (try? runUnprivileged(["--version"]))?.status == 0

  @Test(
    .enabled(
      if: canBeUnprivileged,
      "root reads everything, and here no other user can run dmsnap by setpriv"),
    arguments: Subcommand.ofFiles)
  func `a file that may not be read is status 5`(command: Subcommand) throws {
    let store = try directory.write(StoreBuilder().copying([1, 2, 3]).image(), to: "store")
    let origin = try directory.write(Stamp.origin(byteCount: 65_536), to: "origin")
    unsafe chmod(store, 0)
    let outcome = try Self.runUnprivileged(
      command.arguments(store: store, origin: origin, output: "/dev/null/output"))
    #expect(outcome.status == 5 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint(naming: store) == nil)
    #expect(outcome.errors.contains("Permission denied"), "\(outcome)")
  }

  @Test(
    .enabled(
      if: canBeUnprivileged && geteuid() == 0,
      "a file of another owner is needed, which takes root to make"))
  func `a file of somebody else can be read`() throws {
    let store = try directory.write(StoreBuilder().copying([1, 2, 3]).image(), to: "store")
    #expect(try Self.runUnprivileged(["inspect", store]).status == 0)
  }

  @Test(
    .enabled(
      if: canBeUnprivileged && geteuid() == 0,
      "limits on processes do not hold root, and only root can become somebody else"),
    arguments: [["table", "--format", "csv"], ["diff"], ["export"], ["audit"]])
  func `where no thread can be had, one does all the work`(command: [String]) throws {
    // More areas than are read without another thread.
    let builder = StoreBuilder(chunkSectors: 1).copying((0..<4000).map { $0 * 7 % 4001 })
    let store = try directory.write(builder.image(), to: "store")
    let origin = try directory.write(Stamp.origin(byteCount: 4100 * 512), to: "origin")
    var arguments = [command[0], store] + command.dropFirst()
    if ["diff", "export"].contains(command[0]) { arguments += ["--origin", origin] }
    if command[0] == "export" { arguments += ["--to", "-"] }
    let usual = try dmsnap.run(arguments)
    let nobodyElse = ["--reuid=65533", "--regid=65533", "--clear-groups", "bash", "-c"]
    let alone = try #require(Self.asNobody).run(
      nobodyElse + ["ulimit -u 1; exec \"$0\" \"$@\"", dmsnap.path] + arguments,
      timeout: .seconds(60))
    #expect(alone.status == usual.status && alone.errors == usual.errors, "\(alone.errors)")
    #expect(alone.outputBytes == usual.outputBytes)
  }

  // MARK: - What is no store

  /// Bytes that nobody could take for a store.
  private static let strangers: [(name: String, bytes: [UInt8])] = {
    var random = SplitMix64(seed: 20_261_122)
    let text = (0..<5000).map { "line \($0): not a store at all\n" }.joined()
    return [
      ("empty", []), ("one byte", [0x53]), ("the magic alone", [0x53, 0x6e, 0x41, 0x70]),
      ("15 bytes", Array(StoreBuilder().image()[..<15])), ("random", random.bytes(100_000)),
      ("random sector", random.bytes(512)), ("text", Array(text.utf8)),
      ("short text", Array("hello\n".utf8)), ("zeroes", [UInt8](repeating: 0, count: 65_536)),
      ("ones", [UInt8](repeating: 0xff, count: 65_536)),
    ]
  }()

  @Test(arguments: Subcommand.ofStores, strangers.map(\.name))
  func `what is no store is status 3 and one line`(command: Subcommand, kind: String) throws {
    let bytes = try #require(Self.strangers.first { $0.name == kind }).bytes
    let path = try directory.write(bytes, to: "stranger")
    let origin = try directory.write(Stamp.origin(byteCount: 65_536), to: "origin")
    let before = try [FileState(path), FileState(origin)]
    let outcome = try dmsnap.run(
      command.arguments(store: path, origin: origin, output: directory.path("output")))
    #expect(outcome.status == 3, "\(outcome)")
    #expect(outcome.complaint(naming: path) == nil)
    #expect(try directory.names() == ["origin", "stranger"])
    #expect(try [FileState(path), FileState(origin)] == before)
    if command == .inspect || command == .audit {
      let json = try dmsnap.run([command.rawValue, path, "--format", "json"])
      #expect(json.status == 3)
      #expect(try json.object()["verdict"] as? String == "not-a-store")
    } else {
      #expect(outcome.output.isEmpty)
    }
  }

  // MARK: - Inputs

  @Test(arguments: Subcommand.ofFiles)
  func `inputs keep their bytes and their times`(command: Subcommand) throws {
    let pair = try Pair("written-and-copied", in: directory)
    for path in [pair.store, pair.origin] { Files.age(path) }
    let before = try [FileState(pair.store), FileState(pair.origin)]
    var runs = [command.arguments(store: pair.store, origin: pair.origin, output: "")]
    switch command {
    case .identify: runs.append(["identify", pair.origin, pair.store])
    case .inspect, .audit: runs[0] += ["--origin", pair.origin]
    case .merge:
      runs.append(["merge", pair.store, "--origin", pair.origin, "--dry-run"])
    default: break
    }
    for (index, arguments) in runs.enumerated() {
      let output = directory.path("output-\(index)")
      let outcome = try dmsnap.run(arguments.map { $0.isEmpty ? output : $0 })
      #expect(outcome.status == 0 || outcome.status == 1, "\(outcome)")
    }
    #expect(try [FileState(pair.store), FileState(pair.origin)] == before)
  }
}
