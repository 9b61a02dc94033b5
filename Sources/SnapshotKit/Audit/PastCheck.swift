internal import BlockIO
internal import SnapshotFormat

/// What follows a table's end and shows its past: older areas, data of a merge.
struct PastCheck {
  private(set) var findings: [Finding] = []

  init(_ store: Store, _ geometry: StoreGeometry, _ extent: TableSummary) {
    guard case .terminator(let area, _) = extent.end else { return }
    findStaleAreas(store, geometry, behind: area)
    // If the snapshot was invalidated, what is there was in flight.
    if store.header?.valid != 0 { findData(store, geometry, extent) }
  }

  /// Counts the areas after the last one, as long as everything in them is possible.
  private mutating func findStaleAreas(
    _ store: Store, _ geometry: StoreGeometry, behind last: AreaIndex
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

  /// Examines the data chunk that Linux would hand out next.
  private mutating func findData(_ store: Store, _ geometry: StoreGeometry, _ extent: TableSummary)
  {
    var chunk = extent.nextFree
    if geometry.isMetadata(chunk) { chunk.index &+= 1 }
    guard chunk.index < geometry.wholeChunkCount, let start = geometry.byteOffset(of: chunk) else {
      return
    }
    let byteCount = Int(min(geometry.chunkSize.byteCount, 1 << 20))
    let buffer = IOBuffer(byteCount: byteCount)
    do throws(BlockIOError) {
      try store.source.read(at: start, into: buffer, 0..<byteCount)
    } catch {
      return  // an unreadable chunk that is not in use does not matter
    }
    guard !buffer.isZero(0..<byteCount) else { return }
    // Zeroes from the end of a sector on may be lost sectors.
    let isAtEnd = extent.exceptionCount % AreaLaw.damageSlotCount(geometry) == 0
    findings.append(
      Finding(
        code: extent.exceptionCount == 0
          ? .mergeResidue : isAtEnd ? .generationEndInDoubt : .mergeInterrupted,
        place: Finding.Place(bytes: start..<start + geometry.chunkSize.byteCount),
        found: "data in chunk \(chunk.index), the next that Linux would copy to",
        required: "nothing: no exception names it"))
  }
}
