public import SnapshotFormat

/// The numbers of placed orphans, and the reasons why the others have no place.
///
///     {"orphanCount", "provenCount", "likelyCount", "unplacedCount",
///      "unplaced": [{"reason", "chunkCount", "byteCount"}],
///      "siblings": [{"path", "verdict"}]}
struct PlacementReport: Encodable {
  let orphanCount: UInt64
  let provenCount: UInt64
  let likelyCount: UInt64
  let unplacedCount: UInt64
  let unplaced: [Part]
  let siblings: [Witness]

  /// The use made of a sibling.
  struct Witness: Encodable {
    let path: String
    let verdict: String
  }

  /// Orphans without a place, for one reason.
  struct Part: Encodable {
    let reason: String
    let chunkCount: UInt64
    let byteCount: UInt64
  }

  init(_ plan: PlacementPlan, _ geometry: StoreGeometry?) {
    siblings = plan.siblings.map { Witness(path: $0.name, verdict: $0.verdict.rawValue) }
    let chunkByteCount = geometry?.chunkSize.byteCount ?? 0
    unplaced = plan.unplaced.map {
      Part(
        reason: $0.reason.rawValue, chunkCount: $0.chunkCount,
        byteCount: $0.chunkCount * chunkByteCount)
    }
    (orphanCount, provenCount) = (plan.orphanCount, plan.provenCount)
    (likelyCount, unplacedCount) = (plan.likelyCount, plan.unplacedCount)
  }
}

/// Orphans that were given a place.
///
///     {"old", "new", "count", "strength", "evidence", "byteOffset", "byteCount"}
///
/// `byteOffset` and `byteCount` are the origin's, in a list of its own (`--evidence`).
public struct PlacedReport: Encodable, Sendable {
  let old: UInt64
  let new: UInt64
  let count: UInt64
  let strength: String
  let evidence: [String]
  let byteOffset: UInt64?
  let byteCount: UInt64?

  /// The report of a placement.
  ///
  /// - Parameter geometry: The places of chunks, for the bytes of the origin.
  public init(_ placement: Placement, _ geometry: StoreGeometry? = nil) {
    byteOffset = geometry?.byteOffset(of: Chunk(placement.old))
    byteCount = geometry.map { placement.count * $0.chunkSize.byteCount }
    (old, new, count) = (placement.old, placement.new, placement.count)
    strength = placement.strength.rawValue
    evidence = placement.evidence.map(\.rawValue)
  }
}
