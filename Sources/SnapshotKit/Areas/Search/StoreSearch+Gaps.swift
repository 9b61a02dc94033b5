internal import BlockIO
internal import SnapshotFormat

// Stores of which a copy lost bytes, or has too many.

extension StoreSearch {
  /// The areas of a store that begins at a byte of the image, and its gaps.
  ///
  /// - Parameter chain: Its areas without gaps.
  func mended(
    _ chain: AreaChain, at place: StorePlace, hasSoundHeader: Bool
  ) throws(BlockIOError) -> (chain: AreaChain, gaps: [Gap]) {
    // A table that was followed to its end has gaps only after it.
    guard chain.isBroken, let start = UInt64(exactly: place.start), start < source.byteCount
    else { return (chain, []) }
    let store = try SliceSource(source, start..<source.byteCount)
    let gaps = try ShiftEvidence(store, place.chunkSize).gaps
    if gaps.isEmpty { return (chain, []) }
    let whole = try VolumeSource(store.name, store, with: gaps)
    let mended = try AreaReader(whole).chain(
      of: StorePlace(start: 0, chunkSize: place.chunkSize), from: AreaIndex(0),
      hasSoundHeader: hasSoundHeader)
    return mended.inOrderCount > chain.inOrderCount ? (mended, gaps) : (chain, [])
  }
}

extension StorePlace {
  /// The apparent start of the store, seen from the areas after each gap alone.
  func shifted(by gaps: [Gap]) -> [StorePlace] {
    var shift: Int64 = 0
    return gaps.compactMap { gap in
      shift &+= gap.missingByteCount
      let (start, overflow) = start.subtractingReportingOverflow(shift)
      return overflow ? nil : StorePlace(start: start, chunkSize: chunkSize)
    }
  }
}
