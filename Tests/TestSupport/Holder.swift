internal import Foundation
internal import Glibc

/// Another process that holds a file or device, as long as this lives.
public final class Holder: Sendable {
  /// In which way it holds it.
  public enum Kind: String, CaseIterable, Sendable {
    /// With flock(), as loop devices' tools and udev do.
    case flock
    /// With a record lock of a process.
    case posix
    /// With a record lock of an open file.
    case ofd
    /// With a shared record lock of one byte, as qemu does.
    case ofdByte
    /// By opening a device O_EXCL.
    case exclusive
  }

  /// Whether there is a Python for it.
  public static let isAvailable = ToolRunner(named: "python3") != nil
  /// Why a test that needs it does not run.
  public static let unavailable = "python3 is needed to be another process"

  private let tool: RunningTool

  /// Holds what is at `path`.
  ///
  /// - Throws: When it cannot, because somebody else does.
  public init(_ kind: Kind, of path: String) throws {
    let directory = try TemporaryDirectory()
    let sign = directory.path("holds")
    guard let python = ToolRunner(named: "python3") else { throw POSIXError(.ENOENT) }
    tool = try python.start(["-c", Self.script, kind.rawValue, path, sign])
    while !Files.exist(sign) {
      guard tool.isRunning else { throw ToolRunner.Failure(tool.wait()) }
      usleep(1000)
    }
  }

  /// How a refusal names it.
  public var words: String { ProcessWords.of(tool.process) }

  private static let script = """
    import fcntl, os, struct, sys, time
    kind, path, sign = sys.argv[1:]
    file = os.open(path, os.O_RDWR | (os.O_EXCL if kind == "exclusive" else 0))
    F_OFD_SETLK, no_wait = 37, fcntl.LOCK_EX | fcntl.LOCK_NB
    record = lambda type, start, count: struct.pack("hhqqi4x", type, 0, start, count, 0)
    if kind == "flock": fcntl.flock(file, no_wait)
    if kind == "posix": fcntl.lockf(file, no_wait)
    if kind == "ofd": fcntl.fcntl(file, F_OFD_SETLK, record(fcntl.F_WRLCK, 0, 0))
    if kind == "ofdByte": fcntl.fcntl(file, F_OFD_SETLK, record(fcntl.F_RDLCK, 100, 1))
    open(sign, "w").close()
    time.sleep(100)
    """
}

/// How a refusal names a process.
public enum ProcessWords {
  /// "process 123 (dd)".
  public static func of(_ process: Int32) -> String {
    let name = (try? Files.bytes("/proc/\(process)/comm")) ?? []
    return "process \(process) (\(String(decoding: name.dropLast(), as: UTF8.self)))"
  }
}
