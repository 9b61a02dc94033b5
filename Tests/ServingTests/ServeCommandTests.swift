import Foundation
import Glibc
import TestSupport
import Testing

/// `dmsnap serve`: any client of NBD reads the snapshot, and harms nobody.
@Suite struct ServeCommandTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func copy(_ uri: String, to name: String = "copy") throws -> ToolOutcome {
    try Tools.run("nbdcopy", ["--connections=4", uri, directory.path(name)])
  }

  @Test(
    arguments: [
      "written", "random-order", "chunk-1", "chunk-1024", "odd-origin", "ext4-snapshot-changed",
    ])
  func `a client reads what Linux shows`(name: String) throws {
    let pair = try Case(name, in: directory)
    let before = [try FileState(pair.store), try FileState(pair.origin)]
    let server = try Server(pair.arguments, in: directory)
    let outcome = try copy(server.uri)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(try Files.sha256(directory.path("copy")) == pair.digest)
    #expect(server.end().status == 0)
    #expect([try FileState(pair.store), try FileState(pair.origin)] == before)
  }

  @Test func `the socket is for its user only, and nothing is left of it`() throws {
    let pair = try Case("written", in: directory)
    let server = try Server(pair.arguments, in: directory)
    let attributes = try FileManager.default.attributesOfItem(atPath: server.socket)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    let output = try server.output
    #expect(output.hasPrefix("uri      nbd+unix:///?socket=\(server.socket)"))
    #expect(server.end(SIGTERM).status == 0)
    #expect(!Files.exist(server.socket))
  }

  @Test func `a port is one of this machine only`() throws {
    let pair = try Case("written", in: directory)
    let port = 20_000 + Int.random(in: 0..<20_000)
    let output = try directory.write([], to: "output")
    let tool = try ToolRunner.dmsnap.start(
      ["serve"] + pair.arguments + ["--port", "\(port)"], output: .path(output))
    while try Files.bytes(output).isEmpty, tool.isRunning { usleep(2000) }
    #expect(try copy("nbd://127.0.0.1:\(port)").status == 0)
    #expect(try Files.sha256(directory.path("copy")) == pair.digest)
    let listening = try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)
      .split(separator: "\n").filter {
        $0.contains(":" + String(port, radix: 16, uppercase: true).leftPadded(to: 4) + " 00000000")
      }
    #expect(listening.count == 1 && listening[0].contains(" 0100007F:"), "\(listening)")
    tool.signal(SIGINT)
    #expect(tool.wait().status == 0)
  }

  @Test func `what is lost cannot be read, unless the user wants something in its place`() throws {
    let (arguments, lost) = try directory.holed()
    let exported = directory.path("export")
    _ = try ToolRunner.dmsnap.run(["export"] + arguments + ["--to", exported])
    var expected = try Files.bytes(exported)
    var server = try Server(arguments, in: directory)
    #expect(try copy(server.uri).status != 0)
    #expect(server.end().status == 2)
    server = try Server(arguments + ["--lost", "zero"], in: directory)
    #expect(try copy(server.uri, to: "zero").status == 0)
    #expect(server.end().status == 2)
    #expect(try Files.bytes(directory.path("zero")).firstDifference(from: expected) == nil)
    server = try Server(arguments + ["--lost", "origin"], in: directory)
    #expect(try copy(server.uri, to: "from-origin").status == 0)
    _ = server.end()
    let origin = try Files.bytes(directory.path("origin"))
    expected.put(Array(origin[lost]), at: lost.lowerBound)
    #expect(try Files.bytes(directory.path("from-origin")).firstDifference(from: expected) == nil)
  }

  @Test func `partitions are exports`() throws {
    let pair = try Case("ext4-snapshot-changed", in: directory)
    let view = directory.path("view")
    _ = try ToolRunner.dmsnap.succeed(["export"] + pair.arguments + ["--to", view])
    let volume = try Files.bytes(view)
    // A disk whose second partition is that file system.
    var disk = [UInt8](repeating: 0, count: (2048 + 100) * 512) + volume
    disk.put([0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 100, 0, 0, 0], at: 446)
    let sectorCount = UInt32(volume.count / 512)
    disk.put(
      [0, 0, 0, 0, 0x83, 0, 0, 0] + UInt32(2148).littleEndianBytes + sectorCount.littleEndianBytes,
      at: 462)
    disk.put([0x55, 0xaa], at: 510)
    let origin = try directory.write(disk, to: "disk")
    let store = try directory.write(
      StoreBuilder(chunkSectors: 8, chunkCount: 20).image(), to: "empty")
    let server = try Server([store, "--origin", origin], in: directory)
    let list = try Tools.run("nbdinfo", ["--list", server.uri])
    #expect(list.output.contains("export=\"partition1\"") && list.output.contains("export=\"\""))
    #expect(try copy(server.uri("partition2")).status == 0)
    #expect(try Files.bytes(directory.path("copy")).firstDifference(from: volume) == nil)
    #expect(try Tools.run("nbdinfo", [server.uri("partition3%1B%5B31m")]).status != 0)
    // What a client sends is not for the terminal of the server.
    let ended = server.end()
    #expect(ended.status == 0 && !ended.errors.contains("partition3"), "\(ended)")
    let part = try Server([store, "--origin", origin, "--partition", "2"], in: directory)
    #expect(try copy(part.uri, to: "second").status == 0)
    #expect(try Files.bytes(directory.path("second")).firstDifference(from: volume) == nil)
    _ = part.end()
    let missing = try ToolRunner.dmsnap.run(
      ["serve", store, "--origin", origin, "--partition", "9"])
    #expect(missing.status == 3 && missing.errors.contains("it has 1, 2"), "\(missing)")
  }

  @Test func `clients that are killed in mid-read harm nobody`() throws {
    let origin = try directory.write(sparse: 1 << 30, [(at: 0, bytes: [1])], to: "origin")
    let store = try directory.write(
      StoreBuilder(chunkSectors: 8).copying(stride(from: 0, to: 200_000, by: 997)).image(),
      to: "store")
    let server = try Server([store, "--origin", origin], in: directory)
    for _ in 0..<6 {
      let client = try Tools.start(
        "nbdcopy", ["--connections=4", "--allocated", server.uri, "null:"])
      usleep(20_000 + UInt32.random(in: 0..<60_000))
      client.signal(SIGKILL)
      _ = client.wait()
    }
    #expect(server.isRunning)
    #expect(try Tools.run("nbdinfo", ["--size", server.uri]).output == "1073741824\n")
    #expect(server.end().status == 0)
  }

  @Test func `a client that stays connected does not keep it from ending`() throws {
    let pair = try Case("written", in: directory)
    let server = try Server(pair.arguments, in: directory)
    let client = try Tools.start(
      "python3",
      [
        "-c",
        "import socket,sys,time; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
          + " s.recv(18); s.sendall(bytes([0, 0, 0, 3]) + b'IHAVEOPT' + bytes([0, 0, 0, 1] + [0] * 4));"
          + " s.recv(10); open(sys.argv[2], 'w').close(); time.sleep(60)",
        server.socket, directory.path("connected"),
      ])
    while !Files.exist(directory.path("connected")), client.isRunning { usleep(2000) }
    #expect(server.end().status == 0)
    #expect(!Files.exist(server.socket))
    client.signal(SIGKILL)
  }

  // MARK: - The trial layer

  @Test func `what is written is a store over the snapshot, and nowhere else`() throws {
    let pair = try Case("ext4-snapshot-changed", in: directory)
    let view = directory.path("view")
    _ = try ToolRunner.dmsnap.succeed(["export"] + pair.arguments + ["--to", view])
    let before = [try FileState(pair.store), try FileState(pair.origin)]
    let layer = directory.path("layer")
    let server = try Server(pair.arguments + ["--writable", layer, "--limit", "8M"], in: directory)
    let wanted = try directory.write(
      Stamp.origin(byteCount: try Files.bytes(view).count, by: "client"), to: "wanted")
    let written = try Tools.run("nbdcopy", ["--flush", wanted, server.uri])
    #expect(written.status == 0, "\(written)")
    #expect(try copy(server.uri).status == 0)
    #expect(try Files.sha256(directory.path("copy")) == Files.sha256(wanted))
    #expect(server.end().status == 0)
    let shown = directory.path("shown")
    let outcome = try ToolRunner.dmsnap.run(["export", layer, "--origin", view, "--to", shown])
    #expect(outcome.status == 0 || outcome.status == 1, "\(outcome)")
    #expect(try Files.sha256(shown) == Files.sha256(wanted))
    #expect(try ToolRunner.dmsnap.run(["audit", layer]).status == 0)
    #expect([try FileState(pair.store), try FileState(pair.origin)] == before)
    let again = try ToolRunner.dmsnap.run(["serve"] + pair.arguments + ["--writable", layer])
    #expect(again.status == 5 || again.status == 4, "\(again)")
  }

  @Test func `a layer that is full refuses what needs more`() throws {
    let pair = try Case("ext4-snapshot-changed", in: directory)
    let layer = directory.path("layer")
    let server = try Server(
      pair.arguments + ["--writable", layer, "--limit", "64K"], in: directory)
    let wanted = try directory.write(Stamp.origin(byteCount: 4 << 20, by: "client"), to: "wanted")
    for _ in 0..<2 {
      #expect(try Tools.run("nbdcopy", [wanted, server.uri]).status != 0)
    }
    #expect(try copy(server.uri).status == 0)
    // It has not all that was written.
    let outcome = server.end()
    let lines = outcome.errors.split(separator: "\n").filter { $0.contains("\(layer): ") }
    #expect(outcome.status == 2 && lines.count == 1, "\(outcome)")
    #expect(try Files.bytes(layer).count == 64 << 10)
    #expect(try ToolRunner.dmsnap.run(["table", layer]).status == 0)
  }

  @Test func `a client is told what was written to a layer, and that the rest is a hole`() throws {
    let origin = try directory.write(sparse: 8 << 20, [], to: "origin")
    let store = try directory.write(
      StoreBuilder(chunkSectors: 8, chunkCount: 20).image(), to: "empty")
    let server = try Server(
      [store, "--origin", origin, "--writable", directory.path("layer")], in: directory)
    func map() throws -> [[Substring]] {
      try Tools.run("nbdinfo", ["--map", server.uri]).outputLines.map { $0.split(separator: " ") }
    }
    #expect(try map() == [["0", "8388608", "3", "hole,zero"]])
    let data = try directory.write(
      sparse: 8 << 20, [(at: 1 << 20, bytes: Stamp.origin(byteCount: 65536))], to: "data")
    let copied = try Tools.run("nbdcopy", ["--destination-is-zero", "--flush", data, server.uri])
    #expect(copied.status == 0, "\(copied)")
    #expect(
      try map() == [
        ["0", "1048576", "3", "hole,zero"], ["1048576", "65536", "0", "data"],
        ["1114112", "7274496", "3", "hole,zero"],
      ])
    #expect(server.end().status == 0)
  }

  // MARK: - Volume groups

  @Test(arguments: ["linear", "striped", "partitioned"])
  func `a snapshot of a volume group is served and mounted by its name`(name: String) throws {
    let facts = try VolumeCorpus.read(name)
    let disks = try VolumeCorpus.unpack(facts, in: directory)
    let volume = try #require(facts.volumes.first { $0.origin != nil && $0.sha256 != nil })
    let before = try disks.map { try FileState($0) }
    let arguments =
      ["\(volume.vg)/\(volume.name)"] + disks.flatMap { ["--pv", $0] } + ["--quiet"]
    let server = try Server(arguments, in: directory)
    #expect(try copy(server.uri).status == 0)
    #expect(try Files.sha256(directory.path("copy")) == volume.sha256)
    #expect(server.end().status == 0)
    if Files.exist("/dev/fuse") {
      let place = directory.path("mounted")
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
      let mounted = try ToolRunner.dmsnap.run(
        ["mount", arguments[0], place] + arguments.dropFirst())
      #expect(mounted.status == 0, "\(mounted)")
      #expect(try Files.sha256("\(place)/snapshot.img") == volume.sha256)
      #expect(try ToolRunner.dmsnap.run(["mount", "--end", place]).status == 0)
    }
    #expect(try disks.map { try FileState($0) } == before)
  }

  // MARK: - What goes wrong

  @Test func `without nbdkit it says so`() throws {
    let pair = try Case("written", in: directory)
    var runner = ToolRunner.dmsnap
    runner.environment["PATH"] = directory.path
    let outcome = try runner.run(["serve"] + pair.arguments + ["--format", "json"])
    #expect(
      outcome.status == 5 && outcome.errors.contains("nbdkit: is not installed"), "\(outcome)")
    #expect(outcome.output.contains("serve.no-nbdkit"))
  }

  @Test func `what cannot be opened is said as by other commands`() throws {
    let pair = try Case("written", in: directory)
    for (arguments, status) in [
      ([directory.path("nothing"), "--origin", pair.origin], Int32(5)),
      ([pair.origin, "--origin", pair.origin], 3), ([pair.store, "--origin", "/"], 5),
    ] {
      let outcome = try ToolRunner.dmsnap.run(["serve"] + arguments)
      let exported = try ToolRunner.dmsnap.run(
        ["export"] + arguments + ["--to", directory.path("none")])
      #expect(outcome.status == status && outcome.errors == exported.errors, "\(outcome)")
    }
  }

  @Test(
    arguments: [
      ["--socket", "a", "--port", "1"], ["--limit", "1M"], ["--port", "0"], ["--writable", ""],
      ["--lost", "nothing"],
    ])
  func `wrong usage is status 64`(options: [String]) throws {
    let outcome = try ToolRunner.dmsnap.run(["serve", "store", "--origin", "origin"] + options)
    #expect(outcome.status == 64, "\(outcome)")
  }

  @Test func `a socket that exists is refused`() throws {
    let pair = try Case("written", in: directory)
    let path = try directory.write([1], to: "socket")
    let outcome = try ToolRunner.dmsnap.run(["serve"] + pair.arguments + ["--socket", path])
    #expect(outcome.status == 4, "\(outcome)")
    #expect(try Files.bytes(path) == [1])
  }

  @Test func `JSON says where and what`() throws {
    let (arguments, lost) = try directory.holed()
    let server = try Server(arguments + ["--format", "json"], in: directory)
    while try !server.output.hasSuffix("}\n") { usleep(2000) }
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(server.output.utf8)) as? [String: Any])
    #expect(object["schema"] as? String == "dmsnap.serve.v1")
    #expect(object["complete"] as? Bool == false)
    let ranges = try #require(object["lost"] as? [[String: Int]])
    #expect(ranges == [["byteOffset": lost.lowerBound, "byteCount": lost.count]])
    let parts = try #require(object["parts"] as? [[String: Any]])
    #expect(parts[0]["at"] as? String == server.uri)
    #expect(server.end().status == 2)
  }
}

extension String {
  fileprivate func leftPadded(to count: Int) -> String {
    String(repeating: "0", count: Swift.max(0, count - self.count)) + self
  }
}
