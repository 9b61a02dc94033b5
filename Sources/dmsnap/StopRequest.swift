import Glibc
import Synchronization

/// Whether the user, or the system, wants the command to stop.
///
/// The first SIGINT, SIGTERM or SIGHUP is a request, which a merge obeys at a safe point; a second
/// one ends the process at once, as it would by default, unless the command ends soon anyway.
enum StopRequest {
  private static let wasMade = Atomic<Bool>(false)
  private static let endsSoon = Atomic<Bool>(false)

  /// Begins to listen.
  ///
  /// Ignored signals stay ignored: a merge under nohup, or in the background of a script, is meant
  /// to go on.
  ///
  /// - Parameter endsSoon: Whether the command ends soon after a request, and has something to
  ///   clean up: then a second one changes nothing.
  static func listen(endsSoon: Bool = false) {
    Self.endsSoon.store(endsSoon, ordering: .relaxed)
    _ = isMade  // so that nothing is initialised inside the signal handler
    for number in [SIGINT, SIGTERM, SIGHUP] where !isIgnored(number) {
      signal(number) { _ in
        StopRequest.wasMade.store(true, ordering: .relaxed)
        if StopRequest.endsSoon.load(ordering: .relaxed) { return }
        for number in [SIGINT, SIGTERM, SIGHUP] { signal(number, SIG_DFL) }
      }
    }
  }

  private static func isIgnored(_ number: CInt) -> Bool {
    var action = sigaction()
    guard unsafe sigaction(number, nil, &action) == 0 else { return false }
    return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
      == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// Whether there was one.
  static var isMade: Bool { wasMade.load(ordering: .relaxed) }
}
