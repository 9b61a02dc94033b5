internal import Blkid
public import BlockIO
internal import SnapshotFormat

// Checks that need the origin's content.

extension Auditor {
  /// Examines the content of the snapshot, and adds the findings to the audit.
  ///
  /// If Linux would not show the store, the salvaged snapshot is examined.
  func checkOrigin(addingTo audit: inout Audit) throws(StoreError) {
    guard let view = try view(audit) else { return }
    let check = try OriginCheck(view, hasInFlightChunks: audit.findings.hasInFlightChunks)
    for finding in check.findings { audit.add(finding) }
    audit.origin = check
  }

  /// Compares the data of every exception with the origin's, and adds the findings.
  func compareData(
    addingTo audit: inout Audit, progress: ProgressHandler
  ) throws(StoreError) {
    guard let origin, let view = try view(audit) else { return }
    let diff = try wrapping(
      StoreError.io, try SnapshotDiff(view, origin, progress: progress) { _ in })
    guard diff.identicalChunkCount > 0 else { return }
    audit.add(
      Finding(
        code: .dataIdentical, place: Finding.Place(),
        found: "chunks that equal the origin's: \(diff.identicalChunkCount)",
        required: "chunks that differ", count: diff.identicalChunkCount))
  }

  private func view(_ audit: Audit) throws(StoreError) -> SnapshotView? {
    guard let origin else { return nil }
    guard let table = audit.walk.table, audit.plan?.gaps.isEmpty ?? true else {
      guard let plan = audit.plan, let generation = plan.generations.first else { return nil }
      let table = ExceptionTable(salvaged: generation.runs, plan.geometry)
      return SnapshotView(of: origin, through: table, of: plan.store.source)
    }
    return SnapshotView(
      of: origin, through: try wrapping(store.explained(table:), try table.get()), of: store.source)
  }
}

extension Audit {
  /// The snapshot of an origin as a salvage at a level shows it; nil if there is nothing to
  /// salvage.
  ///
  /// - Parameter isOlderWanted: Whether an older table counts where Linux loads an empty one.
  public func salvaged(
    of origin: any BlockSource, _ level: PlacementLevel, isOlderWanted: Bool
  ) -> Snapshot? {
    guard let plan, let generation = plan.generations.first,
      generation.isCurrent || load.verdict != .loads || isOlderWanted
    else { return nil }
    return Snapshot(LoadedTable(plan, generation, placement, level), of: origin)
  }
}
