/// Orphans that have no place, for one reason.
public struct Unplaced: Equatable, Sendable {
  /// The reason why they have none.
  public let reason: Reason
  /// The number of chunks.
  public internal(set) var chunkCount: UInt64

  /// A reason why an orphan has no place.
  public enum Reason: String, CaseIterable, Sendable {
    /// There was no search, as requested.
    case notLookedFor = "not-looked-for"
    /// A newer table used the same space since: it may hold anything.
    case olderTable = "older-table"
    /// There were too many to list.
    case tooMany = "too-many"
    /// A crash left it unused: it holds nothing of the snapshot.
    case leaked
    /// It cannot be read as a whole.
    case unreadable
    /// Its evidence contradicts itself, or other evidence.
    case contradicted
    /// It holds zeroes, as other places do; or its copy had not ended.
    case zeroes
    /// There is no evidence of a place, in its content or its neighbours.
    case noEvidence = "no-evidence"

    /// The reason in a few words, after a number of chunks.
    public var words: String {
      switch self {
      case .notLookedFor: "not searched for"
      case .olderTable: "of an older table"
      case .tooMany: "too many to list"
      case .leaked: "left unused by a crash"
      case .unreadable: "unreadable"
      case .contradicted: "with evidence for several places"
      case .zeroes: "zeroes, which could belong anywhere"
      case .noEvidence: "without evidence"
      }
    }
  }

  /// So many orphans, for a reason; none if there are none.
  static func all(_ chunkCount: UInt64, _ reason: Reason) -> [Unplaced] {
    chunkCount == 0 ? [] : [Unplaced(reason: reason, chunkCount: chunkCount)]
  }
}
