/// The severity of a finding for the user's data.
public enum Severity: String, CaseIterable, Comparable, Sendable {
  /// Worth knowing; nothing is wrong.
  case note
  /// Something may be wrong, or will be.
  case warning
  /// Data is lost, in doubt, or out of Linux's reach.
  case damage

  public static func < (left: Severity, right: Severity) -> Bool {
    left.rank < right.rank
  }

  private var rank: Int {
    switch self {
    case .note: 0
    case .warning: 1
    case .damage: 2
    }
  }
}
