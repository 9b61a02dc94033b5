internal import SnapshotFormat

/// The last area of a table, sector by sector, in which bytes may be missing, or too many.
struct BrokenArea {
  private enum Sector: Equatable {
    case zero
    /// Exceptions, that many slots before their place; negative after it.
    case exceptions(rise: Int64)
    /// Exceptions of the area in another order, as kernels before 3.13 wrote them, or with a few
    /// wrong slots among them.
    case unordered
    case foreign
  }

  /// A gap in sectors of the area.
  struct SectorGap {
    let start: Int
    let end: Int
    /// Negative if there are too many.
    let missingSectorCount: Int
  }

  private let sectors: [Sector]
  /// Whether its last slot is in use.
  let isFull: Bool

  /// Examines an area whose first slot has that position in the order of data chunks.
  init(_ exceptions: Span<DiskException>, from position: UInt64, _ geometry: StoreGeometry) {
    let size = AreaLaw.slotsPerSector
    isFull = exceptions[exceptions.count - 1].newChunk != 0
    sectors = (0..<exceptions.count / size).map { sector in
      Self.sector(
        exceptions.extracting(sector * size..<(sector + 1) * size),
        from: Int64(position) + Int64(sector * size),
        within: Int64(position) - AreaLaw.strayMax..<Int64(position) + Int64(exceptions.count)
          + AreaLaw.strayMax, geometry)
    }
  }

  private static func sector(
    _ exceptions: Span<DiskException>, from position: Int64, within area: Range<Int64>,
    _ geometry: StoreGeometry
  ) -> Sector {
    var rise: Int64?
    var (isEnded, isOrdered, isOwn) = (false, true, true)
    var (inPlaceCount, usedCount) = (0, 0)
    for slot in exceptions.indices {
      let (old, new) = (exceptions[slot].oldChunk, exceptions[slot].newChunk)
      if old | new == 0 {
        isEnded = true
        continue
      }
      usedCount += 1
      guard AreaLaw.canExist(old, new),
        let place = geometry.position(ofData: Chunk(new))
      else {
        (isOrdered, isOwn) = (false, false)
        continue
      }
      isOrdered = isOrdered && !isEnded
      let own = Int64(place) - position - Int64(slot)
      isOrdered = isOrdered && own == rise ?? own
      isOwn = isOwn && area.contains(Int64(place))
      rise = own
      if own == 0 { inPlaceCount += 1 }
    }
    if usedCount == 0 { return .zero }
    if isOrdered, let rise { return .exceptions(rise: rise) }
    return isOwn || inPlaceCount * 2 >= usedCount ? .unordered : .foreign
  }

  /// Whether everything from a sector to the end of the table or of the area is exceptions in their
  /// place.
  func isRight(from sector: Int) -> Bool {
    let rest = sectors[sector...].drop { $0 == .exceptions(rise: 0) }
    return rest.startIndex > sector && rest.allSatisfy { $0 == .zero }
  }

  /// Whether anything contradicts the place of the area, and nothing after that supports it.
  var isOutOfPlace: Bool {
    switch sectors.last(where: { $0 != .zero }) {
    case nil, .zero, .unordered: false
    case .exceptions(let rise): rise % Int64(AreaLaw.slotsPerSector) == 0 && rise != 0
    case .foreign: true
    }
  }

  /// The gap that the area shows.
  ///
  /// - Parameter isConfirmed: Whether the store's length supports that many missing sectors.
  func gap(isConfirmed: (Int) -> Bool) -> SectorGap? {
    let orderedCount = sectors.prefix { $0 == .exceptions(rise: 0) }.count
    let rest = sectors[orderedCount...]
    let size = Int64(AreaLaw.slotsPerSector)
    for (index, sector) in zip(rest.indices, rest) {
      guard case .exceptions(let rise) = sector, rise % size == 0 else { continue }
      let missing = Int(rise / size)
      // If more sectors are missing than the area has, it shows nothing.
      if missing > 0, missing < sectors.count, index == orderedCount, index > 0,
        isConfirmed(missing) || sectors.suffix(missing).contains(.foreign)
      {
        return SectorGap(start: index, end: index, missingSectorCount: missing)
      }
      if missing < 0, index == orderedCount - missing {
        return SectorGap(start: orderedCount, end: index, missingSectorCount: missing)
      }
      return nil
    }
    // All exceptions are in their place; the bytes after the area may be at its end.
    let tailCount = sectors.reversed().prefix { $0 == .foreign }.count
    guard orderedCount > 0, tailCount > 0, tailCount < rest.count,
      rest.dropLast(tailCount).allSatisfy({ $0 == .zero }), isConfirmed(tailCount)
    else { return nil }
    return SectorGap(
      start: orderedCount, end: sectors.count - tailCount, missingSectorCount: tailCount)
  }
}
