import ArgumentParser
import BlockIO
import Glibc
import Synchronization

/// When progress is shown.
enum ProgressMode: String, ExpressibleByArgument, CaseIterable {
  case auto, always, never
}

/// One line on stderr with the progress of a long job: bytes, rate and time left.
final class ProgressLine {
  private static let interval = Duration.milliseconds(250)

  private let isShown: Bool
  private let verb: String
  private let start = ContinuousClock.now
  private var lastShown: ContinuousClock.Instant?
  /// Whether the terminal has a line that has not been ended.
  private static let isOpen = Mutex(false)

  /// A line that begins with `verb`; shown only on terminals, unless `mode` says otherwise.
  init(_ verb: String, _ messages: MessageOptions) {
    self.verb = verb
    isShown =
      switch messages.progress {
      case .always: true
      case .never: false
      case .auto: !messages.quiet && isatty(STDERR_FILENO) == 1
      }
  }

  /// Shows the progress, if it is time to.
  func update(_ done: UInt64, _ total: UInt64) {
    guard isShown else { return }
    let now = ContinuousClock.now
    guard done == total || lastShown.map({ now - $0 >= Self.interval }) ?? true else { return }
    lastShown = now
    Self.isOpen.withLock { $0 = true }
    let seconds = max((now - start) / .seconds(1), 0.001)
    let rate = Double(done) / seconds
    let left = rate > 0 ? Self.whole(Double(total - min(done, total)) / rate) : 0
    let percent = total == 0 ? 100 : Int(Double(done) / Double(total) * 100)
    Self.write(
      "\r\(verb) \(byteSize(done)) of \(byteSize(total)) (\(percent) %), "
        + "\(byteSize(Self.whole(rate)))/s, \(left) s left\u{1b}[K")
  }

  /// A number of at most 63 bits, so that nothing here can trap.
  private static func whole(_ number: Double) -> UInt64 {
    UInt64(min(number.rounded(.up), 0x1p62))
  }

  /// Ends the line.
  func end() { Self.endShown() }

  /// Ends the line that is shown, if any, so that the next message has its own.
  static func endShown() {
    let wasOpen = isOpen.withLock { isOpen in
      defer { isOpen = false }
      return isOpen
    }
    if wasOpen { write("\n") }
  }

  private static func write(_ text: String) {
    // If stderr is closed, there is nowhere to report it.
    try? OutputStream.standardError.write(text)
  }
}
