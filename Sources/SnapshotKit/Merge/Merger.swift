internal import BlockIO

/// Copies the mapped chunks into the origin, which then equals the snapshot.
///
/// The store is only read, in its own order, in windows that are written in the order of the
/// origin, neighbours as one write, with the origin's partial last chunk clipped, and all flushed
/// at the end. Doing it twice is the same as doing it once.
struct Merger: Sendable {
  private let view: SnapshotView
  private let store: any BlockSource
  private let target: any BlockTarget
  /// The number of bytes read before they are written; tests make it small.
  var windowByteCount = ExtentCopier.usualWindowByteCount

  /// A merge of `view`, whose chunks are in `store`, into `target`.
  init(_ view: SnapshotView, of store: any BlockSource, into target: any BlockTarget) {
    self.view = view
    self.store = store
    self.target = target
  }

  /// Merges, after saving the data to be overwritten to `undo` if there is one.
  ///
  /// - Parameters:
  ///   - verify: Whether to read the written data back from the medium and compare it.
  ///   - shouldStop: Called now and then. If it returns true, what was written is flushed, and
  ///     ``MergeError/cut(_:)`` is thrown.
  func merge(
    undo: consuming UndoStore?, verify: Bool, progress: MergeProgress = { _, _, _ in },
    shouldStop: () -> Bool = { false }
  ) throws(MergeError) -> MergeOutcome {
    let byteCount = view.mappedByteCount
    if let undo, undo.state == .finished {
      try undo.checkOriginIsBetween()
      let lost = try self.verify(
        orSay:
          "\(undo.name): belongs to a finished merge, and the origin is not as that merge left it:"
          + " it was undone, or written since; name a new undo file")
      return MergeOutcome(
        byteCount: byteCount - lost.map(\.range).totalCount, wasFinished: true, lost: lost)
    }
    if undo?.state == .saved {
      try undo?.checkOriginIsBetween()
      try cutting(at: .merging(undo: undo?.name)) { () throws(BlockIOError) in try undo?.confirm() }
    }
    if undo?.state == .saving {
      let wasStopped = try cutting(at: .saving) { () throws(BlockIOError) in
        try undo?.save {
          progress(.saving, $0, byteCount)
          return !shouldStop()
        }
      }
      if wasStopped == true { throw cut(at: .saving) }
    }
    let stage = MergeCut.Stage.merging(undo: undo?.name)
    let (lost, wasStopped) = try cutting(at: stage) { () throws(BlockIOError) in
      try checkStore()
      let outcome = try copy {
        progress(.merging, $0, byteCount)
        return !shouldStop()
      }
      try target.flush()
      try checkStore()
      return outcome
    }
    if wasStopped { throw cut(at: stage) }
    if verify { _ = try self.verify(orSay: nil) }
    try cutting(at: stage) { () throws(BlockIOError) in try undo?.finish() }
    return MergeOutcome(
      byteCount: byteCount - lost.map(\.range).totalCount, wasFinished: false, lost: lost)
  }

  /// Throws if the store was changed since it was opened, except by our own writes: a store may be
  /// on the same physical volume as its origin.
  private func checkStore() throws(BlockIOError) {
    for file in store.files
    where !target.files.contains(where: { DeviceUse.overlap($0.identity, file.identity) }) {
      try file.checkUnchanged()
    }
  }

  private func cut(at stage: MergeCut.Stage, by cause: BlockIOError? = nil) -> MergeError {
    .cut(MergeCut(cause: cause, stage: stage, origin: target.name))
  }

  private func cutting<Result>(
    at stage: MergeCut.Stage, _ body: () throws(BlockIOError) -> Result
  ) throws(MergeError) -> Result {
    do throws(BlockIOError) { return try body() } catch { throw cut(at: stage, by: error) }
  }

  /// Copies every segment of the store that the view is made of.
  ///
  /// - Returns: What cannot be read, if the view's reading tolerates that, ascending; and whether
  ///   it was stopped.
  private func copy(
    progress: (UInt64) -> Bool
  ) throws(BlockIOError) -> (lost: [LostRange], wasStopped: Bool) {
    let isSalvage = view.table.reading == .salvage
    let order = StoreOrder(view)
    // A salvage leaves alone unreadable parts of the store, and so has to read it.
    let copier = ExtentCopier(
      from: store, to: target, readsAround: isSalvage, sharesUnread: !isSalvage,
      windowByteCount: windowByteCount)
    let outcome = try copier.copy(
      { (copy) throws(BlockIOError) in
        try order.forEachSegment { (segment) throws(BlockIOError) in
          if let extent = segment.extent { return try copy(extent) }
          if isSalvage { return }
          throw BlockIOError(
            store.name, .read, .beyondEnd(byteCount: store.byteCount), at: segment.range)
        }
      }, progress: progress)
    var lost = outcome.unreadable.map { LostRange($0, .storeUnreadable) }
    if isSalvage { lost = lost.merged(with: view.rangesBeyondStore) }
    return (lost, outcome.isStopped)
  }

  /// Reads the written data back, from the medium if possible, and compares it.
  ///
  /// - Returns: What cannot be read of the store, if the view's reading tolerates that: nothing was
  ///   written there.
  private func verify(orSay complaint: String?) throws(MergeError) -> [LostRange] {
    let isSalvage = view.table.reading == .salvage
    var lost: [LostRange] = []
    for written in target.readingBack() {
      var first: UInt64?
      let diff = try wrapping(
        MergeError.io,
        try SnapshotDiff(view, written) { range in first = first ?? range.lowerBound })
      let failed = diff.lost.first { !isSalvage || $0.reason == .originUnreadable }
      if let first = first ?? failed?.range.lowerBound {
        if let complaint { throw .refused(MergeRefusal(.undoOfOther, complaint)) }
        throw .verificationFailed(target.name, byteOffset: first)
      }
      lost = diff.lost
    }
    return lost
  }
}

extension SnapshotView.Segment {
  /// The copy that puts it in its place, if it comes from the store.
  var extent: CopyExtent? {
    guard case .store(let offset) = place else { return nil }
    return CopyExtent(
      sourceOffset: offset, targetOffset: range.lowerBound,
      byteCount: range.upperBound - range.lowerBound)
  }
}
