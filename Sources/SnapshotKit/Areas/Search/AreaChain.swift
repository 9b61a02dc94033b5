internal import SnapshotFormat

/// The areas of a store assumed at some place, as far as they fit each other.
struct AreaChain {
  /// The exceptions up to the table's end, including those in order in damaged areas.
  var exceptionCount: UInt64 = 0
  /// The number of them that have the next new chunk in order.
  var inOrderCount: UInt64 = 0
  /// The areas that hold exceptions, without damaged ones.
  var areaCount: UInt64 = 0
  /// The areas between the first and the last of those that do not fit.
  var damagedAreaCount: UInt64 = 0
  /// The first and the last of them; nil if there is none.
  var areas: ClosedRange<UInt64>?
  /// The highest new chunk, or area, known to belong to the store.
  var highestChunk: UInt64 = 0
  /// Whether area 0 holds something, but no exceptions of this store.
  var isContradicted = false
  /// Whether the table was not followed to its end: the last area examined is missing, or ended
  /// with a whole sector, as zeroed sectors would make it.
  var isBroken = true
}

extension AreaChain {
  /// Adds an area that fits, and the damaged ones before it.
  mutating func add(
    _ look: AreaCheck, _ area: AreaIndex, missed: UInt64, _ missedInOrder: UInt64
  ) {
    exceptionCount += missedInOrder + look.liveCount
    inOrderCount += missedInOrder + look.inOrderCount
    areaCount += 1
    if areas != nil { damagedAreaCount += missed }
    areas = (areas?.lowerBound ?? area.index)...area.index
    reach(look.highestNewChunk)
  }

  /// Notes that a chunk belongs to the store.
  mutating func reach(_ chunk: UInt64) { highestChunk = max(highestChunk, chunk) }
}
