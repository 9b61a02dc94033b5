import Glibc
import Synchronization

/// Whether the person at the terminal, or the system, wants the command to stop.
///
/// The first SIGINT, SIGTERM or SIGHUP is a request, which a merge fulfils at a safe point; a second
/// one ends the process at once, as it would without us.
enum StopRequest {
  private static let wasMade = Atomic<Bool>(false)

  /// Begins to listen.
  static func listen() {
    for number in [SIGINT, SIGTERM, SIGHUP] {
      signal(number) { number in
        StopRequest.wasMade.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
  }

  /// Whether there was one.
  static var isMade: Bool { wasMade.load(ordering: .relaxed) }
}
