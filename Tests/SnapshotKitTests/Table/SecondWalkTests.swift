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

  @Test func `what the first walk read, the second one knows`() throws {
    let store = Self.builder.adding((0, 70)).image()
    let source = FadingSource(store, fading: Self.secondArea, after: 1)
    let loaded = try LoadedTable(Store(source), reading: .kernel)
    #expect(loaded.table.contestedBuckets == [0])
    #expect(loaded.table.runs.reduce(0) { $0 + $1.count } == 64)
  }

  @Test func `an area that fails in the second walk is no end of the table`() throws {
    // Five areas of 2 MiB, more than is remembered of a store; the last exception is a duplicate.
    let geometry = StoreGeometry(
      chunkSize: try ChunkSize(sectorCount: 4096), byteCount: 1 << 42)
    let perArea = geometry.chunkSize.exceptionsPerArea
    let last = 5 * perArea - 1
    let areas = try (0..<5 as Range<UInt64>).map { area in
      let bytes = (area * perArea..<(area + 1) * perArea).flatMap { position in
        (position == last ? 0 : position).littleEndianBytes
          + (position + area + 2).littleEndianBytes
      }
      return (byteOffset: try #require(geometry.byteOffset(of: AreaIndex(area))), bytes: bytes)
    }
    let header = [0x7041_6e53, 1, 1, 4096].flatMap { UInt32($0).littleEndianBytes }
    let source = FaultySource(byteCount: 1 << 42, pieces: [(0, header)] + areas)
    let fading = areas[4].byteOffset..<areas[4].byteOffset + 4096
    let fine = FadingSource(source, fading: fading, after: 2)
    #expect(try LoadedTable(Store(fine), reading: .kernel).exceptionCount == last + 1)
    let failing = FadingSource(source, fading: fading, after: 1)
    let error = #expect(throws: StoreError.self) {
      try LoadedTable(Store(failing), reading: .kernel)
    }
    #expect("\(try #require(error))".contains("could be read a moment ago"))
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
