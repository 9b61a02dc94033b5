import Foundation
import Glibc
import TestSupport
import Testing

/// Where `dmsnap serve` puts its socket and the layer, and what it leaves there.
@Suite struct ServePlaceTests {
  private let directory: TemporaryDirectory
  private let pair: Case

  init() throws {
    directory = try TemporaryDirectory()
    pair = try Case("ext4-snapshot-changed", in: directory)
  }

  private func serve(_ options: String...) throws -> ToolOutcome {
    try ToolRunner.dmsnap.run(["serve"] + pair.arguments + options)
  }

  private func names(in path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path)
  }

  // MARK: - Sockets

  /// Serves with that environment, without --socket, until `body` has returned.
  private func serving(
    _ runtime: String, through signals: [Int32] = [SIGINT],
    _ body: (_ socket: String) throws -> Void
  ) throws {
    var runner = ToolRunner.dmsnap
    runner.environment["XDG_RUNTIME_DIR"] = runtime
    let output = try directory.write([], to: "output")
    let tool = try runner.start(["serve", "--quiet"] + pair.arguments, output: .path(output))
    while try Files.bytes(output).last != 10, tool.isRunning { usleep(2000) }
    let text = String(decoding: try Files.bytes(output), as: UTF8.self)
    let words = text.split { $0 == "=" || $0.isWhitespace }
    let socket = try #require(words.first { $0.hasSuffix("/socket") })
    try body(String(socket))
    for signal in signals { tool.signal(signal) }
    #expect(tool.wait().status == 0)
    #expect(!Files.exist((String(socket) as NSString).deletingLastPathComponent))
  }

  private func makeDirectory(_ name: String, mode: Int) throws -> String {
    let path = directory.path(name)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    return path
  }

  @Test func `the socket is in the runtime directory, if that is this user's alone`() throws {
    let own = try makeDirectory("own", mode: 0o700)
    try serving(own) { socket in
      #expect(socket.hasPrefix("\(own)/dmsnap-"))
      let place = (socket as NSString).deletingLastPathComponent
      let attributes = try FileManager.default.attributesOfItem(atPath: place)
      #expect(attributes[.posixPermissions] as? Int == 0o700)
    }
    let open = try makeDirectory("open", mode: 0o777)
    let long = try makeDirectory(String(repeating: "x", count: 90), mode: 0o700)
    let link = directory.path("link")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: own)
    for runtime in ["", "relative", directory.path("nowhere"), pair.store, open, long, link] {
      try serving(runtime) { #expect($0.hasPrefix("/tmp/dmsnap-"), "\(runtime)") }
    }
    if geteuid() == 0 {
      let foreign = try makeDirectory("foreign", mode: 0o700)
      try #require(Tools.run("chown", ["65534:65534", foreign]).status == 0)
      try serving(foreign) { #expect($0.hasPrefix("/tmp/dmsnap-")) }
    }
  }

  @Test func `a second signal does not keep it from cleaning up`() throws {
    try serving("", through: [SIGTERM, SIGTERM, SIGHUP]) { _ in }
  }

  @Test func `it stops while it is still loading`() throws {
    // It reads a table for minutes, and does not listen.
    _ = try directory.writeScript("#!/bin/sh\ntrap '' TERM\nexec sleep 60\n", to: "nbdkit")
    var runner = ToolRunner.dmsnap
    runner.environment["PATH"] = "\(directory.path):/usr/bin:/bin"
    runner.environment["XDG_RUNTIME_DIR"] = try makeDirectory("own", mode: 0o700)
    let start = ContinuousClock.now
    let tool = try runner.start(["serve"] + pair.arguments)
    while try names(in: directory.path("own")).isEmpty, tool.isRunning { usleep(2000) }
    tool.signal(SIGTERM)
    let outcome = tool.wait()
    #expect(outcome.status == 5 && outcome.errors.contains("stopped before"), "\(outcome)")
    #expect(ContinuousClock.now - start < .seconds(30))
    #expect(try names(in: directory.path("own")).isEmpty)
  }

  @Test func `a path that is too long for a socket is named`() throws {
    let path = directory.path(String(repeating: "s", count: 100))
    let outcome = try serve("--socket", path)
    #expect(outcome.status == 5 && outcome.errors.contains("at most 107 bytes"), "\(outcome)")
  }

  @Test func `two servers do not share a socket`() throws {
    let server = try Server(pair.arguments, in: directory)
    let second = try serve("--socket", server.socket)
    #expect(second.status == 4 && second.errors.contains("exists"), "\(second)")
    #expect(try Tools.run("nbdinfo", ["--size", server.uri]).status == 0)
    #expect(server.end().status == 0)
  }

  @Test func `what takes the socket's place is left alone`() throws {
    let server = try Server(pair.arguments, in: directory)
    try FileManager.default.removeItem(atPath: server.socket)
    _ = try directory.write([1], to: (server.socket as NSString).lastPathComponent)
    #expect(server.end().status == 0)
    #expect(try Files.bytes(server.socket) == [1])
  }

  // MARK: - Layers

  @Test func `what exists is no place for a layer`() throws {
    let before = [try FileState(pair.store), try FileState(pair.origin)]
    let link = directory.path("link")
    try FileManager.default.createSymbolicLink(
      atPath: link, withDestinationPath: directory.path("nowhere"))
    for path in [pair.store, pair.origin, link, directory.path, "/dev/null"] {
      let outcome = try serve("--writable", path)
      #expect(outcome.status == 4 && outcome.errors.contains("exists"), "\(path): \(outcome)")
    }
    #expect(!Files.exist(directory.path("nowhere")))
    let both = try serve("--writable", directory.path("one"), "--socket", directory.path("one"))
    #expect(both.status == 4 && both.errors.contains("name the same file"), "\(both)")
    #expect(try serve("--writable", "-").status == 64)
    #expect([try FileState(pair.store), try FileState(pair.origin)] == before)
  }

  @Test func `two servers do not share a layer`() throws {
    let layer = directory.path("layer")
    let server = try Server(pair.arguments + ["--writable", layer, "--limit", "1M"], in: directory)
    let second = try serve("--writable", layer)
    #expect(second.status == 4, "\(second)")
    #expect(server.end().status == 0)
    #expect(try Files.bytes(layer).count == 1 << 20)
  }

  @Test func `a layer that nobody could write to is not left`() throws {
    let layer = directory.path("layer")
    let outcome = try serve("--writable", layer, "--socket", directory.path("nowhere/socket"))
    #expect(outcome.status == 5, "\(outcome)")
    #expect(!Files.exist(layer))
    #expect(try serve("--writable", layer, "--limit", "4K").status == 4)
    #expect(!Files.exist(layer))
  }

  @Test func `nothing is left of a start that nobody waits for`() throws {
    // The report goes to a pipe that nobody reads.
    let layer = directory.path("layer")
    let plugin =
      (ToolRunner.dmsnap.path as NSString).deletingLastPathComponent
      + "/libnbdkit-dmsnap-plugin.so"
    let nbdkit = try #require(ToolRunner(named: "nbdkit")).path
    let outcome = try Tools.run(
      "python3",
      [
        "-c",
        "import os, subprocess, sys; r, w = os.pipe(); os.close(r);"
          + " sys.exit(subprocess.run(sys.argv[1:] + [f'report={w}'], pass_fds=[w]).returncode)",
        nbdkit, "--foreground", "-U", directory.path("socket"), plugin, "store=\(pair.store)",
        "origin=\(pair.origin)", "layer=\(layer)", "limit=1048576",
      ])
    #expect(outcome.status == 1, "\(outcome)")
    #expect(try names(in: directory.path).count { $0.hasPrefix("layer") } == 0)
  }

  // MARK: - Inputs

  /// What happens to an input while it is served.
  enum Change: CaseIterable {
    case write, cut
  }

  @Test(arguments: [true, false], Change.allCases)
  func `nothing is served of an input that changes, and the status says so`(
    isStore: Bool, change: Change
  ) throws {
    let path = isStore ? pair.store : pair.origin
    for isRead in [true, false] {
      let before = try Files.bytes(path)
      let server = try Server(pair.arguments, in: directory)
      #expect(try Tools.run("nbdcopy", [server.uri, directory.path("copy")]).status == 0)
      let file = try FileHandle(forUpdating: URL(filePath: path))
      switch change {
      case .write: try file.write(contentsOf: before.prefix(1))
      case .cut: try file.truncate(atOffset: UInt64(before.count - 4096))
      }
      try file.close()
      for _ in 0..<(isRead ? 2 : 0) {
        #expect(try Tools.run("nbdcopy", [server.uri, directory.path("copy")]).status != 0)
      }
      let outcome = server.end()
      #expect(outcome.status == 5, "\(outcome)")
      let lines = outcome.errors.split(separator: "\n").filter { $0.contains("changed") }
      #expect(lines.count == 1 && lines[0].contains("\(path): changed"), "\(outcome)")
      try Data(before).write(to: URL(filePath: path))
    }
  }
}
