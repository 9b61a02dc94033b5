internal import BlockIO
internal import SnapshotFormat

/// The findings about a store's size: the required and the actual one.
struct StoreCheck {
  private(set) var findings: [Finding] = []

  init(
    _ store: Store, _ geometry: StoreGeometry, _ extent: TableSummary, _ census: TableCensus
  ) {
    let chunkByteCount = geometry.chunkSize.byteCount
    let byteCount = store.source.byteCount
    switch extent.end {
    case .beyondEnd(let area):
      let start = geometry.byteOffset(of: area) ?? byteCount
      add(
        .storeNextAreaBeyondEnd, area.index, start..<start + chunkByteCount,
        "the store ends at byte \(byteCount)",
        "area \(area.index) at byte \(start)"
          + (area.index == 0 ? "" : ": those before it are full"))
    case .unreadable(let area, let error):
      let start = geometry.byteOffset(of: area) ?? byteCount
      add(
        .areaUnreadable, area.index, start..<start + chunkByteCount, error.description,
        "a readable area")
    case .terminator(let area, let slot):
      let nextAreaChunk = geometry.chunk(of: AreaIndex(area.index + 1))?.index
      let slotsLeft = geometry.chunkSize.exceptionsPerArea - UInt64(slot)
      // Linux had to clear the next area before it could commit the last slots of this one.
      if nextAreaChunk == geometry.chunkCount, slotsLeft <= 1 || store.header?.valid == 0,
        extent.nextFree.index >= geometry.wholeChunkCount
          || geometry.wholeChunkCount - extent.nextFree.index <= slotsLeft
      {
        add(
          .storeAtBoundary, area.index, nil, "\(slotsLeft) slots left in the last area that fits",
          "room for area \(area.index + 1) at chunk \(geometry.chunkCount)")
      }
    }
    if geometry.chunkCount != geometry.wholeChunkCount
      || byteCount % 512 != 0
    {
      let start = geometry.wholeChunkCount * chunkByteCount
      add(
        .storePartialChunk, nil, start..<byteCount, "\(byteCount - start) bytes in the last chunk",
        "\(chunkByteCount)")
    }
    if census.neededChunkCount > geometry.wholeChunkCount {
      let (needed, overflow) = census.neededChunkCount.multipliedReportingOverflow(
        by: chunkByteCount)
      add(
        .storeTooShort, nil, nil, "\(byteCount) bytes",
        "\(census.neededChunkCount) chunks" + (overflow ? "" : ", \(needed) bytes"))
    }
    let isFull =
      geometry.isMetadata(extent.nextFree)
      ? extent.nextFree.index &+ 1 >= geometry.wholeChunkCount
      : extent.nextFree.index == geometry.wholeChunkCount
    if isFull, extent.exceptionCount > 0 {
      add(
        .storeFull, nil, nil, "chunk \(extent.nextFree.index) is the next to be copied to",
        "below \(geometry.wholeChunkCount), the whole chunks of the store")
    }
    let leaked = census.leakedChunks(below: extent.nextFree)
    if leaked.count > 0 {
      let ranges = leaked.ranges.map {
        $0.lowerBound * chunkByteCount..<$0.upperBound * chunkByteCount
      }
      var finding = Finding(
        code: .leakedChunks, place: Finding.Place(bytes: ranges.first),
        found: "\(leaked.count) chunks in no exception", required: "every chunk in one",
        count: leaked.count, ranges: ranges)
      finding.hasMoreRanges = ranges.count == Tally.rangeCountMax
      findings.append(finding)
    }
  }

  private mutating func add(
    _ code: FindingCode, _ area: UInt64?, _ bytes: Range<UInt64>?, _ found: String,
    _ required: String
  ) {
    findings.append(
      Finding(
        code: code, place: Finding.Place(area: area, bytes: bytes), found: found,
        required: required, ranges: bytes.map { [$0] } ?? []))
  }
}
