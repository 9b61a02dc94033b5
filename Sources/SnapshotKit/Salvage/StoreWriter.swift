public import BlockIO
internal import SnapshotFormat

/// Writes a new store with the exceptions that a plan supports: what `salvage --to` makes.
///
/// It is valid for Linux and compact: its exceptions ascend by old chunk, each data chunk is used,
/// and the last area ends the table. Sectors that cannot be read are zeroes in it, and listed.
public struct StoreWriter {
  private static let windowByteCount = 4 << 20

  private let source: any BlockSource
  private let table: ExceptionTable
  private let layout: OrderedStore

  /// A writer of the table that a plan supports.
  public init(_ loaded: LoadedTable) {
    source = loaded.store.source
    table = loaded.table
    layout = OrderedStore(of: table.runs, table.geometry.chunkSize)
  }

  /// How long the new store is.
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
    return lost
  }

  private func writeData(
    to output: OutputFile, _ progress: ProgressHandler
  ) throws(BlockIOError) -> [LostRange] {
    let chunkByteCount = layout.geometry.chunkSize.byteCount
    let byteCount = layout.exceptionCount * chunkByteCount
    let sourceEnd = table.geometry.sectorCount * 512  // a torn sector is nobody's, as in a view
    let buffer = IOBuffer(byteCount: Self.windowByteCount)
    var lost: [LostRange] = []
    var position: UInt64 = 0  // in the data, as if there were no areas between it
    var filled = 0
    func drain() throws(BlockIOError) {
      try layout.forEachDataPiece(filled, atData: position) {
        (offset, piece) throws(BlockIOError) in
        // Zeroes are left as the hole that the file is made of.
        if !buffer.isZero(piece) { try output.write(at: offset, from: buffer, piece) }
      }
      position += UInt64(filled)
      filled = 0
      progress(position, byteCount)
    }
    try layout.forEachRun { (run) throws(BlockIOError) in
      let shift = (run.old &- run.new) &* chunkByteCount  // from the store's bytes to the origin's
      var offset = run.new * chunkByteCount
      let end = offset + run.count * chunkByteCount
      while offset < end {
        let count = Int(min(end - offset, UInt64(buffer.byteCount - filled)))
        let present =
          offset < sourceEnd ? Int(min(UInt64(count), sourceEnd - offset)) : 0
        for range in try source.readAround(at: offset, into: buffer, filled..<filled + present) {
          lost.append(
            merging: LostRange(
              range.lowerBound &+ shift..<range.upperBound &+ shift, .storeUnreadable))
        }
        if present < count {
          buffer.zero(filled + present..<filled + count)
          let start = offset + UInt64(present)
          lost.append(
            merging: LostRange(start &+ shift..<offset + UInt64(count) &+ shift, .beyondStore))
        }
        filled += count
        offset += UInt64(count)
        if filled == buffer.byteCount { try drain() }
      }
    }
    try drain()
    return lost
  }
}
