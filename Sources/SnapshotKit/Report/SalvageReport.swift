internal import BlockIO
internal import SnapshotFormat

/// `salvage --format json`: the content of the new store, and every decision that led to it.
///
///     {"schema": "dmsnap.salvage.v1", "complete": false, "exceptionCount": 302,
///      "byteCount": 1253376, "chunkSectors": 8, "chunkSizeFrom": "header" | "areas" | "option",
///      "chunkSizes": [{"chunkSectors", "areaCount", "exceptionCount"}], "generation": 0,
///      "lost": [{"byteOffset", "byteCount", "reason"}], "lostExceptionCount": 0, "endLost": false,
///      "decisions": [{"decision": "kept" | "dropped" | "lost" | "doubted", "reason", "count",
///                     "ranges": [{"byteOffset", "byteCount"}]}],
///      "orphans": [{"newChunk", "count", "oldChunk"}], "unnamed": {"chunkCount", "byteCount"},
///      "placement": {"orphanCount", "provenCount", "likelyCount", "unplacedCount",
///                    "unplaced": [{"reason", "chunkCount", "byteCount"}],
///                    "siblings": [{"path", "verdict"}]},
///      "placements": [{"old", "new", "count", "strength": "proven" | "likely", "evidence": []}],
///      "gaps": [{"byteOffset", "byteCount", "missingByteCount"}], "fileLosses": {…} | null}
///
/// `exceptionCount` and `byteCount` are the new store's. `lost` are ranges of the origin; the
/// ranges of a decision are of the old store. `lostExceptionCount` is the maximum number of
/// exceptions that are gone without a trace of what they were for, `endLost` whether more may have
/// followed. `reason` is "supported" or the code of a finding. `chunkSizes` has the chunk sizes
/// that find anything, if the header did not settle that. `unnamed` counts all chunks that no
/// exception names, `placement` those of them that have a place; `placements` are in the new store,
/// and `orphans` are what is left.
public struct SalvageReport: Encodable, Sendable {
  let schema = "dmsnap.salvage.v1"
  let complete: Bool
  let exceptionCount: UInt64
  let byteCount: UInt64
  let chunkSectors: UInt32
  let chunkSizeFrom: String
  let chunkSizes: [Score]
  let generation: Int
  let lost: [CopyReport.Lost]
  let lostExceptionCount: UInt64
  let endLost: Bool
  let decisions: [Decision]
  let orphans: [Orphan]
  let unnamed: UnnamedReport
  let placement: PlacementReport
  let placements: [PlacedReport]
  let gaps: [GapReport]
  @Nullable var fileLosses: LostFilesReport?

  struct Score: Encodable {
    let chunkSectors: UInt32
    let areaCount: Int
    let exceptionCount: Int
  }

  struct Decision: Encodable {
    let decision: String
    let reason: String
    let count: UInt64
    let ranges: [ByteRangeReport]
  }

  struct Orphan: Encodable {
    let newChunk: UInt64
    let count: UInt64
    @Nullable var oldChunk: UInt64?
  }

  /// The report of a generation that was written to a store of that length.
  ///
  /// - Parameters:
  ///   - placement: Where orphans belong.
  ///   - level: Which of that was used.
  ///   - lost: Everything that is known to be lost.
  public init(
    _ plan: SalvagePlan, _ generation: Generation, _ placement: PlacementPlan,
    _ level: PlacementLevel, byteCount: UInt64, lost: [LostRange], isComplete: Bool,
    files: [LostFiles]? = nil
  ) {
    fileLosses = files.map { LostFilesReport($0) }
    complete = isComplete
    exceptionCount = generation.exceptionCount
    self.byteCount = byteCount
    chunkSectors = plan.geometry.chunkSize.sectorCount
    chunkSizeFrom = plan.inferred.basis.rawValue
    chunkSizes = (plan.inferred.evidence?.scores ?? []).filter { $0.exceptionCount > 0 }.map {
      Score(
        chunkSectors: $0.chunkSize.sectorCount, areaCount: $0.areaCount,
        exceptionCount: $0.exceptionCount)
    }
    self.generation = generation.index
    self.lost = lost.map { CopyReport.Lost($0) }
    lostExceptionCount = generation.lostExceptionCount
    endLost = generation.isEndLost
    let kept = Decision(
      decision: "kept", reason: "supported", count: generation.exceptionCount, ranges: [])
    decisions =
      [kept]
      + generation.findings.compactMap { finding in
        finding.code.decision.map {
          Decision(
            decision: $0, reason: finding.code.rawValue, count: finding.count,
            ranges: finding.ranges.map { ByteRangeReport($0) })
        }
      }
    gaps = plan.gaps.map { GapReport($0) }
    orphans = generation.orphans.map {
      Orphan(newChunk: $0.new, count: $0.count, oldChunk: $0.old)
    }
    unnamed = UnnamedReport(placement.orphanCount, plan.geometry)
    self.placement = PlacementReport(placement, plan.geometry)
    placements = placement.placements(level).map { PlacedReport($0) }
  }
}

extension FindingCode {
  /// A salvage's decision for this finding; nil if there is none.
  fileprivate var decision: String? {
    switch self {
    case .unsupported, .oldDuplicate, .newDuplicate, .oldBeyondOrigin: "dropped"
    case .newBeyondEnd, .areaLost, .areaDamaged, .generationOverwritten, .orphans, .inFlight,
      .storeShifted:
      "lost"
    case .generationAmbiguous, .generationEndInDoubt, .generationMaybeOverwritten,
      .storeUnconfirmed:
      "doubted"
    default: nil
    }
  }
}
