internal import BlockIO
internal import SnapshotFormat

/// The findings of a store beside its origin.
struct ContextCheck {
  private(set) var findings: [Finding] = []

  init(
    _ store: Store, _ origin: any BlockSource, _ geometry: StoreGeometry, _ census: TableCensus
  ) {
    let chunkCount = geometry.chunkCount(ofOrigin: origin.byteCount)
    if census.neededOriginChunkCount > chunkCount {
      findings.append(
        Finding(
          code: .originSmaller, place: Finding.Place(),
          found: "\(origin.name) has \(chunkCount) chunks (\(origin.byteCount) bytes)",
          required: "\(census.neededOriginChunkCount) chunks"))
    } else if census.usableCount > 0, census.lastOld < chunkCount / 64 {
      findings.append(
        Finding(
          code: .originLarger, place: Finding.Place(),
          found: "\(origin.name) has \(chunkCount) chunks",
          required: "\(census.lastOld + 1) chunks at the least"))
    }
  }
}
