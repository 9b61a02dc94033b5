internal import BlockIO
public import SnapshotFormat

/// The mapping of each chunk of the origin, in one reading of a store.
///
/// Runs, ascending by old chunk, without overlaps: 24 bytes for each run, and so at worst for each
/// exception. A chunk that is in no run is the origin's own.
public struct ExceptionTable: Sendable {
  /// The runs, ascending by old chunk.
  public let runs: [ExceptionRun]
  /// Where chunks are.
  public let geometry: StoreGeometry
  /// The rules by which the table was read.
  public let reading: Reading
  /// The buckets of the kernel's table in which exceptions compete for a chunk, or have top bytes.
  let contestedBuckets: Set<UInt64>

  /// The table of runs, each old chunk in one of them, that a salvage supports.
  init(salvaged runs: consuming [ExceptionRun], _ geometry: StoreGeometry) {
    runs.sortByOldChunk()
    self.runs = runs
    self.geometry = geometry
    reading = .salvage
    contestedBuckets = []
  }

  /// A table that has only `runs`, ascending, of another one.
  init(_ table: ExceptionTable, runs: [ExceptionRun]) {
    self.runs = runs
    geometry = table.geometry
    reading = table.reading
    contestedBuckets = table.contestedBuckets
  }

  /// Reads the table that a walk found to reach as far as `extent`.
  ///
  /// - Throws: If the table is so damaged that Linux would crash on it.
  package init(
    _ store: Store, _ geometry: StoreGeometry, _ extent: TableSummary, reading: Reading
  ) throws(TableError) {
    var builder = Builder(geometry, reading)
    let walked = StoreScanner(store.areas, geometry).scan { builder.visit($0, $1) }
    try walked.require(equals: extent)
    try self.init(&builder, store, extent)
  }

  /// The table that was collected while a store was walked over; the builder is empty afterwards.
  private init(
    _ builder: inout Builder, _ store: Store, _ extent: TableSummary
  ) throws(TableError) {
    (geometry, reading) = (builder.geometry, builder.reading)
    let (buckets, topByteBuckets) = (builder.buckets, builder.topByteBuckets)
    var runs = builder.takeRuns()
    if !Self.isAscending(runs) { runs.sortByOldChunk() }
    let contested = topByteBuckets.union(Self.bucketsWithDuplicates(runs, buckets))
    if !contested.isEmpty {
      runs = Self.cut(runs, outside: contested, buckets)
      runs += try Self.resolve(
        contested, buckets, StoreScanner(store.areas, geometry), extent, reading)
      runs.sortByOldChunk()
    }
    self.runs = runs
    contestedBuckets = contested
  }

  /// Collects the runs of a table while a store is walked over.
  struct Builder: Sendable {
    /// The number of runs in a block: 6 MiB, which the system takes back as soon as they are
    /// copied, so that a table is never in memory twice.
    private static let blockRunCount = 1 << 18

    fileprivate let geometry: StoreGeometry
    fileprivate let reading: Reading
    fileprivate let buckets: KernelBuckets
    fileprivate var topByteBuckets: Set<UInt64> = []
    private var full: [[ExceptionRun]] = []
    private var block: [ExceptionRun] = []

    init(_ geometry: StoreGeometry, _ reading: Reading) {
      (self.geometry, self.reading) = (geometry, reading)
      buckets = KernelBuckets(geometry, reading)
    }

    /// Adds the exceptions of a piece of an area.
    mutating func visit(_ piece: StoreScanner.Piece, _ exceptions: Span<DiskException>) {
      var run = block.popLast()
      for slot in 0..<piece.liveCount {
        let (old, new) = (exceptions[slot].oldChunk, exceptions[slot].newChunk)
        if exceptions[slot].topByte != 0 { topByteBuckets.insert(buckets.bucket(of: old)) }
        if run?.extend(old: old, new: new) == true { continue }
        if let run { block.append(run) }
        run = ExceptionRun(old: old, new: new, count: 1)
      }
      if let run { block.append(run) }
      if block.count >= Self.blockRunCount {
        // The last run may go on in the next piece.
        let last = block.removeLast()
        full.append(block)
        block = []
        // Grown by doubling, it would be copied, and its old memory would stay with the process.
        block.reserveCapacity(Self.blockRunCount + exceptions.count)
        block.append(last)
      }
    }

    /// The table of those runs, which are taken out: a copy of the builder would keep them.
    ///
    /// - Returns: A failure if the table is so damaged that Linux would crash on it.
    mutating func takeTable(
      of store: Store, reaching extent: TableSummary
    ) -> Result<ExceptionTable, TableError> {
      Result { () throws(TableError) in try ExceptionTable(&self, store, extent) }
    }

    /// All runs, in the order of the table.
    fileprivate mutating func takeRuns() -> [ExceptionRun] {
      var runs: [ExceptionRun] = []
      if full.isEmpty {
        swap(&runs, &block)
        return runs
      }
      runs.reserveCapacity(full.reduce(block.count) { $0 + $1.count })
      for index in full.indices {
        runs += full[index]
        full[index] = []
      }
      runs += block
      block = []
      return runs
    }
  }

  /// The index of the first run that ends at or after a chunk.
  package func indexOfRun(endingAtOrAfter oldChunk: UInt64) -> Int {
    runs.firstIndex(endingAtOrAfter: oldChunk)
  }

  /// The chunk of the store that holds a chunk of the origin; nil if the origin itself does.
  public func newChunk(for oldChunk: Chunk) -> Chunk? {
    let index = indexOfRun(endingAtOrAfter: oldChunk.index)
    guard index < runs.count, runs[index].old <= oldChunk.index else { return nil }
    return Chunk(runs[index].new &+ (oldChunk.index - runs[index].old))
  }

  // MARK: - Duplicates and top bytes

  private static func isAscending(_ runs: [ExceptionRun]) -> Bool {
    for index in runs.indices.dropFirst() where runs[index].old < runs[index - 1].old {
      return false
    }
    return true
  }

  /// The buckets in which any two of the ascending runs overlap.
  private static func bucketsWithDuplicates(
    _ runs: [ExceptionRun], _ buckets: KernelBuckets
  ) -> Set<UInt64> {
    var found: Set<UInt64> = []
    guard var last = runs.first?.lastOld else { return found }
    for run in runs.dropFirst() {
      if run.old <= last {
        let end = min(last, run.lastOld) >> KernelBuckets.windowShift
        for window in run.old >> KernelBuckets.windowShift...end {
          found.insert(buckets.bucket(of: window << KernelBuckets.windowShift))
        }
      }
      last = max(last, run.lastOld)
    }
    return found
  }

  /// The mapping by the kernel's own lists of the exceptions in those buckets.
  private static func resolve(
    _ contested: Set<UInt64>, _ buckets: KernelBuckets, _ scanner: StoreScanner,
    _ extent: TableSummary, _ reading: Reading
  ) throws(TableError) -> [ExceptionRun] {
    var lists: [UInt64: KernelBucket] = [:]
    let walked: TableSummary
    do throws(KernelBucket.Failure) {
      walked = try scanner.scan { (piece, exceptions) throws(KernelBucket.Failure) in
        for slot in 0..<piece.liveCount {
          let bucket = buckets.bucket(of: exceptions[slot].oldChunk)
          guard contested.contains(bucket) else { continue }
          try lists[bucket, default: KernelBucket(reading)].insert(
            old: exceptions[slot].oldChunk, new: exceptions[slot].newChunk)
        }
      }
    } catch {
      switch error {
      case .kernelCrash(let oldChunk): throw .kernelCrash(oldChunk: oldChunk)
      case .tooLong(let oldChunk): throw .tooManyDuplicates(oldChunk: oldChunk)
      }
    }
    try walked.require(equals: extent)
    return lists.values.flatMap { $0.runs() }
  }

  /// The parts of the runs in other buckets.
  private static func cut(
    _ runs: [ExceptionRun], outside contested: Set<UInt64>, _ buckets: KernelBuckets
  ) -> [ExceptionRun] {
    var kept: [ExceptionRun] = []
    for run in runs {
      var old = run.old
      while true {
        let windowEnd = old | 255
        let last = min(run.lastOld, windowEnd)
        if !contested.contains(buckets.bucket(of: old)) {
          let part = ExceptionRun(
            old: old, new: run.new &+ (old - run.old), count: last - old + 1)
          kept.append(part)
        }
        if last == run.lastOld { break }
        old = last + 1
      }
    }
    return kept
  }
}

extension [ExceptionRun] {
  /// The index of the first run that ends at or after a chunk, in runs that ascend by old chunk.
  func firstIndex(endingAtOrAfter oldChunk: UInt64) -> Int {
    partitioningIndex { $0.lastOld >= oldChunk }
  }
}
