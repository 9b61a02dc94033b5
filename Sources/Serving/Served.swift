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

  /// Opens the snapshot of a request, and makes its layer.
  package init(_ request: ServeRequest) throws {
    let notes = Notes()
    let found = try StoreInput(request.names, origin: request.origin) { notes.add($0) }
    let snapshot = Snapshot(try found.loadTable(), of: try found.requireOrigin())
    let check = try snapshot.checkOrigin()
    try notes.add(snapshot, check, found.volume)
    view = try ServedView(snapshot, request.policy)
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
    layer = try request.layer.map { [view] (path) throws in
      let target = try FileTarget(creating: FilePath(path), byteCount: request.limit)
      do throws(BlockIOError) { return try TrialLayer(over: view, in: target) } catch {
        target.discard()
        throw error
      }
    }
    report = ServeReport(
      byteCount: layer?.byteCount ?? view.byteCount, mappedByteCount: view.mappedByteCount,
      lost: view.lost, isComplete: snapshot.loaded.isComplete && view.lost.isEmpty,
      isInDoubt: check.isInDoubt || notes.isInDoubt || found.store.surroundings != nil,
      parts: parts, notes: notes.lines)
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
