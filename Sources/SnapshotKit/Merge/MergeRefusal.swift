/// A reason to refuse a merge: nothing was written to the origin.
public struct MergeRefusal: Error, Equatable, Sendable, CustomStringConvertible {
  /// Its kind: stable, for programs.
  public let code: MergeRefusalCode
  /// The reason for the refusal, and how to override it, if possible: one sentence, which begins
  /// with the name of the file or volume.
  public let description: String

  init(_ code: MergeRefusalCode, _ description: String) {
    self.code = code
    self.description = description
  }
}

/// The kinds of refusals.
///
/// The cases have no comments: the ``entry`` of each describes it, as docs/refusals.md does.
public enum MergeRefusalCode: String, CaseIterable, Sendable {
  case storeIsOrigin = "merge.store-is-origin"
  case targetUnavailable = "merge.target-unavailable"
  case targetNotWritable = "merge.target-not-writable"
  case kernelWouldFail = "merge.kernel-would-fail"
  case storeUnreadable = "merge.store-unreadable"
  case unrelatedOrigin = "merge.unrelated-origin"
  case smallOrigin = "merge.small-origin"
  case otherSnapshots = "merge.other-snapshots"
  case undoElsewhere = "merge.undo-elsewhere"
  case undoIncomplete = "merge.undo-incomplete"
  case undoDamaged = "merge.undo-damaged"
  case undoIsInput = "merge.undo-is-input"
  case undoExists = "merge.undo-exists"
  case undoOfOther = "merge.undo-of-other"
  case originWritten = "merge.origin-written"
  case noRoom = "merge.no-room"
  case planUnreadable = "merge.plan-unreadable"
  case planEdited = "merge.plan-edited"
  case planOutdated = "merge.plan-outdated"
  case groupInDoubt = "merge.group-in-doubt"
  case storeReused = "merge.store-reused"
  case originMoved = "merge.origin-moved"
  case originIsStore = "merge.origin-is-store"
  case sharedExtents = "merge.shared-extents"
  case overMetadata = "merge.over-metadata"
  case severalLegs = "merge.several-legs"
  case degradedArray = "merge.degraded-array"
}

/// The catalogue's entry for a kind of refusal.
public struct MergeRefusalEntry: Sendable {
  /// The reason for the refusal, in a few words.
  public let title: String
  /// The reason why that prevents a merge.
  public let reason: String
  /// The remedy; if `--accept` overrides it, how.
  public let remedy: String
}

/// A reason to refuse a merge that the user can override.
public enum AcceptedRisk: String, CaseIterable, Sendable {
  /// The content of the origin contradicts the store.
  case unrelatedOrigin = "unrelated-origin"
  /// The table has exceptions for chunks past the end of the origin.
  case smallOrigin = "small-origin"
  /// Other snapshots of the volume would show the written data.
  case otherSnapshots = "other-snapshots"
  /// Some members of a mirroring array are written, and the others are missing.
  case degradedArray = "degraded-array"
}
