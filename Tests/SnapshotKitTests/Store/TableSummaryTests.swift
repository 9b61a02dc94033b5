import SnapshotFormat
import SnapshotKit
import TestSupport
import Testing

/// The counters of a walk are Linux's own, wrapping around where its do.
@Suite struct TableSummaryTests {
  private func extent(_ pairs: (UInt64, UInt64)...) throws -> TableSummary {
    var builder = StoreBuilder(chunkSectors: 1, chunkCount: 120)
    builder.exceptions = pairs.map { StoreBuilder.Exception($0.0, $0.1) }
    let store = Store(builder.image())
    return StoreScanner(store.source, try #require(store.geometry)).scan { _, _ in }
  }

  @Test func `an empty table has no run, and chunk 2 is free`() throws {
    let extent = try extent()
    #expect(extent.exceptionCount == 0)
    #expect(extent.runCount == 0)
    #expect(extent.areaCount == 1)
    #expect(extent.nextFree == Chunk(2))
    #expect(extent.isTerminated)
    #expect(!extent.hasTopBytes)
  }

  @Test func `exceptions one behind the other in both chunks are a run`() throws {
    #expect(try extent((5, 2), (6, 3), (7, 4)).runCount == 1)
    #expect(try extent((5, 2), (6, 4)).runCount == 2)
    #expect(try extent((5, 2), (7, 3)).runCount == 2)
    #expect(try extent((6, 3), (5, 2)).runCount == 2)
    #expect(try extent((5, 2), (5, 2)).runCount == 2)
  }

  @Test func `no run goes on from the last of all chunks to the first`() throws {
    #expect(try extent((.max, 2), (0, 3)).runCount == 2)
    #expect(try extent((0, 1)).runCount == 1)
  }

  @Test func `a run goes on from area to area`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying(0..<40)
    let store = Store(builder.image())
    let extent = StoreScanner(store.source, try #require(store.geometry)).scan { _, _ in }
    #expect(extent.runCount == 2)  // new chunks skip the area between them
    var shifted = StoreBuilder(chunkSectors: 1, chunkCount: 80)
    shifted.exceptions = (0..<40).map { StoreBuilder.Exception(UInt64($0), UInt64($0) + 2) }
    let other = Store(shifted.image())
    let whole = StoreScanner(other.source, try #require(other.geometry)).scan { _, _ in }
    #expect(whole.runCount == 1)
  }

  @Test func `the next free chunk is one above the highest, whatever the order`() throws {
    #expect(try extent((1, 9), (2, 4)).nextFree == Chunk(10))
    #expect(try extent((1, 1)).nextFree == Chunk(2))
    #expect(try extent((1, 33)).nextFree == Chunk(34))  // an area; only the status goes past it
  }

  @Test func `the next free chunk wraps around and begins anew`() throws {
    #expect(try extent((1, .max)).nextFree == Chunk(0))
    #expect(try extent((1, .max), (2, 5)).nextFree == Chunk(6))
    #expect(try extent((1, .max - 1)).nextFree == Chunk(.max))
  }

  @Test(arguments: 56..<64)
  func `every bit of a top byte is seen`(bit: UInt64) throws {
    #expect(try extent((1, 2), (9, 1 << bit | 3)).hasTopBytes)
  }

  @Test func `the highest number without a top byte has none`() throws {
    #expect(try !extent((1, (1 << 56) - 1)).hasTopBytes)
  }
}
