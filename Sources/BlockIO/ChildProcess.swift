internal import Glibc
internal import SystemPackage

/// A program that this process runs.
package final class ChildProcess: Sendable {
  /// The descriptor on which the program may report.
  package static let reportDescriptor: Int32 = 3

  /// The bytes it wrote to ``reportDescriptor`` until it closed that.
  package let report: [UInt8]
  private let program: String
  private let process: pid_t

  /// Runs a program, which has this process's standard streams, until it has reported.
  ///
  /// - Parameters:
  ///   - program: A path, or a name that is looked for in PATH.
  ///   - hasReport: Whether it reports.
  ///   - shouldStop: Whether to kill it before it has reported; asked ten times a second.
  /// - Throws: If there is no such program, among others.
  package init(
    _ program: String, _ arguments: [String], hasReport: Bool = false,
    shouldStop: () -> Bool = { false }
  ) throws(BlockIOError) {
    self.program = program
    let ends: (readEnd: FileDescriptor, writeEnd: FileDescriptor)
    do { ends = try FileDescriptor.pipe() } catch {
      throw BlockIOError(program, .open, .system(error as? Errno ?? .ioError))
    }
    defer { try? ends.readEnd.close() }
    for end in [ends.readEnd, ends.writeEnd] { _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC) }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    if hasReport {
      unsafe posix_spawn_file_actions_adddup2(
        &actions, ends.writeEnd.rawValue, Self.reportDescriptor)
    }
    // Swift's crash output for our plugin would take over nbdkit's signals.
    unsafe setenv("SWIFT_BACKTRACE", "enable=no", 0)
    var words: [UnsafeMutablePointer<CChar>?] = unsafe ([program] + arguments).map {
      unsafe strdup($0)
    }
    unsafe words.append(nil)
    defer { unsafe words.forEach { unsafe free($0) } }
    var process: pid_t = 0
    let failure = unsafe posix_spawnp(&process, program, &actions, nil, words, environ)
    try? ends.writeEnd.close()
    guard failure == 0 else {
      throw BlockIOError(program, .open, .system(Errno(rawValue: failure)))
    }
    self.process = process
    report =
      hasReport
      ? Self.readAll(ends.readEnd) {
        if shouldStop() { kill(process, SIGKILL) }
      } : []
  }

  /// Its exit status, if it has ended; for a killed process, 128 and the signal's number.
  ///
  /// - Parameter waits: Whether to wait until it has.
  package func status(waits: Bool = true) throws(BlockIOError) -> Int32? {
    var result: Int32 = 0
    var ended: pid_t
    repeat {
      ended = unsafe waitpid(process, &result, waits ? 0 : WNOHANG)
    } while ended < 0 && Glibc.errno == EINTR
    if ended == 0 { return nil }
    guard ended == process else {
      throw BlockIOError(program, .read, .system(Errno(rawValue: Glibc.errno)))
    }
    return result & 0x7f == 0 ? (result >> 8) & 0xff : 128 + (result & 0x7f)
  }

  /// Asks it to end, or ends it.
  package func terminate(atOnce: Bool = false) { kill(process, atOnce ? SIGKILL : SIGTERM) }

  /// Sends it a signal, whose effect depends on the program.
  package func signal(_ number: Int32) { kill(process, number) }

  /// Reads all that comes until every writer is gone; a failure ends it too.
  ///
  /// - Parameter waiting: Called while nothing comes.
  private static func readAll(_ descriptor: FileDescriptor, waiting: () -> Void) -> [UInt8] {
    var all: [UInt8] = []
    let buffer = IOBuffer(byteCount: 1 << 16)
    while true {
      var state = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&state, 1, 100) > 0 else {
        waiting()
        continue
      }
      let memory = unsafe buffer.memory(0..<buffer.byteCount)
      let count = unsafe Glibc.read(descriptor.rawValue, memory.baseAddress, memory.count)
      if count < 0, Glibc.errno == EINTR { continue }
      guard count > 0 else { return all }
      all += buffer.bytes(0..<count)
    }
  }
}
