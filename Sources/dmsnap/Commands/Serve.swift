import ArgumentParser
import BlockIO
import FoundationEssentials
import Glibc
import Inputs
import Serving
import SnapshotKit
import SystemPackage

extension LossPolicy: ExpressibleByArgument {}

/// What lost bytes read as.
struct LossOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What lost bytes read as: error (the default, so that no copy looks intact), zero, the"
        + " origin's bytes, or a recognisable pattern.", valueName: "policy"))
  var lost = LossPolicy.error
}

/// `dmsnap serve`: the snapshot as a network block device.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Serves the snapshot as a block device (NBD), until interrupted.",
    discussion: """
      Nothing is copied, and nothing is written to the store or the origin. Any NBD client can use \
      it: nbdcopy, qemu, nbdfuse, nbd-client. Partitions are separate exports: partition1, \
      partition2. The server is nbdkit, with the plugin beside this program. Without --port, the \
      socket is in a new directory that only this user can enter. The status is that of an export: \
      2 if anything is lost, 1 if the origin is in doubt.
      """)

  @OptionGroup var input: StoreOptions
  @OptionGroup var originInput: OriginOptions
  @OptionGroup var losses: LossOptions

  @OptionGroup var place: PartitionOption

  @Option(help: ArgumentHelp("The socket to create, for this user only.", valueName: "path"))
  var socket: String?

  @Option(
    help: ArgumentHelp(
      "A port of 127.0.0.1, instead of a socket: any local user can read there, and, with"
        + " --writable, write.", valueName: "number"))
  var port: UInt16?

  @Option(
    help: ArgumentHelp(
      "Let clients write, and keep their writes in a new COW store over the snapshot.",
      valueName: "layer"))
  var writable: String?

  @Option(
    help: ArgumentHelp(
      "The maximum length of LAYER: 512M, 10G; 1G by default. Writes that need more fail.",
      valueName: "bytes"))
  var limit: ByteCountArgument?

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func validate() throws {
    try OriginOptions.require(originInput.origin, input.volumes)
    if socket != nil, port != nil { throw ValidationError("give --socket or --port, not both") }
    if socket == "" || writable == "" { throw ValidationError("an output needs a name") }
    if writable == "-" {
      throw ValidationError("a layer cannot be a stream; ./- names a file")
    }
    if limit != nil, writable == nil { throw ValidationError("--limit goes with --writable") }
    if port == 0 { throw ValidationError("--port counts from 1") }
  }

  func run() throws {
    try OutputPaths.check([("--socket", socket), ("--writable", writable)])
    var request = ServeRequest(input, origin: originInput.origin, losses.lost)
    request.partition = place.partition
    (request.layer, request.limit) = (writable, limit?.byteCount ?? request.limit)
    try Server(request, socket: socket, port: port).run(format, messages)
  }
}

extension ServeRequest {
  /// The snapshot that the options name.
  init(_ options: StoreOptions, origin: PathArgument?, _ policy: LossPolicy) {
    let names = (options.store.text, origin?.text, options.table.reading.rawValue)
    RunRecord.note { ($0.store, $0.origin, $0.reading) = names }
    self.init(options.names, origin: origin)
    self.policy = policy
  }
}

/// Runs nbdkit with the plugin: the work of `serve`, and of `merge --preview`.
struct Server {
  private let request: ServeRequest
  private let port: UInt16?
  /// For the socket and the number of the process.
  private let directory: PrivateDirectory
  private let socket: String

  /// - Parameters:
  ///   - socket: Where the socket is made; nil for one in a new directory.
  ///   - port: The port of 127.0.0.1; nil for a socket.
  /// - Throws: If there can be no such socket.
  init(_ request: ServeRequest, socket: String?, port: UInt16?) throws {
    self.request = request
    self.port = port
    let longest = SocketFile.pathByteCountMax
    let path = socket.map(absolutePath)
    if let path, path.utf8.count > longest {
      throw Failure(
        .couldNotFinish,
        "\(path): a socket's path has at most \(longest) bytes, and this one has"
          + " \(path.utf8.count)", at: ErrorPlace(path))
    }
    StopRequest.listen(endsSoon: true)
    directory = try PrivateDirectory(longest: longest - "/socket".utf8.count)
    self.socket = path ?? "\(directory.path)/socket"
  }

  /// Serves until a signal or nbdkit ends it.
  func run(_ format: OutputFormat, _ messages: MessageOptions) throws {
    defer { directory.remove() }
    let child = try start()
    let report = try served(child)
    let file = try opened(child)
    defer { file?.remove() }
    if !messages.quiet { for note in report.notes { Console.say("dmsnap: \(note)") } }
    do { try show(report, format, messages) } catch {
      // Clients may have connected already.
      try serve(child, isStopped: true)
      throw error
    }
    try serve(child)
    try report.finish()
  }

  /// Waits until nbdkit ends, because of a signal to this process or by itself.
  ///
  /// - Parameter isStopped: Whether it is to end at once, as by a signal.
  private func serve(_ child: ChildProcess, isStopped: Bool = false) throws {
    var stopTime: ContinuousClock.Instant?
    while true {
      if let status = try child.status(waits: false) { return try check(status) }
      if isStopped || StopRequest.isMade {
        if stopTime == nil { child.terminate() }
        let start = stopTime ?? .now
        stopTime = start
        let time = ContinuousClock.now - start
        // nbdkit would wait as long as any client stays connected. By this signal, the plugin
        // flushes the layer and ends it.
        if time > Self.patience { child.signal(SIGUSR1) }
        if time > Self.flushPatience { child.terminate(atOnce: true) }
      }
      usleep(50_000)
    }
  }

  /// The time that clients have to finish once the server is to end.
  private static let patience = Duration.seconds(2)

  /// The maximum time for a flush of the layer, in all.
  private static let flushPatience = Duration.seconds(120)

  /// Throws if nbdkit did not end well, or if its status carries a message of the plugin.
  private func check(_ status: Int32) throws {
    switch ServeEnd(rawValue: status) {
    case .allWell: return
    // The plugin has already reported it.
    case .incomplete: throw Failure(.damage)
    case .inputChanged: throw Failure(.couldNotFinish, code: "input.changed")
    case .unflushed, nil: break
    }
    guard let layer = request.layer else {
      if StopRequest.isMade { return }
      throw Self.ended(status)
    }
    let isByItself = ServeEnd(rawValue: status) == nil
    throw Failure(
      .couldNotFinish,
      "\(layer): \(isByItself ? "nbdkit exited with status \(status): " : "")writes since the"
        + " clients' last flush may be missing", code: "serve.unflushed", at: ErrorPlace(layer))
  }

  /// Runs nbdkit, whose plugin reports the served snapshot.
  private func start() throws -> ChildProcess {
    var request = request
    request.report = ChildProcess.reportDescriptor
    let place = port.map { ["-i", "127.0.0.1", "-p", "\($0)"] } ?? ["-U", socket]
    let arguments =
      ["--foreground", "--exit-with-parent", "--pidfile", pidFile] + place
      + (request.layer == nil ? ["--readonly"] : []) + [Helper.plugin] + request.parameters
    do throws(BlockIOError) {
      return try ChildProcess(
        "nbdkit", arguments, hasReport: true, shouldStop: { StopRequest.isMade })
    } catch {
      guard error.reason == .system(.noSuchFileOrDirectory) else { throw error }
      throw Failure(
        .couldNotFinish,
        "nbdkit: is not installed; `dmsnap serve` needs it (Debian: apt-get install nbdkit)",
        code: "serve.no-nbdkit")
    }
  }

  /// Whether nbdkit takes connections, which is when it writes its number.
  private var isOpen: Bool { FileManager.default.contents(atPath: pidFile)?.isEmpty == false }

  private var pidFile: String { "\(directory.path)/pid" }

  private func served(_ child: ChildProcess) throws -> ServeReport {
    switch ServeOutcome(json: child.report) {
    case .served(let report): return report
    case .failed(let failure):
      _ = try child.status()
      throw failure
    case nil:
      let status = try child.status() ?? 1
      discardLayer()
      throw Self.ended(status)
    }
  }

  /// Waits until nbdkit takes connections.
  ///
  /// - Returns: Its socket.
  private func opened(_ child: ChildProcess) throws -> SocketFile? {
    do {
      while !isOpen {
        if let status = try child.status(waits: false) { throw Self.ended(status) }
        if StopRequest.isMade { child.terminate(atOnce: true) }
        usleep(5_000)
      }
      // nbdkit has a umask of its own, which keeps others from connecting, but not from looking.
      return port == nil ? try SocketFile(at: socket) : nil
    } catch {
      child.terminate(atOnce: true)
      if !isOpen { discardLayer() }
      throw error
    }
  }

  /// Removes the layer of a start that was cut off: there was none before, and no client writes to
  /// it before nbdkit takes connections.
  private func discardLayer() {
    if let layer = request.layer { FileTarget.remove(FilePath(layer)) }
  }

  private static func ended(_ status: Int32) -> Failure {
    Failure(
      .couldNotFinish,
      StopRequest.isMade
        ? "stopped before anything was served"
        : "nbdkit: ended with status \(status); what it printed says why", code: "serve.ended")
  }

  /// The address of a part.
  private func uri(of part: ServedPart) -> String {
    // The only part that is served needs no name.
    let name = request.partition == nil ? part.exportName : ""
    return port.map { "nbd://127.0.0.1:\($0)/\(name)" }
      ?? "nbd+unix:///\(name)?socket=\(socket.percentEncoded)"
  }

  private func show(
    _ report: ServeReport, _ format: OutputFormat, _ messages: MessageOptions
  ) throws {
    let uris = report.parts.map { uri(of: $0) }
    switch format {
    case .json:
      try Console.print(
        json: ServedReport(
          "dmsnap.serve.v1", report, uris, request, socket: port == nil ? socket : nil))
    case .text:
      var lines = zip(report.parts, uris).map { part, uri in
        "uri      \(uri)"
          + (part.number.map { "   partition \($0)" } ?? "") + (part.type.map { "   \($0)" } ?? "")
      }
      if !messages.quiet, let uri = uris.first {
        let image = quoted(uri)
        lines += [
          "copy     nbdcopy \(image) FILE",
          "look     nbdinfo --map \(image)",
          "device   qemu-nbd \(request.layer == nil ? "--read-only " : "")--connect=/dev/nbd0"
            + " --format=raw \(image)",
          "end      Ctrl-C",
        ]
      }
      try Console.print(lines: lines)
      report.sayLosses(request.policy)
    }
  }
}

extension ServeReport {
  /// Reports how much is lost, and how it reads.
  func sayLosses(_ policy: LossPolicy) {
    let words =
      switch policy {
      case .error: "reading them fails"
      case .zero: "they read as zeroes"
      case .origin: "they read as what the origin has there"
      case .pattern: "they read as a pattern"
      }
    if !lost.isEmpty {
      Console.say(
        "dmsnap: \(byteSize(lost.totalCount)) of the snapshot are lost, in"
          + " \(counted(UInt64(lost.count), "range")): \(words)")
    }
    if !isComplete, lost.isEmpty {
      Console.say(
        "dmsnap: exceptions are lost, or may be; their chunks are unknown")
    }
  }

  /// Ends the command with status 2 if anything is missing, and with 1 if it is in doubt.
  func finish() throws {
    guard isComplete else { throw Failure(.damage) }
    if isInDoubt { throw Failure(.warnings) }
  }
}

extension String {
  /// The path as a part of a URI's query.
  fileprivate var percentEncoded: String {
    utf8.map { byte in
      let isPlain =
        UnicodeScalar(byte).properties.isAlphabetic && byte < 0x80
        || (0x30...0x39).contains(byte) || "/._-~".utf8.contains(byte)
      return isPlain ? String(UnicodeScalar(byte)) : "%" + byte.hexadecimal(digitCount: 2)
    }.joined()
  }
}

/// The programs that come with this one.
enum Helper {
  /// The plugin of nbdkit: beside this program, below its prefix, or where nbdkit looks.
  static var plugin: String { path(of: "libnbdkit-dmsnap-plugin.so") ?? "dmsnap" }

  /// The program that mounts; nil if it is not there.
  static var mount: String? { path(of: "dmsnap-fuse") }

  private static func path(of name: String) -> String? {
    let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let own = FilePath(link ?? CommandLine.arguments[0]).removingLastComponent()
    let places = [own, own.removingLastComponent().pushing("lib/dmsnap")]
    return places.map { $0.appending(name).string }
      .first { FileManager.default.fileExists(atPath: $0) }
  }
}
