internal import BlockIO
internal import SnapshotFormat

/// The findings of a store compared with its origin's size.
struct OriginSizeCheck {
  private(set) var findings: [Finding] = []

  init(
    _ store: Store, _ origin: any BlockSource, _ geometry: StoreGeometry, _ census: TableCensus
  ) {
    let chunkCount = geometry.chunkCount(ofOrigin: origin.byteCount)
    if census.neededOriginChunkCount > chunkCount {
      let last = Chunk(census.neededOriginChunkCount - 1)
      let end = geometry.byteOffset(of: Chunk(last.index + 1)).map { " (\($0) bytes)" } ?? ""
      findings.append(
        Finding(
          code: .originSmaller, place: Finding.Place(oldChunk: last.index),
          found: "\(origin.name) has \(chunkCount) chunks (\(origin.byteCount) bytes)",
          required: "\(last.index + 1) chunks\(end) at least"))
    } else if census.usableCount > 0, census.lastOld < chunkCount / 64 {
      findings.append(
        Finding(
          code: .originLarger, place: Finding.Place(),
          found: "\(origin.name) has \(chunkCount) chunks",
          required: "\(census.lastOld + 1) chunks at least"))
    }
  }
}

extension Audit {
  /// The minimum length of an origin that has a chunk for every exception, if the given origin is
  /// shorter.
  package var neededOriginByteCount: UInt64? {
    guard let last = findings.first(where: { $0.code == .originSmaller })?.place.oldChunk else {
      return nil
    }
    return geometry?.byteOffset(of: Chunk(last &+ 1))
  }
}
