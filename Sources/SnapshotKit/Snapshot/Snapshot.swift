public import BlockIO
public import SnapshotFormat

/// A snapshot, opened: a store, the origin that it was taken of, and the table by one reading.
///
/// The table is read when the snapshot is opened, in one walk; everything else depends on it. Both
/// inputs are only read. Only ``MergeRequest`` makes an origin the snapshot.
public struct Snapshot: Sendable {
  /// The table, and the losses that its reading knows.
  public let loaded: LoadedTable
  /// Its bytes: the origin's, seen through the table.
  public let view: SnapshotView

  /// Opens the snapshot of `origin` that `store` holds.
  ///
  /// - Parameters:
  ///   - reading: By which rules the table is read.
  ///   - chunkSize: The chunk size, where the caller knows it better than the store; in the salvage
  ///     reading.
  ///   - generation: Which table is read, in the salvage reading: 0 is the newest.
  ///   - placing: Which chunks that no exception names are placed, in the salvage reading.
  /// - Throws: When there is no store, none whose snapshot Linux would show, unless it is salvaged,
  ///   or no such generation.
  public init(
    _ store: Store, of origin: any BlockSource, reading: Reading = .kernel,
    chunkSize: ChunkSize? = nil, generation: Int = 0, placing: Placing = Placing()
  ) throws(StoreError) {
    if reading == .salvage {
      let plan = try SalvagePlan(
        store, chunkSize: chunkSize, originByteCount: origin.byteCount)
      self.init(
        try LoadedTable(plan, generation: generation, of: origin, placing: placing), of: origin)
    } else {
      self.init(
        try LoadedTable(store, reading: reading, originByteCount: origin.byteCount), of: origin)
    }
  }

  /// The snapshot of `origin` through a table that was read.
  public init(_ loaded: LoadedTable, of origin: any BlockSource) {
    self.loaded = loaded
    view = SnapshotView(of: origin, through: loaded.table, of: loaded.store.source)
  }

  /// The origin of the snapshot.
  public var origin: any BlockSource { view.origin }

  /// The losses that the reading knows: ranges of the origin, ascending.
  public var lost: [LostRange] { loaded.lostRanges(originByteCount: view.byteCount) }

  /// Compares it with its origin, sector by sector.
  ///
  /// - Parameters:
  ///   - progress: Gets the progress of the comparison, in bytes.
  ///   - visit: Is called with each range of bytes that differs, ascending.
  /// - Throws: Errors of the media or of `visit`, except unreadable sectors, which are listed in
  ///   the result.
  public func diff(
    progress: ProgressHandler = { _, _ in },
    visit: (Range<UInt64>) throws(BlockIOError) -> Void
  ) throws(BlockIOError) -> SnapshotDiff {
    try SnapshotDiff(view, origin, progress: progress, visit: visit)
  }

  /// Writes it as a raw image into a new file, sharing blocks where the file system can.
  ///
  /// The file must have ``SnapshotView/byteCount`` bytes; it has no name until it is published.
  ///
  /// - Returns: What could not be read, ascending; the image has zeroes there.
  public func export(
    to output: OutputFile, progress: ProgressHandler = { _, _ in }
  ) throws(BlockIOError) -> [LostRange] {
    try Exporter(view).export(
      to: output, origin: origin, store: loaded.store.source, progress: progress)
  }

  /// Writes it as a raw image into a sink, from its first byte to its last.
  ///
  /// - Returns: What could not be read, ascending; the image has zeroes there.
  public func export(
    to sink: any ExportSink, progress: ProgressHandler = { _, _ in }
  ) throws(BlockIOError) -> [LostRange] {
    try Exporter(view).export(to: sink, progress: progress)
  }
}
