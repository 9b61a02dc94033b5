import Foundation
import Glibc
import TestSupport
import Testing

/// What every command promises, of those that look at volume groups.
@Suite struct LvmContractTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  /// The commands of their own, with the options that their help promises.
  private static let commands: [(words: [String], options: [String])] = [
    (["lvm", "list"], ["--pv", "--vgcfg", "--seqno", "--history", "--format"]),
    (
      ["lvm", "extract"],
      ["--pv", "--vgcfg", "--seqno", "--leg", "--to", "--format", "--quiet", "--progress"]
    ),
  ]

  /// Everything that takes --pv, run on `vg/snap`; OUTPUT is a file that it may make.
  private static let runs: [[String]] = [
    ["lvm", "list"], ["lvm", "extract", "vg/snap", "--to", "OUTPUT"], ["inspect", "vg/snap"],
    ["table", "vg/snap"], ["audit", "vg/snap"], ["diff", "vg/snap"],
    ["export", "vg/snap", "--to", "OUTPUT"], ["salvage", "vg/snap", "--to", "OUTPUT"],
    ["merge", "vg/snap", "--to", "OUTPUT"], ["merge", "vg/snap", "--undo", "OUTPUT"],
    ["merge", "vg/snap", "--no-undo"],
  ]

  /// Those that print something and leave all else alone.
  private static let printingRuns: [[String]] = [
    ["lvm", "list"], ["lvm", "list", "--history"], ["lvm", "list", "--format", "json"],
    ["inspect", "vg/snap"], ["table", "vg/snap"], ["audit", "vg/snap"], ["diff", "vg/snap"],
    ["export", "vg/snap", "--to", "-"], ["merge", "vg/snap", "--dry-run"],
    ["lvm", "extract", "vg/snap", "--to", "OUTPUT"],
    ["lvm", "extract", "vg/origin", "--to", "OUTPUT", "--format", "json"],
  ]

  /// The arguments of a run, its output a new file.
  private func arguments(_ run: [String], _ options: [String]) -> [String] {
    run.map { $0 == "OUTPUT" ? directory.path("output-\(UInt64.random(in: 0...(.max)))") : $0 }
      + options
  }

  // MARK: - Help and usage

  @Test(arguments: commands.indices)
  func `help names every option`(index: Int) throws {
    let (words, options) = Self.commands[index]
    let help = try dmsnap.run(words + ["--help"])
    #expect(help.status == 0 && help.errors.isEmpty, "\(help)")
    let found = Set(help.output.split { $0.isWhitespace || $0 == "," || $0 == "[" || $0 == "]" })
    for option in options { #expect(found.contains(Substring(option)), "\(option)") }
    #expect(help.output.contains("OVERVIEW: "))
    #expect(try dmsnap.run(["help"] + words).output == help.output)
    let usage = try dmsnap.run(words)
    #expect(usage.status == 64 && usage.output.isEmpty, "\(usage)")
  }

  @Test func `the command's help names lvm, whose help names its subcommands`() throws {
    #expect(try dmsnap.run(["--help"]).outputLines.contains { $0.hasPrefix("  lvm ") })
    let help = try dmsnap.run(["lvm", "--help"])
    #expect(help.outputLines.contains { $0.hasPrefix("  list ") }, "\(help)")
    #expect(help.outputLines.contains { $0.hasPrefix("  extract ") }, "\(help)")
  }

  @Test(arguments: runs)
  func `an unknown option is wrong usage`(run: [String]) throws {
    let outcome = try dmsnap.run(arguments(run, ["--pv", "p", "--frobnicate"]))
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errorLines.first == "Error: Unknown option '--frobnicate'")
    #expect(try directory.names().isEmpty)
  }

  @Test(
    arguments: [
      ["lvm", "list", "--seqno", "1"], ["lvm", "list", "--pv", ""], ["lvm", "frobnicate"],
      ["lvm", "list", "--pv", "p", "--leg", "0"], ["lvm", "list", "--pv", "p", "--seqno", "x"],
      ["lvm", "list", "--pv", "p", "--format", "xml"], ["lvm", "list", "p"],
      ["inspect", "vg/snap", "--seqno", "3"], ["inspect", "vg/snap", "--vgcfg", "f"],
      ["inspect", "vg/snap", "--leg", "0"], ["export", "vg/snap", "--pv", "p"],
      ["merge", "vg/snap", "--pv", "p"], ["merge", "vg/snap", "--no-undo"],
      ["merge", "vg/snap", "--pv", "p", "--no-undo", "--accept", "everything"],
      ["inspect", "vg/snap", "--pv", "p,map="],
    ])
  func `wrong usage is 64 and says nothing on standard output`(arguments: [String]) throws {
    let outcome = try dmsnap.run(arguments)
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.hasPrefix("Error: "), "\(outcome)")
  }

  // MARK: - What is no physical volume

  @Test(arguments: runs)
  func `what cannot be opened is status 5 and a line that names it`(run: [String]) throws {
    let fifo = directory.path("fifo")
    try #require(unsafe mkfifo(fifo, 0o600) == 0)
    let sound = try Volumes("linear", in: directory)
    for (path, message) in [
      (directory.path("missing"), "No such file or directory"), (directory.path, "is a directory"),
      (fifo, "is a pipe"), ("/dev/null", "is a character device"),
      ("\(sound.paths[0]),map=\(directory.path("missing"))", "No such file or directory"),
    ] {
      let outcome = try dmsnap.run(
        arguments(run, sound.options + ["--pv", path]), timeout: .seconds(20))
      #expect(outcome.status == 5 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.complaint(naming: message) == nil)
    }
    #expect(try directory.names() == ["fifo", "pv0.img"])
    #expect(try sound.areUntouched())
  }

  @Test(arguments: runs)
  func `without any physical volume the status is 3`(run: [String]) throws {
    var random = SplitMix64(seed: 20_261_123)
    var label = [UInt8](repeating: 0, count: 65_536)
    label.put(Array("LABELONE".utf8), at: 512)
    for (index, bytes) in [
      [], [1], Array("LABELONE".utf8), random.bytes(100_000), random.bytes(512), label,
      [UInt8](repeating: 0xff, count: 1 << 20),
    ].enumerated() {
      let path = try directory.write(bytes, to: "stranger")
      let before = try FileState(path)
      let outcome = try dmsnap.run(arguments(run, ["--pv", path]))
      #expect(outcome.status == 3 && outcome.output.isEmpty, "\(index): \(outcome)")
      #expect(outcome.complaint(naming: path) == nil)
      #expect(try directory.names() == ["stranger"] && FileState(path) == before)
    }
  }

  @Test(arguments: runs)
  func `what is left of a physical volume's image is read as far as it goes`(run: [String]) throws {
    let whole = try Files.bytes(Volumes("linear", in: directory).paths[0])
    for byteCount in [600, 1024, 4096, 4608, 5000, 1 << 20, 1 << 20 + 4096, 2 << 20, 2_100_000] {
      try directory.write(Array(whole.prefix(byteCount)), to: "pv0.img")
      let path = directory.path("pv0.img")
      let before = try FileState(path)
      let outcome = try dmsnap.run(arguments(run, ["--pv", path]))
      // Whatever it says: it is not all well, and no crash.
      #expect(try #require(outcome.status) > 0 && outcome.status ?? 9 <= 5, "\(outcome)")
      if run.first != "merge" { #expect(try FileState(path) == before) }
    }
  }

  // MARK: - Standard streams

  @Test(arguments: printingRuns)
  func `standard output that is full, shut or gone is no success`(run: [String]) throws {
    let volumes = try Volumes("linear", in: directory)
    let full = try dmsnap.run(arguments(run, volumes.options), output: .path("/dev/full"))
    #expect(full.status == 5, "\(full)")
    #expect(full.complaint(naming: "standard output") == nil)
    #expect(full.errors.contains("No space left on device"), "\(full)")
    let closed = try dmsnap.run(arguments(run, volumes.options), output: .closed)
    #expect(closed.status == 5 && closed.complaint() == nil, "\(closed)")
    let dead = try dmsnap.run(arguments(run, volumes.options), output: .deadPipe)
    #expect(dead.status == 5 && dead.errors.isEmpty, "\(dead)")
    #expect(try volumes.areUntouched())
  }

  @Test func `quiet says nothing when all is well, and errors all the same`() throws {
    let volumes = try Volumes("removed", in: directory)
    for (volume, more) in [("vg/origin", []), ("vg/snap", ["--seqno", "4"])] {
      let outcome = try dmsnap.run(
        arguments(["lvm", "extract", volume, "--quiet", "--to", "OUTPUT"], more + volumes.options))
      #expect(outcome.status == 0, "\(outcome)")
      #expect(outcome.output.isEmpty && outcome.errors.isEmpty, "\(outcome)")
    }
    let failing = try volumes.run("lvm", "extract", "vg/snap", "-q", "--to", directory.path("x"))
    #expect(failing.status == 3 && failing.complaint(naming: "vg/snap") == nil, "\(failing)")
  }

  @Test func `a target never takes the place of a closed standard stream`() throws {
    let volumes = try Volumes("linear", in: directory)
    let image = directory.path("image")
    for arguments in [
      ["lvm", "extract", "vg/snap", "--to", image],
      ["merge", "vg/snap", "--undo", directory.path("undo")],
    ] {
      _ = try dmsnap.run(
        arguments + volumes.options, output: .closed, errors: .closed, closingInput: true)
    }
    #expect(try Files.sha256(image) == volumes.snapshot.sha256)
    #expect(try volumes.extract("vg/origin")?.sha256 == volumes.snapshot.sha256)
  }
}
