internal import Foundation
internal import Glibc

/// Runs a program as a user's shell would, and tells how it ended and what it said.
///
/// Foundation's `Process` can neither close a standard stream nor undo an ignored SIGPIPE, which is
/// what half of a command's contract is about.
public struct ToolRunner: Sendable {
  /// The dmsnap to test: `$DMSNAP`, or the one that was built with these tests, which lies beside
  /// the test bundle.
  public static let dmsnap = ToolRunner(
    path: ProcessInfo.processInfo.environment["DMSNAP"]
      ?? (CommandLine.arguments.first.map { ($0 as NSString).deletingLastPathComponent } ?? ".")
      + "/dmsnap")

  /// Where the program is.
  public let path: String

  /// What the program's environment has besides, or instead of, this process's.
  public var environment: [String: String] = [:]

  /// The program at `path`.
  public init(path: String) { self.path = path }

  /// The program of that name in PATH, or where an administrator's programs are; nil if missing.
  public init?(named name: String) {
    let found = Self.directories.map { "\($0)/\(name)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
    guard let found else { return nil }
    path = found
  }

  /// Where programs are searched.
  private static let directories =
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
    + ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]

  /// Where a standard stream of the program goes.
  public enum Stream: Sendable {
    /// To the test.
    case captured
    /// To a file or device, which is there.
    case path(String)
    /// To a pipe that nobody reads.
    case deadPipe
    /// Nowhere: the descriptor is closed.
    case closed
  }

  /// Something that keeps a program from being run.
  public struct Failure: Error, CustomStringConvertible {
    public let description: String

    init(_ what: String, errno: Int32) {
      description = unsafe "\(what): \(String(cString: strerror(errno)))"
    }

    /// A program that ended as it should not have.
    public init(_ outcome: ToolOutcome) { description = "\(outcome)" }
  }

  /// Runs the program to its end.
  public func run(
    _ arguments: [String], output: Stream = .captured, errors: Stream = .captured,
    closingInput: Bool = false, timeout: Duration = .seconds(60)
  ) throws -> ToolOutcome {
    let outcome = try start(
      arguments, output: output, errors: errors, closingInput: closingInput
    ).wait(timeout: timeout)
    JSONLog.keep(outcome, of: arguments)
    return outcome
  }

  /// Runs the program to its end, which must be status 0.
  @discardableResult
  public func succeed(_ arguments: [String]) throws -> ToolOutcome {
    let outcome = try run(arguments)
    guard outcome.status == 0 else { throw Failure(outcome) }
    return outcome
  }

  /// Starts the program.
  public func start(
    _ arguments: [String], output: Stream = .captured, errors: Stream = .captured,
    closingInput: Bool = false
  ) throws -> RunningTool {
    let (outputFile, errorFile) = (try Self.open(output), try Self.open(errors))
    defer {
      for case (let descriptor, false)? in [outputFile, errorFile] { close(descriptor) }
    }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    if closingInput {
      unsafe posix_spawn_file_actions_addclose(&actions, STDIN_FILENO)
    } else {
      unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    }
    for (file, number) in [(outputFile, STDOUT_FILENO), (errorFile, STDERR_FILENO)] {
      if let file {
        unsafe posix_spawn_file_actions_adddup2(&actions, file.descriptor, number)
      } else {
        unsafe posix_spawn_file_actions_addclose(&actions, number)
      }
    }
    let process = try unsafe spawn(arguments, &actions)
    return RunningTool(
      ([path] + arguments).joined(separator: " "), process,
      output: outputFile.flatMap { $0.isKept ? $0.descriptor : nil },
      errors: errorFile.flatMap { $0.isKept ? $0.descriptor : nil })
  }

  /// What a stream is connected to: kept for reading it back, or closed after the start.
  private typealias StreamFile = (descriptor: Int32, isKept: Bool)

  private static func open(_ stream: Stream) throws -> StreamFile? {
    switch stream {
    case .closed: return nil
    case .path(let path):
      let descriptor = unsafe Glibc.open(path, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw Failure(path, errno: errno) }
      return (descriptor, false)
    case .captured:
      let path = "\(NSTemporaryDirectory())dmsnap-output-\(UUID().uuidString)"
      let descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw Failure(path, errno: errno) }
      unsafe unlink(path)
      return (descriptor, true)
    case .deadPipe:
      // A named pipe can be opened close-on-exec from its first moment, so that no other program
      // that is just being started holds its reading end.
      let directory = try TemporaryDirectory()
      let fifo = directory.path("fifo")
      guard unsafe mkfifo(fifo, 0o600) == 0 else { throw Failure(fifo, errno: errno) }
      let reader = unsafe Glibc.open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
      let writer = unsafe Glibc.open(fifo, O_WRONLY | O_CLOEXEC)
      close(reader)
      guard writer >= 0 else { throw Failure(fifo, errno: errno) }
      return withExtendedLifetime(directory) { (writer, false) }
    }
  }

  private func spawn(
    _ arguments: [String], _ actions: inout posix_spawn_file_actions_t
  ) throws -> pid_t {
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    // What this process ignores or blocks is not the program's affair.
    var (defaults, blocked) = (sigset_t(), sigset_t())
    unsafe sigemptyset(&blocked)
    unsafe sigemptyset(&defaults)
    for signal in [SIGPIPE, SIGINT, SIGTERM, SIGXFSZ] { unsafe sigaddset(&defaults, signal) }
    unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
    unsafe posix_spawnattr_setsigmask(&attributes, &blocked)
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    unsafe posix_spawnattr_setflags(
      &attributes,
      Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
    var environment = ProcessInfo.processInfo.environment
    environment["LC_ALL"] = "C"
    environment["PATH"] = Self.directories.joined(separator: ":")
    environment["SWIFT_BACKTRACE"] = "enable=no"  // a crash is told by its signal, and soon
    environment.merge(self.environment) { $1 }
    var process: pid_t = 0
    let result = unsafe Self.withCStrings([path] + arguments) { argv in
      unsafe Self.withCStrings(environment.map { "\($0)=\($1)" }) { envp in
        unsafe posix_spawn(&process, path, &actions, &attributes, argv, envp)
      }
    }
    guard result == 0 else { throw Failure(path, errno: result) }
    return process
  }

  private static func withCStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Result
  ) rethrows -> Result {
    var pointers = unsafe strings.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return try unsafe body(pointers)
  }
}

/// How a program ended, and what it said.
public struct ToolOutcome: Sendable, CustomStringConvertible {
  /// How a program can end.
  public enum Ending: Equatable, Sendable {
    case exited(Int32)
    case killed(signal: Int32)
    /// It had to be killed, because it did not end.
    case timedOut
  }

  /// The program and its arguments.
  public let command: String
  /// How it ended.
  public let ending: Ending
  /// What it wrote to standard output, if that was captured.
  public let outputBytes: [UInt8]
  /// What it wrote to standard error, if that was captured.
  public let errorBytes: [UInt8]

  /// The exit status; nil if there is none because a signal ended it.
  public var status: Int32? { if case .exited(let status) = ending { status } else { nil } }
  /// Standard output as text.
  public var output: String { String(decoding: outputBytes, as: UTF8.self) }
  /// Standard error as text.
  public var errors: String { String(decoding: errorBytes, as: UTF8.self) }
  /// The lines of standard output.
  public var outputLines: [String] { output.split(separator: "\n").map(String.init) }
  /// The lines of standard error.
  public var errorLines: [String] { errors.split(separator: "\n").map(String.init) }

  public var description: String {
    "\(command): \(ending)\noutput: \(output.prefix(2000))\nerrors: \(errors.prefix(2000))"
  }
}

/// A program that was started.
public final class RunningTool: @unchecked Sendable {
  /// The number of its process.
  public let process: Int32
  private let command: String
  private let output: Int32?
  private let errors: Int32?
  private var ending: ToolOutcome.Ending?

  init(_ command: String, _ process: pid_t, output: Int32?, errors: Int32?) {
    self.command = command
    self.process = process
    self.output = output
    self.errors = errors
  }

  deinit {
    if ending == nil { _ = wait(timeout: .zero) }
    for descriptor in [output, errors].compactMap(\.self) { close(descriptor) }
  }

  /// Whether the program goes on.
  public var isRunning: Bool {
    reap(WNOHANG)
    return ending == nil
  }

  /// Sends it a signal, and to the programs that it started.
  public func signal(_ number: Int32) {
    if ending == nil { kill(-process, number) }
  }

  /// Waits until it has ended; when that takes longer than `timeout`, it is killed.
  public func wait(timeout: Duration = .seconds(60)) -> ToolOutcome {
    let deadline = ContinuousClock.now + timeout
    while isRunning, ContinuousClock.now < deadline { usleep(500) }
    if ending == nil {
      signal(SIGKILL)
      reap(0)
      ending = .timedOut
    }
    return ToolOutcome(
      command: command, ending: ending ?? .timedOut, outputBytes: Self.content(of: output),
      errorBytes: Self.content(of: errors))
  }

  private func reap(_ options: Int32) {
    guard ending == nil else { return }
    var status: Int32 = 0
    guard unsafe waitpid(process, &status, options) == process else { return }
    let signal = status & 0x7f
    ending = signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal)
  }

  private static func content(of descriptor: Int32?) -> [UInt8] {
    guard let descriptor else { return [] }
    lseek(descriptor, 0, SEEK_SET)
    let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
    return (try? file.readToEnd()).flatMap(\.self).map(Array.init) ?? []
  }
}
