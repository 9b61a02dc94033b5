import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// Where a table is walked over more than once, what a later walk does not see must not go missing.
@Suite struct SecondWalkTests {
  /// 64 exceptions in three areas of 32, the last one empty.
  private static let builder = StoreBuilder(chunkSectors: 1).copying(0..<64)
  private static let secondArea: Range<UInt64> = 34 * 512..<35 * 512

  @Test func `a table without duplicates is read in one walk`() throws {
    let source = FadingSource(Self.builder.image(), fading: Self.secondArea, after: 1)
    let loaded = try LoadedTable(Store(source), reading: .kernel)
    #expect(loaded.table.runs.reduce(0) { $0 + $1.count } == 64)
  }

  @Test func `an area that fails in the second walk is no end of the table`() {
    let store = Self.builder.adding((0, 70)).image()
    let source = FadingSource(store, fading: Self.secondArea, after: 1)
    #expect(throws: StoreError.self) { try LoadedTable(Store(source), reading: .kernel) }
  }

  @Test func `an area that fails in the second walk hides no obstacle`() throws {
    let store = Self.builder.adding((1000, 70)).image()
    let source = FadingSource(store, fading: Self.secondArea, after: 1)
    let loaded = try LoadedTable(Store(source), reading: .kernel)
    #expect(throws: StoreError.self) { try loaded.mergeObstacle(originByteCount: 64 * 512) }
  }

  @Test func `a medium that holds is read to its end`() throws {
    let source = FadingSource(Self.builder.image(), fading: Self.secondArea, after: 3)
    let loaded = try LoadedTable(Store(source), reading: .kernel)
    #expect(try loaded.mergeObstacle(originByteCount: 64 * 512) == nil)
    #expect(loaded.table.runs.reduce(0) { $0 + $1.count } == 64)
  }
}
