internal import BlockIO
internal import SnapshotFormat

/// The sectors of a store that could not be read, and that would improve a salvage.
///
/// Metadata is worth most: sixteen bytes of it name a chunk. Data is worth it if an exception names
/// it. All other bad sectors do not matter.
package struct WantedSectors: Sendable {
  /// Sectors of the header and of the table's areas, in bytes of the store, ascending.
  package let metadata: [Range<UInt64>]
  /// Sectors of data that exceptions name, in bytes of the store, ascending.
  package let data: [Range<UInt64>]

  /// The sectors that a generation of a plan lacks.
  ///
  /// - Parameter lost: What of the snapshot could not be read when it was tried.
  package init(_ plan: SalvagePlan, _ generation: Generation, lost: [LostRange]) {
    let (source, geometry) = (plan.store.source, plan.geometry)
    var metadata = source.knownUnreadable(in: 0..<min(512, source.byteCount))
    if plan.store.headerError != nil { metadata.append(0..<min(512, source.byteCount)) }
    // Of the areas, the table's, or those that would be if they could be read: the next one too.
    let firstArea = generation.index == 0 ? 0 : generation.areas.lowerBound
    let first = geometry.byteOffset(of: AreaIndex(firstArea))
    let end = geometry.byteOffset(of: AreaIndex(generation.areas.upperBound + 1))
    metadata += plan.unreadable.compactMap { range in
      let inside = range.clamped(to: (first ?? 0)..<(end ?? .max))
      return inside.isEmpty ? nil : inside
    }
    var data: [Range<UInt64>] = []
    for run in generation.runs {
      guard let start = geometry.byteOffset(of: Chunk(run.new)) else { continue }
      let end = min(start + run.count * geometry.chunkSize.byteCount, source.byteCount)
      if start < end { data += source.knownUnreadable(in: start..<end) }
    }
    let unread = lost.filter { $0.reason == .storeUnreadable }
    if !unread.isEmpty {
      let table = ExceptionTable(salvaged: generation.runs, geometry)
      for range in unread { data += Self.places(of: range.range, table) }
    }
    self.metadata = Self.sectors(metadata)
    self.data = Self.sectors(data)
  }

  /// The number of bytes of metadata.
  package var metadataByteCount: UInt64 { metadata.totalCount }
  /// The number of bytes of data.
  package var dataByteCount: UInt64 { data.totalCount }

  /// A mapfile for GNU ddrescue that reads only these sectors, metadata first.
  ///
  /// - Parameters:
  ///   - start: Where the store begins in its file.
  ///   - byteCount: The length of the file.
  package func mapfile(at start: UInt64, in byteCount: UInt64) -> String {
    func blocks(_ ranges: [Range<UInt64>], _ status: RescueBlock.Status) -> [RescueBlock] {
      ranges.map { RescueBlock($0.lowerBound + start..<$0.upperBound + start, status) }
    }
    let all = (blocks(metadata, .nonTried) + blocks(data, .nonTrimmed)).sorted {
      $0.range.lowerBound < $1.range.lowerBound
    }
    return BadSectorMap.mapfile(
      of: all, byteCount: byteCount,
      comment: """
        Sectors of a COW store that are worth reading again, by dmsnap.
        Use a copy of it as ddrescue's mapfile: it reads the metadata (?) first, then the data (*).
        What is finished (+) here is not wanted, whether or not it was ever read.
        """)
  }

  /// The places in the store of the bytes of a range of the snapshot.
  private static func places(of range: Range<UInt64>, _ table: ExceptionTable) -> [Range<UInt64>] {
    let chunkByteCount = table.geometry.chunkSize.byteCount
    var places: [Range<UInt64>] = []
    var position = range.lowerBound
    while position < range.upperBound {
      let chunk = table.geometry.chunk(containing: position)
      let end = min(range.upperBound, (chunk.index + 1) * chunkByteCount)
      if let new = table.newChunk(for: chunk), let offset = table.geometry.byteOffset(of: new) {
        let within = position % chunkByteCount
        places.append(offset + within..<offset + within + (end - position))
      }
      position = end
    }
    return places
  }

  /// The ranges as whole sectors, ascending and merged.
  private static func sectors(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    ranges.map { $0.lowerBound / 512 * 512..<($0.upperBound + 511) / 512 * 512 }.union
  }
}
