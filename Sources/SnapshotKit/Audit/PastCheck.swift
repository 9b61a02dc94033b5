internal import BlockIO
internal import SnapshotFormat

/// Remains after a table's end that show its past: older areas, data of a merge.
struct PastCheck {
  private(set) var findings: [Finding] = []

  init(_ store: Store, _ geometry: StoreGeometry, _ extent: TableSummary) {
    guard case .terminator(let area, _) = extent.end else { return }
    findStaleAreas(store, geometry, after: area)
    // If the snapshot was invalidated, the data there was in flight.
    if store.header?.valid != 0 { findData(store, geometry, extent) }
  }

  /// Counts the areas after the last one, as long as everything in them is possible.
  private mutating func findStaleAreas(
    _ store: Store, _ geometry: StoreGeometry, after last: AreaIndex
  ) {
    let byteCount = Int(min(geometry.chunkSize.byteCount, 4096))
    let buffer = IOBuffer(byteCount: byteCount)
    var tally: Tally?
    var area = AreaIndex(last.index + 1)
    while area.index < geometry.wholeAreaCount, let start = geometry.byteOffset(of: area) {
      do throws(BlockIOError) {
        try store.source.read(at: start, into: buffer, 0..<byteCount)
      } catch {
        break  // nothing of the table is here; what cannot be read is not stale exceptions
      }
      let count = buffer.withRecords(
        of: DiskException.self, count: byteCount / DiskException.byteCount
      ) { AreaLaw.possibleCount($0, geometry) }
      guard count > 0 else { break }
      let bytes = start..<start + geometry.chunkSize.byteCount
      if tally == nil {
        tally = Tally(
          Finding(
            code: .areaStale, place: Finding.Place(area: area.index, bytes: bytes),
            found: "exceptions in area \(area.index), after the table's last area",
            required: "nothing: Linux does not read them"))
      } else {
        tally?.add(bytes)
      }
      area = AreaIndex(area.index + 1)
    }
    if let tally { findings.append(tally.finding) }
  }

  /// Examines the data chunks that Linux would allocate next.
  private mutating func findData(_ store: Store, _ geometry: StoreGeometry, _ extent: TableSummary)
  {
    var next = extent.nextFree
    if geometry.isMetadata(next) { next.index &+= 1 }
    guard next.index < geometry.wholeChunkCount, let position = geometry.position(ofData: next)
    else { return }
    let used = UsedChunks(store.source, geometry)
    // Zeroes from the end of a sector on may be lost sectors.
    let isAtEnd = extent.exceptionCount % AreaLaw.damageSlotCount(geometry) == 0
    let found: Chunk?
    do throws(BlockIOError) {
      if isAtEnd {
        let shift = position - min(position, extent.exceptionCount)
        found = try used.first(after: extent.exceptionCount, shift: shift)
      } else {
        // An unreadable chunk that is not in use does not matter.
        found = try used.contains(next, isUnreadableUsed: false) ? next : nil
      }
    } catch {
      return  // the walk over the table has met that error, and reported it
    }
    guard let found, let start = geometry.byteOffset(of: found) else { return }
    findings.append(
      Finding(
        code: extent.exceptionCount == 0
          ? .mergeResidue : isAtEnd ? .generationEndInDoubt : .mergeInterrupted,
        place: Finding.Place(bytes: start..<start + geometry.chunkSize.byteCount),
        found: "data in chunk \(found.index), where Linux would copy to next",
        required: "nothing: no exception names it"))
  }
}
