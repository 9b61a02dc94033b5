internal import Foundation
internal import Glibc

/// A terminal that is not there: what programs write to it can be read.
public final class PseudoTerminal {
  private let reader: Int32
  // As long as one is open, what was written can be read.
  private let writer: Int32

  public init() throws {
    var (reader, writer): (Int32, Int32) = (-1, -1)
    guard unsafe openpty(&reader, &writer, nil, nil, nil) == 0 else {
      throw ToolRunner.Failure("a pseudo-terminal", errno: errno)
    }
    for file in [reader, writer] { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(reader, F_SETFL, O_NONBLOCK)
    (self.reader, self.writer) = (reader, writer)
  }

  /// The terminal's device, for a standard stream of a program.
  public var path: String { "/proc/self/fd/\(writer)" }

  deinit {
    close(reader)
    close(writer)
  }

  /// Reads all that a program writes, until it has ended. Lines end as the program wrote them.
  public func read(until tool: RunningTool) -> String {
    var bytes: [UInt8] = []
    var isLast = false
    while true {
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = unsafe Glibc.read(reader, &buffer, buffer.count)
      if count > 0 {
        bytes += buffer.prefix(count)
      } else if isLast {
        return String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n")
      } else if tool.isRunning {
        usleep(500)
      } else {
        isLast = true
      }
    }
  }
}
