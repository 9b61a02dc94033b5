internal import SnapshotFormat

/// The data chunks that were copied to but that no exception names: `{"chunkCount", "byteCount"}`.
struct UnnamedReport: Encodable {
  let chunkCount: UInt64
  let byteCount: UInt64

  init(_ chunkCount: UInt64, _ geometry: StoreGeometry?) {
    self.chunkCount = chunkCount
    byteCount = chunkCount * (geometry?.chunkSize.byteCount ?? 0)
  }
}
