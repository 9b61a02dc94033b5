package import BlockIO
package import SnapshotFormat

/// The extent of a store's table, and the counters that Linux keeps of it.
public struct TableSummary: Equatable, Sendable {
  /// The end of a walk over the areas.
  package enum End: Sendable, Equatable {
    /// At an exception whose new chunk is 0.
    case terminator(AreaIndex, slot: Int)
    /// All areas were full, and the next is not wholly within the store.
    case beyondEnd(AreaIndex)
    /// An area could not be read.
    case unreadable(AreaIndex, BlockIOError)
  }

  /// The number of areas read, including the one with the terminator.
  public internal(set) var areaCount: UInt64 = 0
  /// The number of exceptions that come before the end.
  public internal(set) var exceptionCount: UInt64 = 0
  /// The number of runs that they form, in table order: both chunks one higher than in the one
  /// before.
  public internal(set) var runCount: UInt64 = 0
  /// The chunk that Linux would copy to next: one above the highest new chunk.
  ///
  /// It wraps around as the kernel's does, so that a wild new chunk leaves a wild number here.
  package internal(set) var nextFree = Chunk(StoreGeometry.firstDataChunk)
  /// Whether any new chunk has a top byte.
  package internal(set) var hasTopBytes = false
  /// The end of the walk.
  package internal(set) var end: End = .beyondEnd(AreaIndex(0))

  /// Throws unless a later walk found the same as the first: otherwise the medium failed meanwhile,
  /// or something writes to the store, and the later result is not the table.
  package func require(equals first: TableSummary) throws(TableError) {
    if self == first { return }
    if case .unreadable(_, let error) = end { throw .unreadable(error) }
    throw .changed
  }

  /// The table of a new store: one area, empty.
  static var empty: TableSummary {
    var extent = TableSummary()
    extent.areaCount = 1
    extent.end = .terminator(AreaIndex(0), slot: 0)
    return extent
  }

  private var previous = DiskException(oldChunk: .max, newChunk: .max)

  /// Whether the table ends as it should.
  public var isTerminated: Bool {
    if case .terminator = end { true } else { false }
  }

  /// Counts the exceptions up to the terminator, and returns their number.
  mutating func count(
    _ exceptions: Span<DiskException>, in area: AreaIndex, from firstSlot: Int
  ) -> Int {
    var (next, runs, tops) = (nextFree.index, runCount, UInt64(0))
    var (oldBefore, newBefore) = (previous.oldChunk, previous.newChunk)
    var slot = 0
    while slot < exceptions.count {
      let exception = exceptions[slot]
      let (old, new) = (exception.oldChunk, exception.newChunk)
      if new == 0 {
        end = .terminator(area, slot: firstSlot + slot)
        break
      }
      if next <= new { next = new &+ 1 }
      // Old chunk 0 never continues a run: the one before it would be 2^64 - 1.
      if old != oldBefore &+ 1 || new != newBefore &+ 1 || old == 0 { runs += 1 }
      tops |= new
      (oldBefore, newBefore) = (old, new)
      slot += 1
    }
    nextFree = Chunk(next)
    runCount = runs
    exceptionCount += UInt64(slot)
    hasTopBytes = hasTopBytes || tops >> DiskException.chunkNumberBits != 0
    previous = DiskException(oldChunk: oldBefore, newChunk: newBefore)
    return slot
  }
}
