public import BlockIO
internal import SnapshotFormat

/// Writes a new store with the exceptions that a plan supports, for `salvage --to`.
///
/// It is valid for Linux and compact: its exceptions ascend by old chunk, each data chunk is used,
/// and the last area ends the table. Sectors that cannot be read are zeroes in it, and listed.
public struct StoreWriter: Sendable {
  private let source: any BlockSource
  private let table: ExceptionTable
  private let layout: OrderedStore

  /// A writer of the table that a plan supports.
  public init(_ loaded: LoadedTable) {
    source = loaded.store.source
    table = loaded.table
    layout = OrderedStore(of: table.runs, table.geometry.chunkSize)
  }

  /// The length of the new store.
  public var byteCount: UInt64 { layout.byteCount }

  /// Writes the store into a new file of that length.
  ///
  /// - Returns: The ranges of the origin whose content could not be read from the old store,
  ///   ascending.
  public func write(
    to output: OutputFile, progress: ProgressHandler
  ) throws(BlockIOError) -> [LostRange] {
    let lost = try writeData(to: output, progress)
    try layout.forEachAreaPiece { (offset, buffer, byteCount) throws(BlockIOError) in
      if !buffer.isZero(0..<byteCount) { try output.write(at: offset, from: buffer, 0..<byteCount) }
    }
    let header = IOBuffer(byteCount: 512)
    header.withMutableBytes(0..<512) {
      SnapshotHeader(chunkSize: layout.geometry.chunkSize).encode(into: &$0)
    }
    try output.write(at: 0, from: header, 0..<512)
    try source.checkUnchanged()
    return lost
  }

  private func writeData(
    to output: OutputFile, _ progress: ProgressHandler
  ) throws(BlockIOError) -> [LostRange] {
    let chunkByteCount = table.geometry.chunkSize.byteCount
    let byteCount = layout.exceptionCount * chunkByteCount
    let sourceEnd = table.geometry.sectorCount * 512  // without a partial sector, as in a view
    let copier = ExtentCopier(
      from: source, to: output, readsAround: true, leavesZeroes: true,
      sharesUnread: false)
    let outcome = try copier.copy(
      { (copy) throws(BlockIOError) in
        try layout.forEachDataExtent(from: \.new, before: sourceEnd) {
          (extent, _) throws(BlockIOError) in try copy(extent)
        }
      },
      progress: {
        progress($0, byteCount)
        return true
      })
    return lost(outcome.unreadable, sourceEnd)
  }

  /// Ranges of the origin that are lost because the new store has no data for them.
  ///
  /// - Parameter unreadable: Ranges of the new store, ascending, that could not be filled.
  private func lost(_ unreadable: [Range<UInt64>], _ sourceEnd: UInt64) -> [LostRange] {
    let chunkByteCount = table.geometry.chunkSize.byteCount
    var lost: [LostRange] = []
    for run in table.runs {
      let (start, end) = (run.new * chunkByteCount, (run.new + run.count) * chunkByteCount)
      let present = min(max(start, sourceEnd), end)
      let shift = (run.old &- run.new) &* chunkByteCount
      if present < end {
        lost.append(LostRange(present &+ shift..<end &+ shift, .beyondStore))
      }
    }
    if unreadable.isEmpty { return lost }
    var rest = unreadable[...]
    layout.forEachDataExtent(from: \.new, before: sourceEnd) { extent, run in
      while let range = rest.first, range.lowerBound < extent.targetRange.upperBound {
        let part = range.clamped(to: extent.targetRange)
        let shift =
          extent.sourceOffset &- extent.targetOffset
          &+ (run.old &- run.new) &* chunkByteCount
        if !part.isEmpty {
          lost.append(
            LostRange(part.lowerBound &+ shift..<part.upperBound &+ shift, .storeUnreadable))
        }
        if range.upperBound > extent.targetRange.upperBound { break }
        rest.removeFirst()
      }
    }
    return [].merged(with: lost)
  }
}
