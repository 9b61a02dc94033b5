import Foundation
import Glibc
import TestSupport
import Testing

/// Clients of `dmsnap serve` that ask for much, and do not wait for it, harm nobody.
@Suite struct HostileClientTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A snapshot of 1 GiB with holes between all chunks that the store has.
  private func manyExtents() throws -> [String] {
    let origin = try directory.write(sparse: 1 << 30, [(at: 0, bytes: [1])], to: "origin")
    let store = try directory.write(
      StoreBuilder(chunkSectors: 8).copying(stride(from: 0, to: 200_000, by: 97)).image(),
      to: "store")
    return [store, "--origin", origin]
  }

  /// What a client does that has shaken hands: `s` is its socket, and `ask(command, count)` sends
  /// a request.
  private func client(of server: Server, _ script: String) throws -> ToolOutcome {
    let prelude = """
      import socket, struct, sys, time
      def connect():
          s = socket.socket(socket.AF_UNIX)
          s.settimeout(20)
          s.connect(sys.argv[1])
          return s
      s = connect()
      answers = s.makefile("rb")
      def option(number, data):
          s.sendall(struct.pack(">8sII", b"IHAVEOPT", number, len(data)) + data)
          while True:
              _, _, kind, count = struct.unpack(">QIII", answers.read(20))
              answers.read(count)
              if kind == 1 or kind >> 31:
                  return
      answers.read(18)
      s.sendall(struct.pack(">I", 3))
      option(8, b"")
      option(10, struct.pack(">III", 0, 1, 15) + b"base:allocation")
      option(7, struct.pack(">IH", 0, 0))
      def ask(command, count):
          s.sendall(struct.pack(">IHHQQI", 0x25609513, 0, command, 1, 0, count))

      """
    return try Tools.run("python3", ["-c", prelude + script, server.socket])
  }

  /// Reads (0) and extents (7): an answer in many pieces must not be sent on after one has failed.
  @Test(arguments: [0, 7])
  func `a client that does not wait for its answers is no end of the server`(
    command: Int
  ) throws {
    let server = try Server(try manyExtents(), in: directory)
    for _ in 0..<5 {
      let outcome = try client(
        of: server,
        """
        for _ in range(20): ask(\(command), \(command == 0 ? 1 << 20 : 1 << 30))
        time.sleep(0.2)
        s.close()
        """)
      #expect(outcome.status == 0, "\(outcome)")
    }
    #expect(server.isRunning)
    #expect(try Tools.run("nbdinfo", ["--size", server.uri]).output == "1073741824\n")
    let ended = server.end()
    #expect(ended.status == 0, "\(ended)")
  }

  @Test func `all extents of a snapshot are told, in as many answers as it takes`() throws {
    let server = try Server(try manyExtents(), in: directory)
    let map = try Tools.run("nbdinfo", ["--map", server.uri]).outputLines
    #expect(map.count == 2 * ((200_000 + 96) / 97))
    #expect(server.end().status == 0)
  }

  @Test func `clients beyond the bound are rejected, and others stay`() throws {
    let pair = try Case("written", in: directory)
    let server = try Server(pair.arguments, in: directory)
    let outcome = try client(
      of: server,
      """
      import resource
      resource.setrlimit(resource.RLIMIT_NOFILE, (2000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
      def is_greeted(client):
          try:
              return client.recv(18) != b""
          except OSError:
              return False
      crowd = [connect() for _ in range(1100)]
      print(1 + sum(map(is_greeted, crowd)))
      ask(0, 4096)
      print(len(answers.read(4096)))
      for one in crowd: one.close()
      time.sleep(1)
      print(is_greeted(connect()))
      """)
    let lines = outcome.outputLines
    #expect(lines == ["1024", "4096", "True"], "\(outcome)")
    let ended = server.end()
    #expect(ended.status == 0)
    #expect(ended.errors.split(separator: "\n").count { $0.contains("rejected") } == 1)
  }

  @Test func `a soft limit of open files does not keep clients away`() throws {
    let pair = try Case("written", in: directory)
    let socket = directory.path("few")
    let output = try directory.write([], to: "output")
    let shell = try #require(ToolRunner(named: "sh"))
    let tool = try shell.start(
      ["-c", "ulimit -S -n 60; exec \"$@\"", "sh", ToolRunner.dmsnap.path, "serve"] + pair.arguments
        + ["--socket", socket], output: .path(output))
    while try Files.bytes(output).isEmpty, tool.isRunning { usleep(2000) }
    let flood = try Tools.run(
      "python3",
      [
        "-c",
        """
        import socket, sys, time
        crowd = []
        for _ in range(200):
            crowd.append(socket.socket(socket.AF_UNIX))
            crowd[-1].connect(sys.argv[1])
        for one in crowd: assert one.recv(18)
        """, socket,
      ])
    #expect(flood.status == 0, "\(flood)")
    #expect(try Tools.run("nbdinfo", ["--size", "nbd+unix:///?socket=\(socket)"]).status == 0)
    tool.signal(SIGINT)
    let ended = tool.wait()
    #expect(ended.status == 0)
    // nbdkit says so each time that it cannot accept a client, and tries again.
    #expect(!ended.errors.contains("accept"), "\(ended.errors.prefix(500))")
  }
}
