package import BlockIO
internal import Inputs
internal import SnapshotKit
internal import SystemPackage

/// A snapshot that is ready to be served, by NBD or by FUSE.
package struct Served: Sendable {
  /// The view, without client writes.
  package let view: ServedView
  /// The layer for client writes; nil if it is read-only.
  package let layer: TrialLayer?
  /// The served parts.
  package let parts: [ServedPart]
  /// The report about it.
  package let report: ServeReport
  private let layerFile: FileTarget?

  /// Opens the snapshot of a request, and makes its layer.
  ///
  /// - Parameter tell: Called with each problem that ``ServedView`` finds while serving, and with
  ///   failures of the layer.
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
    // It gets its name only as a complete store, and disappears if it never becomes one.
    try layerFile?.publish()
    report = ServeReport(
      byteCount: layer?.byteCount ?? view.byteCount, mappedByteCount: view.mappedByteCount,
      lost: view.lost, isComplete: snapshot.loaded.isComplete && view.lost.isEmpty,
      isInDoubt: check.isInDoubt || notes.isInDoubt || found.store.surroundings != nil,
      parts: parts, notes: notes.lines)
  }

  /// Removes the layer after a failed start: no client has written to it.
  package func discard() { layerFile?.discard() }

  /// Flushes and closes the layer, and checks the inputs for the last time.
  package func end() -> ServeEnd {
    // The layer has reported how it failed.
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

/// The report about a served snapshot.
package struct ServeReport: Codable, Sendable {
  /// The length of the snapshot.
  package let byteCount: UInt64
  /// The number of its bytes that the store has.
  package let mappedByteCount: UInt64
  /// The lost bytes.
  package let lost: [Range<UInt64>]
  /// Whether nothing is lost, or may be.
  package let isComplete: Bool
  /// Whether it may nevertheless be wrong.
  package let isInDoubt: Bool
  /// The served parts.
  package let parts: [ServedPart]
  /// Notes for the user, one line each.
  package let notes: [String]
}
