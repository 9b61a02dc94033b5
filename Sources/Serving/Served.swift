package import BlockIO
internal import Inputs
internal import SnapshotKit
internal import SystemPackage

/// A snapshot that is ready to be served, by NBD or by FUSE.
package struct Served: Sendable {
  /// The view, without what is written to it.
  package let view: ServedView
  /// What keeps what is written; nil if nothing may be.
  package let layer: TrialLayer?
  /// What is served of it.
  package let parts: [ServedPart]
  /// What is to be known of it.
  package let report: ServeReport
  private let layerFile: FileTarget?

  /// Opens the snapshot of a request, and makes its layer.
  ///
  /// - Parameter tell: Gets what puts in doubt what is served, as ``ServedView`` finds it, and how
  ///   the layer fails.
  package init(
    _ request: ServeRequest, tell: @escaping @Sendable (any Error) -> Void
  ) throws {
    let notes = Notes()
    let found = try StoreInput(request.names, origin: request.origin) { notes.add($0) }
    let snapshot = Snapshot(try found.loadTable(), of: try found.requireOrigin())
    let check = try snapshot.checkOrigin()
    try notes.add(snapshot, check, found.volume)
    view = try ServedView(snapshot, request.policy, tell: tell)
    let all = try ServedPart.all(of: snapshot.view)
    if let number = request.partition {
      guard let part = all.first(where: { $0.number == number }) else {
        throw ServeError.noPartition(
          number, known: all.compactMap(\.number), snapshot.view.name)
      }
      parts = [part]
    } else {
      parts = all
    }
    try found.requireUnchanged()
    layerFile = try request.layer.map {
      try FileTarget(beginning: FilePath($0), byteCount: request.limit)
    }
    layer = try layerFile.map { [view] in try TrialLayer(over: view, in: $0, tell: tell) }
    // Nobody finds it before it is a store, and nothing of it is left if it does not become one.
    try layerFile?.publish()
    report = ServeReport(
      byteCount: layer?.byteCount ?? view.byteCount, mappedByteCount: view.mappedByteCount,
      lost: view.lost, isComplete: snapshot.loaded.isComplete && view.lost.isEmpty,
      isInDoubt: check.isInDoubt || notes.isInDoubt || found.store.surroundings != nil,
      parts: parts, notes: notes.lines)
  }

  /// Removes the layer, of a start that failed: nobody has written to it.
  package func discard() { layerFile?.discard() }

  /// Flushes the layer, which takes no more, and looks at the inputs for the last time.
  package func end() -> ServeEnd {
    // How it failed, the layer has told.
    do { try layer?.close() } catch { return .unflushed }
    if view.findsChange() { return .inputChanged }
    return view.hasFoundLoss || layer?.hasRefused == true ? .incomplete : .allWell
  }

  /// The bytes that are served.
  package var source: any BlockSource { layer ?? view }

  /// The bytes of a part, as far as they are served.
  package func bytes(of part: ServedPart) -> Range<UInt64> {
    part.bytes.clamped(to: 0..<source.byteCount)
  }
}

/// What is to be known of what is served, for whoever asked for it.
package struct ServeReport: Codable, Sendable {
  /// How long the snapshot is.
  package let byteCount: UInt64
  /// How much of it the store has.
  package let mappedByteCount: UInt64
  /// What of it is lost.
  package let lost: [Range<UInt64>]
  /// Whether nothing is lost, and nothing may be.
  package let isComplete: Bool
  /// Whether it may be wrong all the same.
  package let isInDoubt: Bool
  /// What is served of it.
  package let parts: [ServedPart]
  /// What the user should know, a line each.
  package let notes: [String]
}
