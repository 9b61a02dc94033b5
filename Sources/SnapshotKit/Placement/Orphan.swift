internal import SnapshotFormat

/// Consecutive data chunks that no exception names.
public struct Orphan: Equatable, Sendable {
  /// The first chunk of the store.
  public var new: UInt64
  /// The number of chunks, with no area between them.
  public var count: UInt64
  /// The chunk of the origin that the first belongs to, if the exceptions before and after are the
  /// ends of a run whose middle they exactly fill; otherwise nil.
  public var old: UInt64?
  /// The reason why no exception maps them.
  public var reason: Reason

  /// A reason why no exception maps a data chunk.
  public enum Reason: String, Sendable {
    /// Its exception was written, and is lost: with its area, or by damage to its sixteen bytes.
    /// Linux had copied the chunk before.
    case exceptionLost = "exception-lost"
    /// It comes after the last surviving exception: the table may have gone on, or the chunk may
    /// hold older data.
    case endLost = "end-lost"
    /// It comes after the last exception, where the table ends or the rest of it was zeroed: the
    /// chunk holds data, which may be older.
    case endInDoubt = "end-in-doubt"
    /// Linux was copying it, or had copied it, when it invalidated the snapshot. If the copy had
    /// not ended, the chunk holds older data.
    case inFlight = "in-flight"
    /// Nothing is lost: a crash left it unused.
    case leaked
  }
}

extension Orphan {
  /// Whether it may have been copied for another use of the space, by the remains of the table.
  func mayBeOthers(ofTable runs: [ExceptionRun]) -> Bool {
    reason == .endInDoubt || reason == .endLost && runs.isEmpty
  }

  /// The same, on the assumption that doubtful chunks are the table's.
  var ofLostTable: Orphan {
    var orphan = self
    if reason == .endLost { orphan.reason = .exceptionLost }
    return orphan
  }
}

extension [Orphan] {
  /// Their number of chunks.
  var chunkCount: UInt64 { reduce(0) { $0 + $1.count } }

  /// Those of the first chunks, up to a number of these.
  func first(chunkCount limit: UInt64) -> [Orphan] {
    var first: [Orphan] = []
    var rest = limit
    for var orphan in self where rest > 0 {
      orphan.count = Swift.min(orphan.count, rest)
      rest -= orphan.count
      first.append(orphan)
    }
    return first
  }
}
