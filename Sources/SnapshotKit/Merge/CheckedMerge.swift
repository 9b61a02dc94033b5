public import BlockIO

/// A merge that passed all checks: a dry run, a plan and the merge itself all start from it.
public struct CheckedMerge: Sendable {
  let request: MergeRequest
  /// The whole snapshot that is merged, over the origin.
  public let snapshot: Snapshot
  /// The view that is written.
  public let view: SnapshotView
  /// The comparison of store and origin by content.
  public let origin: OriginCheck
  /// Whether the store is an undo store: the merge restores the data that another overwrote.
  public let isUndo: Bool
  /// Whether it is a damaged one: the restored data may be wrong.
  public let isDamagedUndo: Bool
  /// Notes for the user before anything is written, each beginning with a name.
  public let notes: [String]
  /// The target; nil if nothing will be written.
  let target: (any BlockTarget)?
  /// The undo file, if it existed already.
  let existingUndo: FileSource?

  /// The number of bytes of the origin that the merge overwrites.
  public var byteCount: UInt64 { view.mappedByteCount }
  /// The number of bytes of the snapshot that the origin already holds, and that are left alone.
  public var skippedByteCount: UInt64 { snapshot.view.mappedByteCount - view.mappedByteCount }
  /// The length of an undo file.
  public var undoByteCount: UInt64 { UndoStore.byteCount(for: view) }
  /// Whether anything besides losses leaves the result in doubt.
  public var isInDoubt: Bool {
    // A contradiction that the user accepted is no doubt.
    origin.contradiction == nil && origin.isInDoubt
  }

  /// The losses known without reading the data.
  public var knownLosses: [LostRange] { view.knownLosses }

  /// Writes what the merge would do, as a plan that can be reviewed and applied.
  public func writePlan(
    _ plan: MergePlan, to file: OutputText, progress: MergeProgress = { _, _, _ in }
  ) throws(MergeError) {
    try plan.write(view, to: file) { progress(.planning, $0, $1) }
  }

  /// Merges: saves the data that will be overwritten, if there is to be a way back, and makes the
  /// origin the snapshot.
  ///
  /// A merge that was checked for another purpose has not locked the origin: it is checked again,
  /// for this one.
  ///
  /// - Parameters:
  ///   - verify: Whether to read the written data back from the medium and compare it.
  ///   - shouldStop: Called now and then. If it returns true, what was written is flushed, and
  ///     ``MergeError/cut(_:)`` is thrown.
  public func merge(
    verify: Bool = false, progress: MergeProgress = { _, _, _ in },
    shouldStop: () -> Bool = { false }
  ) throws(MergeError) -> MergeOutcome {
    guard let target else {
      return try request.checked(for: .merge, progress: progress).merge(
        verify: verify, progress: progress, shouldStop: shouldStop)
    }
    return try Merger(view, of: snapshot.loaded.store.source, into: target).merge(
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

/// The result of a merge.
public struct MergeOutcome: Sendable {
  /// The number of bytes of the origin that were written.
  public let byteCount: UInt64
  /// Whether the undo store said that nothing was left to do.
  public let wasFinished: Bool
  /// The ranges of the origin that were left as they are because the store is unreadable there.
  public let lost: [LostRange]
}
