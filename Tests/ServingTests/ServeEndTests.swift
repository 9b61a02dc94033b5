import Foundation
import Glibc
import TestSupport
import Testing

/// What `dmsnap serve` ends with, and what it leaves of what clients wrote.
@Suite struct ServeEndTests {
  private let directory: TemporaryDirectory
  private let pair: Case

  init() throws {
    directory = try TemporaryDirectory()
    pair = try Case("ext4-snapshot-changed", in: directory)
  }

  /// A client that has written 4 KiB at 4096, does not flush, and stays connected.
  private func writer(to server: Server) throws -> RunningTool {
    let script = """
      import socket, struct, sys, time
      s = socket.socket(socket.AF_UNIX)
      s.connect(sys.argv[1])
      answers = s.makefile("rb")
      answers.read(18)
      s.sendall(struct.pack(">I8sII", 3, b"IHAVEOPT", 1, 0))
      answers.read(10)
      s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, 1, 1, 4096, 4096) + b"w" * 4096)
      assert answers.read(16)[4:8] == bytes(4)
      open(sys.argv[2], "w").close()
      time.sleep(60)
      """
    let client = try Tools.start("python3", ["-c", script, server.socket, directory.path("done")])
    while !Files.exist(directory.path("done")), client.isRunning { usleep(2000) }
    try #require(client.isRunning)
    return client
  }

  private func processes(named name: String, writing layer: String) throws -> [Int32] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.filter {
      let words = (try? Files.bytes("/proc/\($0)/cmdline"))?.split(separator: 0) ?? []
      return words.first.map { String(decoding: $0, as: UTF8.self) } == name
        && words.contains { String(decoding: $0, as: UTF8.self) == "layer=\(layer)" }
    }
  }

  @Test func `what was written is kept if the client stays connected`() throws {
    let layer = directory.path("layer")
    let server = try Server(pair.arguments + ["--writable", layer, "--limit", "1M"], in: directory)
    let client = try writer(to: server)
    let outcome = server.end(SIGTERM)
    #expect(outcome.status == 0, "\(outcome)")
    client.signal(SIGKILL)
    _ = client.wait()
    let (view, shown) = (directory.path("view"), directory.path("shown"))
    _ = try ToolRunner.dmsnap.succeed(["export"] + pair.arguments + ["--to", view])
    _ = try ToolRunner.dmsnap.run(["export", layer, "--origin", view, "--to", shown])
    var expected = try Files.bytes(view)
    expected.put(Array(repeating: UInt8(ascii: "w"), count: 4096), at: 4096)
    #expect(try Files.bytes(shown).firstDifference(from: expected) == nil)
  }

  @Test func `where nobody can be told of it, it ends, and keeps what was written`() throws {
    let layer = directory.path("layer")
    let shell = try #require(ToolRunner(named: "sh"))
    let outcome = try shell.run(
      ["-c", "exec \"$@\" >/dev/full", "sh", ToolRunner.dmsnap.path, "serve"] + pair.arguments
        + ["--writable", layer, "--limit", "1M"])
    #expect(outcome.status == 5 && outcome.errors.contains("standard output"), "\(outcome)")
    #expect(try processes(named: "nbdkit", writing: layer).isEmpty)
    #expect(try ToolRunner.dmsnap.run(["table", layer]).status == 0)
  }

  @Test func `a start that is cut off leaves no layer`() throws {
    let layer = directory.path("layer")
    // Killed when the layer is there, and before it could report.
    _ = try directory.writeScript(
      "#!/bin/sh\n>'\(layer)'\n>'\(layer).seen'\nkill -9 $$\n", to: "nbdkit")
    var runner = ToolRunner.dmsnap
    runner.environment["PATH"] = directory.path
    let outcome = try runner.run(["serve"] + pair.arguments + ["--writable", layer])
    #expect(outcome.status == 5 && Files.exist("\(layer).seen"), "\(outcome)")
    #expect(!Files.exist(layer))
  }

  @Test func `if the server dies while it is stopped, writes may be missing`() throws {
    let layer = directory.path("layer")
    let server = try Server(pair.arguments + ["--writable", layer, "--limit", "1M"], in: directory)
    let client = try writer(to: server)
    let nbdkit = try #require(try processes(named: "nbdkit", writing: layer).first)
    kill(nbdkit, SIGSTOP)
    server.signal(SIGTERM)
    usleep(500_000)
    kill(nbdkit, SIGKILL)
    let outcome = server.wait()
    #expect(outcome.status == 5, "\(outcome)")
    #expect(
      outcome.errors.contains("\(layer): ") && outcome.errors.contains("may be missing"),
      "\(outcome)")
    client.signal(SIGKILL)
    _ = client.wait()
  }

  @Test(.enabled(if: Files.exist("/dev/fuse")))
  func `a loss that only reading finds is said once, and is status 2`() throws {
    // A medium that fails: what is lost of a mounted snapshot.
    let (arguments, lost) = try directory.holed()
    let place = directory.path("mounted")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    _ = try ToolRunner.dmsnap.run(["mount", arguments[0], place] + arguments.dropFirst())
    defer { _ = try? ToolRunner.dmsnap.run(["mount", "--end", place]) }
    let store = try directory.write(
      StoreBuilder(chunkSectors: 8, chunkCount: 20).image(), to: "empty")
    for policy in ["error", "zero"] {
      let server = try Server(
        [store, "--origin", "\(place)/snapshot.img", "--lost", policy], in: directory)
      for _ in 0..<2 {
        let copied = try Tools.run("nbdcopy", [server.uri, directory.path("copy")])
        #expect((copied.status == 0) == (policy == "zero"), "\(copied)")
      }
      let outcome = server.end()
      #expect(outcome.status == 2, "\(outcome)")
      let lines = outcome.errors.split(separator: "\n").filter { $0.contains("snapshot.img: ") }
      #expect(lines.count == 1, "\(lost): \(outcome)")
    }
  }
}
