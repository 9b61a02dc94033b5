internal import BlockIO
public import SnapshotFormat

/// One use of a store's space: the surviving parts of a table.
public struct Generation: Sendable {
  /// Its number: 0 for the newest that has exceptions, higher for older ones.
  public let index: Int
  /// Whether it is the table in use, rather than one whose space a newer one took over.
  public let isCurrent: Bool
  /// The areas from its first surviving one to its last.
  public let areas: Range<UInt64>
  /// The exceptions that the evidence supports, in table order, each old and new chunk once.
  public let runs: [ExceptionRun]
  /// The number of exceptions.
  public let exceptionCount: UInt64
  /// The number of them that may belong to another table: the evidence does not decide that.
  public let doubtfulCount: UInt64
  /// The maximum number of exceptions that are lost with their sixteen bytes.
  public let lostExceptionCount: UInt64
  /// Whether the table may have continued after its last surviving area.
  public let isEndLost: Bool
  /// The chunks of the origin whose content is known to be lost, and why, ascending.
  public let lost: [LostChunks]
  /// Data chunks that Linux allocated but no surviving exception names, ascending.
  package let orphans: [Orphan]
  /// The number of orphans; more than are listed only if there are very many ranges.
  public let orphanCount: UInt64
  /// Chunks of zeroes after the last of them, which may be copies as well.
  var emptyTail: [Orphan] = []
  /// The maximum number of them that Linux was copying, or had copied, when it invalidated the
  /// snapshot.
  public let inFlightCount: UInt64
  /// Whether the evidence does not decide where the table ends.
  public let isInDoubt: Bool
  /// The decisions, and their reasons.
  public let findings: [Finding]
  /// Exceptions for this chunk of the store, and for those after it, may belong to another table;
  /// nil if none may, or it is not known which.
  package internal(set) var firstDoubtfulChunk: UInt64?
  /// Whether chunks were in flight that have been placed since: writes to the origin after the
  /// snapshot was invalidated were nevertheless copied nowhere.
  var hadInFlight = false

  /// Whether exceptions are lost, or may be, whose old chunks are unknown.
  var hasUnknownLosses: Bool {
    isEndLost || inFlightCount > 0 || hadInFlight
      || lostExceptionCount > lostChunkCount(for: [.exceptionLost, .exceptionDamaged])
  }

  /// The number of chunks of the origin that are lost for one of those reasons.
  func lostChunkCount(for reasons: [LostRange.Reason]) -> UInt64 {
    lost.filter { reasons.contains($0.reason) }.map(\.old).totalCount
  }

  /// Whether everything that the table ever had is here, and nothing else, beyond doubt.
  public var isComplete: Bool {
    lost.isEmpty && lostExceptionCount == 0 && !isEndLost && inFlightCount == 0
      && !hadInFlight && doubtfulCount == 0 && !isInDoubt
  }
}

/// Chunks of the origin whose content in the snapshot is lost.
public struct LostChunks: Equatable, Sendable {
  /// The chunks of the origin.
  public var old: Range<UInt64>
  /// The reason for the loss.
  public var reason: LostRange.Reason

  /// The bytes of an origin of that length; nil if it has none of them.
  public func range(_ geometry: StoreGeometry, originByteCount: UInt64) -> LostRange? {
    guard let start = geometry.byteOffset(of: Chunk(old.lowerBound)), start < originByteCount else {
      return nil
    }
    let end = geometry.byteOffset(of: Chunk(old.upperBound)) ?? originByteCount
    return LostRange(start..<min(end, originByteCount), reason)
  }
}

extension [LostChunks] {
  /// The losses, ascending, without the chunks that exceptions map after all.
  func settled(besides runs: [ExceptionRun]) -> [LostChunks] {
    if isEmpty { return [] }
    var ascending = runs
    ascending.sortByOldChunk()
    let lost = sorted {
      ($0.old.lowerBound, $0.reason.rawValue) < ($1.old.lowerBound, $1.reason.rawValue)
    }
    var left: [LostChunks] = []
    var end: UInt64 = 0  // of what is done
    var index = 0
    for chunks in lost {
      var old = Swift.max(chunks.old.lowerBound, end)
      while old < chunks.old.upperBound {
        while index < ascending.count, ascending[index].lastOld < old { index += 1 }
        let next = index < ascending.count ? ascending[index].old : .max
        let gapEnd = Swift.min(next, chunks.old.upperBound)
        if old < gapEnd {
          if let last = left.last, last.reason == chunks.reason, last.old.upperBound == old {
            left[left.count - 1].old = last.old.lowerBound..<gapEnd
          } else {
            left.append(LostChunks(old: old..<gapEnd, reason: chunks.reason))
          }
        }
        old =
          index < ascending.count
          ? Swift.max(gapEnd, Swift.min(ascending[index].lastOld + 1, chunks.old.upperBound))
          : gapEnd
      }
      end = Swift.max(end, chunks.old.upperBound)
    }
    return left
  }
}
