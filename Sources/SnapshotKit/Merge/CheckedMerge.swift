public import BlockIO

/// A merge against which nothing speaks: a dry run, a plan and the merge itself are three uses of
/// it.
public struct CheckedMerge: Sendable {
  let request: MergeRequest
  /// The table that is merged.
  public let loaded: LoadedTable
  /// All that the table has of the snapshot, over the origin.
  public let whole: SnapshotView
  /// What of it is written.
  public let view: SnapshotView
  /// What the content of the two tells.
  public let origin: OriginCheck
  /// Whether the store is an undo store: the merge gives back what another overwrote.
  public let isUndo: Bool
  /// Whether it is a damaged one: what is given back may be wrong.
  public let isDamagedUndo: Bool
  /// What the user should know before anything is written, each beginning with a name.
  public let notes: [String]
  /// What is written; nil where nothing is to be.
  let target: (any BlockTarget)?
  /// The undo file, where it was there already.
  let existingUndo: FileSource?

  /// The snapshot that is merged, all of it, over the origin.
  public var snapshot: Snapshot { Snapshot(loaded, of: whole.origin) }

  /// How many bytes of the origin it would overwrite, or will.
  public var byteCount: UInt64 { view.mappedByteCount }
  /// How many bytes of the snapshot the origin holds already, and are left alone.
  public var skippedByteCount: UInt64 { whole.mappedByteCount - view.mappedByteCount }
  /// How many bytes an undo file has.
  public var undoByteCount: UInt64 { UndoStore.byteCount(for: view) }
  /// Whether something beside what is lost leaves the result in doubt.
  public var isInDoubt: Bool {
    // What the user accepted is no doubt of ours.
    origin.contradiction == nil && origin.isInDoubt
  }

  /// What is known to be lost without reading the data.
  public var knownLosses: [LostRange] { view.knownLosses }

  /// Writes down what the merge would do, as a plan that can be looked at and held to.
  public func writePlan(
    _ plan: MergePlan, to file: OutputText, progress: MergeProgress = { _, _, _ in }
  ) throws(MergeError) {
    try plan.write(view, to: file) { progress(.planning, $0, $1) }
  }

  /// Merges: saves what will be overwritten, if there is to be a way back, and makes the origin the
  /// snapshot.
  ///
  /// - Parameters:
  ///   - verify: Whether to read back what was written, from the medium, and compare.
  ///   - shouldStop: Is asked now and then. When it says so, what was written is flushed, and
  ///     ``MergeError/cut(_:)`` is thrown.
  public func merge(
    verify: Bool = false, progress: MergeProgress = { _, _, _ in },
    shouldStop: () -> Bool = { false }
  ) throws(MergeError) -> MergeOutcome {
    guard let target else { preconditionFailure("the merge was not checked to be written") }
    return try Merger(view, of: loaded.store.source, into: target).merge(
      undo: try undoStore(over: target), verify: verify, progress: progress,
      shouldStop: shouldStop)
  }

  private func undoStore(over target: any BlockTarget) throws(MergeError) -> UndoStore? {
    guard let path = request.undoPath else { return nil }
    let (file, isNew) = try UndoFile.open(
      path, existing: existingUndo, byteCount: undoByteCount
    ) {
      UndoStore.unsharedByteCount(for: view, over: target, in: $0)
    }
    return try UndoStore(of: view, over: target, in: file, isNew: isNew)
  }
}

/// What a merge did.
public struct MergeOutcome: Sendable {
  /// How many bytes of the origin were written.
  public let byteCount: UInt64
  /// Whether an undo store said that there was nothing left to do.
  public let wasFinished: Bool
  /// The ranges of the origin that were left as they are, the store being unreadable there.
  public let lost: [LostRange]
}
