import Foundation
import Glibc
import TestSupport
import Testing

/// `dmsnap serve`, running.
final class Server {
  /// The address of all that is served.
  let uri: String
  private let tool: RunningTool
  private let outputPath: String

  /// Starts it, and waits until it takes connections.
  init(_ arguments: [String], in directory: TemporaryDirectory) throws {
    outputPath = try directory.write([], to: "serve-\(UUID().uuidString)")
    let socket = directory.path("socket-\(UUID().uuidString.prefix(8))")
    uri = "nbd+unix:///?socket=\(socket)"
    tool = try ToolRunner.dmsnap.start(
      ["serve"] + arguments + ["--socket", socket], output: .path(outputPath))
    while try !output.contains("\n") {
      guard tool.isRunning else { throw ToolRunner.Failure(tool.wait()) }
      usleep(2000)
    }
  }

  /// The address of an export.
  func uri(_ name: String) -> String { uri.replacing(":///", with: ":///\(name)") }

  /// The socket.
  var socket: String { String(uri.split(separator: "=")[1]) }

  /// What it printed so far.
  var output: String { get throws { String(decoding: try Files.bytes(outputPath), as: UTF8.self) } }

  /// Whether it still serves.
  var isRunning: Bool { tool.isRunning }

  /// Ends it, as Ctrl-C does.
  func end(_ signal: Int32 = SIGINT) -> ToolOutcome {
    self.signal(signal)
    return wait()
  }

  /// Sends a signal to it.
  func signal(_ number: Int32) { tool.signal(number) }

  /// Waits until it has ended.
  func wait() -> ToolOutcome { tool.wait() }
}

/// The tools that serving is tested with.
enum Tools {
  /// Runs one of them, which the tests cannot do without.
  static func run(_ name: String, _ arguments: [String]) throws -> ToolOutcome {
    try #require(ToolRunner(named: name), "\(name) is missing: .ci/setup installs it")
      .run(arguments)
  }

  /// Starts one of them.
  static func start(_ name: String, _ arguments: [String]) throws -> RunningTool {
    try #require(ToolRunner(named: name), "\(name) is missing: .ci/setup installs it")
      .start(arguments)
  }
}

/// A case of the corpus, unpacked.
struct Case {
  let store: String
  let origin: String
  /// The digest of what Linux shows.
  let digest: String

  init(_ name: String, in directory: TemporaryDirectory) throws {
    let facts = try Corpus.read(name)
    store = try directory.write(Corpus.unpack(facts.store, of: name), to: "\(name).cow")
    origin = try directory.write(Corpus.unpack(facts.origin, of: name), to: "\(name).origin")
    digest = try #require(facts.says["6.1"]?.view?.sha256)
  }

  var arguments: [String] { [store, "--origin", origin] }
}

extension TemporaryDirectory {
  /// A store of chunks of 4 KiB whose second copy, chunk 7 of the origin, a mapfile calls
  /// unreadable; and the options for it.
  func holed() throws -> (arguments: [String], lost: Range<Int>) {
    let store = try write(
      StoreBuilder(chunkSectors: 8).copying((0..<40).map { $0 * 7 }).sized(100).image(), to: "store"
    )
    let origin = try write(Stamp.origin(byteCount: 4096 * 400), to: "origin")
    let map = try write(
      Array("0x0 +\n0x0 0x3000 +\n0x3000 0x1000 -\n0x4000 0x60000 +\n".utf8), to: "map")
    return ([store, "--origin", origin, "--map", map], 7 * 4096..<8 * 4096)
  }
}
