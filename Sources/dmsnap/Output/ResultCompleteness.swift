import BlockIO
import Inputs
import LVM2
import SnapshotKit

/// The losses of a result: those that its reading of the table knows, and the unreadable ranges.
struct ResultCompleteness {
  /// The known ranges of the origin, ascending.
  let ranges: [LostRange]
  /// Whether exceptions are lost, or may be, that no range accounts for.
  private let hasUnknown: Bool
  /// Whether the store was read from inside a file system, perhaps in fragments.
  private let isInFilesystem: Bool
  /// Whether nothing is missing.
  let isEmpty: Bool

  init(_ loaded: LoadedTable, _ unreadable: [LostRange], originByteCount: UInt64) {
    let inOrigin = unreadable.compactMap { lost -> LostRange? in
      let range = lost.range.clamped(to: 0..<originByteCount)
      return range.isEmpty ? nil : LostRange(range, lost.reason)
    }
    ranges = loaded.lostRanges(originByteCount: originByteCount).merged(with: inOrigin)
    hasUnknown = loaded.hasUnknownLosses
    isInFilesystem = loaded.store.surroundings != nil
    isEmpty = ranges.isEmpty && loaded.isComplete
  }

  init(_ snapshot: Snapshot, _ unreadable: [LostRange]) {
    self.init(snapshot.loaded, unreadable, originByteCount: snapshot.view.byteCount)
  }

  /// A result without a table, with the ranges that could not be read.
  init(_ unreadable: [LostRange]) {
    ranges = unreadable
    (hasUnknown, isInFilesystem) = (false, false)
    isEmpty = unreadable.isEmpty
  }

  /// Prints the losses, to stderr.
  func say() {
    let shown = 20
    for range in ranges.prefix(shown) { Console.say("dmsnap: \(range)") }
    if ranges.count > shown {
      Console.say("dmsnap: and \(ranges.count - shown) more ranges; --format json lists them all")
    }
    if hasUnknown {
      Console.say(
        "dmsnap: exceptions are lost, or may be; their chunks are unknown")
    }
  }

  /// Ends the command with status 2 if anything is missing, and with 1 if it is in doubt.
  ///
  /// - Parameters:
  ///   - volume: The result's snapshot, if it is of a volume group.
  ///   - check: What the content reveals about the origin, if the result has chunks of it.
  func finish(
    _ volume: SnapshotVolume? = nil, _ check: OriginCheck? = nil
  ) throws {
    if !isEmpty { throw Failure(.damage) }
    if isInFilesystem || check?.isInDoubt == true { throw Failure(.warnings) }
    try volume?.finish()
  }
}

extension StoreInput {
  /// Ends the command with status 1 if the store's surroundings leave it in doubt: a file system,
  /// or a volume group.
  func finish() throws {
    if store.surroundings != nil { throw Failure(.warnings) }
    try volume?.finish()
  }
}

extension SnapshotVolume {
  /// Ends the command with status 1 if the group's metadata puts the volume in doubt.
  func finish() throws {
    if try check().putVolumeInDoubt { throw Failure(.warnings) }
  }
}
