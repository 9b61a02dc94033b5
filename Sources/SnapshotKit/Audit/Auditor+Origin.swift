internal import Blkid
public import BlockIO
internal import SnapshotFormat

// What needs the origin's content.

extension Auditor {
  /// Examines what the snapshot holds, and adds the findings to the audit.
  ///
  /// If Linux would not show the store, the salvaged snapshot is examined.
  ///
  /// - Returns: nil without an origin, or if nothing can be salvaged.
  public func checkOrigin(addingTo audit: inout Audit) throws(ContentError) -> OriginCheck? {
    guard let view = try view(audit) else { return nil }
    let check = try OriginCheck(view, hasInFlightChunks: audit.findings.hasInFlightChunks)
    for finding in check.findings { audit.add(finding) }
    return check
  }

  /// Compares the data of every exception with the origin's, and adds the findings.
  public func compareData(
    addingTo audit: inout Audit, progress: ProgressHandler
  ) throws(ContentError) {
    guard let origin, let view = try view(audit) else { return }
    let diff: SnapshotDiff
    do throws(BlockIOError) {
      diff = try SnapshotDiff(view, origin, progress: progress) { _ in }
    } catch {
      throw .io(error)
    }
    guard diff.identicalChunkCount > 0 else { return }
    audit.add(
      Finding(
        code: .dataIdentical, place: Finding.Place(),
        found: "chunks that equal the origin's: \(diff.identicalChunkCount)",
        required: "chunks that differ", count: diff.identicalChunkCount))
  }

  private func view(_ audit: Audit) throws(ContentError) -> SnapshotView? {
    guard let origin else { return nil }
    guard audit.load.verdict == .loads, let geometry = store.geometry,
      let extent = audit.load.extent, audit.plan?.gaps.isEmpty ?? true
    else {
      guard let plan = audit.plan, let generation = plan.generations.first else { return nil }
      let table = ExceptionTable(salvaged: generation.runs, plan.geometry)
      return SnapshotView(of: origin, through: table, of: plan.store.source)
    }
    do throws(TableError) {
      let table = try ExceptionTable(store, geometry, extent, reading: reading)
      return SnapshotView(of: origin, through: table, of: store.source)
    } catch {
      throw .table(error)
    }
  }
}
