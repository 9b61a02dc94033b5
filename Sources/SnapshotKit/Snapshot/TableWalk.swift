internal import BlockIO
internal import SnapshotFormat

/// One walk over a store's table: Linux's verdict on the store, its exceptions and, on request, its
/// runs.
struct TableWalk: Sendable {
  let store: Store
  /// Linux's handling of the store.
  let load: KernelLoad
  /// The place of areas and chunks, and the evidence for it.
  let inferred: InferredGeometry
  /// The content of a source that is not a store.
  let content: OtherContent?
  /// The extent of the table by that geometry; nil if there is none.
  let extent: TableSummary?
  /// Every exception, counted and checked by that geometry.
  let census: TableCensus?
  /// The table that Linux shows, or why Linux does not reach its end; nil if Linux shows nothing,
  /// or if the table was not requested.
  let table: Result<ExceptionTable, TableError>?

  /// Walks over the areas of `store`: once more if the header has another chunk size, or if
  /// duplicates or top bytes require it.
  ///
  /// - Parameters:
  ///   - reading: The kernel that is asked.
  ///   - chunkSize: The chunk size, if the user gave it.
  ///   - originByteCount: The length of the origin; nil if unknown.
  ///   - keepsTable: Whether to keep the runs, 24 bytes each.
  init(
    _ store: Store, reading: Reading, chunkSize: ChunkSize? = nil, originByteCount: UInt64?,
    keepsTable: Bool
  ) {
    self.store = store
    inferred = InferredGeometry(store, chunkSize: chunkSize)
    content =
      inferred.basis == .option
      ? nil : OtherContent.contradicting(store, inferred.geometry)
    func census(_ geometry: StoreGeometry) -> TableCensus {
      TableCensus(
        geometry, originChunkCount: originByteCount.map { geometry.chunkCount(ofOrigin: $0) })
    }
    guard let geometry = inferred.geometry, content == nil else {
      load = KernelLoad(store, reading: reading)
      (extent, self.census, table) = (nil, nil, nil)
      return
    }
    var found = census(geometry)
    // Linux goes by the header, regardless of the areas.
    var builder = keepsTable ? store.geometry.map { ExceptionTable.Builder($0, reading) } : nil
    load = KernelLoad(store, reading: reading) {
      found.visit($0, $1)
      builder?.visit($0, $1)
    }
    var reached = load.extent
    if geometry != store.geometry || reached == nil {
      found = census(geometry)
      reached = StoreScanner(store.areas, geometry).scan { found.visit($0, $1) }
    }
    (extent, self.census) = (reached, found)
    guard load.verdict == .loads, let shown = load.extent else {
      table = nil
      return
    }
    table = builder?.takeTable(of: store, reaching: shown)
  }
}
