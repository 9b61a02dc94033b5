import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import SystemPackage
import TestSupport
import Testing

/// A buffer gets as many pieces of areas as fit into it, each once, up to the table's end.
@Suite struct TableReaderTests {
  private struct Visit: Equatable {
    var area: UInt64
    var firstSlot: Int
    var liveCount: Int
    /// The new chunk of its first exception.
    var firstNewChunk: UInt64
  }

  private func reader(
    _ source: any BlockSource, chunkSectors: UInt32 = 1, byteCount: UInt64? = nil
  ) throws -> TableReader {
    let size = try ChunkSize(sectorCount: chunkSectors)
    return TableReader(
      source, StoreGeometry(chunkSize: size, byteCount: byteCount ?? source.byteCount))
  }

  private func visits(_ batch: TableReader.Batch, in buffer: IOBuffer) -> [Visit] {
    var visits: [Visit] = []
    batch.forEachPiece(in: buffer) { piece, exceptions in
      visits.append(
        Visit(
          area: piece.area.index, firstSlot: piece.firstSlot, liveCount: piece.liveCount,
          firstNewChunk: exceptions[0].newChunk))
    }
    return visits
  }

  @Test(
    arguments: [
      (1, 512, 64), (32, 16_384, 64), (64, 32_768, 32), (2048, 1 << 20, 1), (4096, 1 << 20, 1),
      (1 << 21, 1 << 20, 1),
    ] as [(UInt32, Int, Int)])
  func `a batch is at most 64 areas and a mebibyte`(
    chunkSectors: UInt32, pieceByteCount: Int, batchPieceCount: Int
  ) throws {
    let reader = try reader(FaultySource([]), chunkSectors: chunkSectors)
    #expect(reader.pieceByteCount == pieceByteCount)
    #expect(reader.batchPieceCount == batchPieceCount)
  }

  @Test func `a buffer takes the areas that fit, the next one those that are left`() throws {
    let source = FaultySource(StoreBuilder(chunkSectors: 1).copying(0..<102).image())
    var reader = try reader(source)
    let buffer = IOBuffer(byteCount: 1535)
    let first = reader.next(into: buffer)
    #expect(
      visits(first, in: buffer) == [
        Visit(area: 0, firstSlot: 0, liveCount: 32, firstNewChunk: 2),
        Visit(area: 1, firstSlot: 0, liveCount: 32, firstNewChunk: 35),
      ])
    #expect(first.extent.exceptionCount == 64 && !first.extent.isTerminated && !reader.isAtEnd)
    let second = reader.next(into: buffer)
    #expect(
      visits(second, in: buffer) == [
        Visit(area: 2, firstSlot: 0, liveCount: 32, firstNewChunk: 68),
        Visit(area: 3, firstSlot: 0, liveCount: 6, firstNewChunk: 101),
      ])
    #expect(second.extent.end == .terminator(AreaIndex(3), slot: 6))
    #expect(second.extent.exceptionCount == 102 && second.extent.areaCount == 4 && reader.isAtEnd)
    #expect(visits(reader.next(into: buffer), in: buffer) == [])
    #expect(source.reads == ([512, 17_408, 34_304, 51_200] as [UInt64]).map { $0..<$0 + 512 })
  }

  @Test func `a buffer without room for a piece leaves the reader where it is`() throws {
    let source = FaultySource(StoreBuilder(chunkSectors: 1).copying(0..<5).image())
    var reader = try reader(source)
    let small = IOBuffer(byteCount: 511)
    #expect(visits(reader.next(into: small), in: small) == [])
    #expect(!reader.isAtEnd && source.reads.isEmpty)
    let buffer = IOBuffer(byteCount: 512)
    #expect(visits(reader.next(into: buffer), in: buffer).map(\.liveCount) == [5])
    #expect(reader.isAtEnd)
  }

  /// Area 0 of chunks of 2 MiB with that many exceptions.
  private func large(_ count: Int) -> FaultySource {
    let area = (0..<UInt64(count)).flatMap {
      $0.littleEndianBytes + ($0 + 2).littleEndianBytes
    }
    return FaultySource(byteCount: 6 << 20, pieces: [(2 << 20, area)])
  }

  @Test(arguments: [(70_000, 65_536, 4464), (100, 100, 0)])
  func `of a large area a batch has one piece, behind the table's end too`(
    count: Int, first: Int, second: Int
  ) throws {
    let source = large(count)
    var reader = try reader(source, chunkSectors: 4096)
    let buffer = IOBuffer(byteCount: 1 << 20)
    #expect(
      visits(reader.next(into: buffer), in: buffer)
        == [Visit(area: 0, firstSlot: 0, liveCount: first, firstNewChunk: 2)])
    #expect(!reader.isAtEnd && reader.extent.areaCount == 0)
    #expect(
      visits(reader.next(into: buffer), in: buffer) == [
        Visit(
          area: 0, firstSlot: 65_536, liveCount: second,
          firstNewChunk: second == 0 ? 0 : 65_538)
      ])
    #expect(reader.isAtEnd && reader.extent.areaCount == 1)
    #expect(reader.extent.end == .terminator(AreaIndex(0), slot: count))
  }

  @Test func `an error in the middle of a large area ends the table there`() throws {
    let source = large(100_000)
    source.unreadable = [4_000_000..<4_000_001]
    var reader = try reader(source, chunkSectors: 4096)
    let buffer = IOBuffer(byteCount: 1 << 20)
    #expect(visits(reader.next(into: buffer), in: buffer).map(\.liveCount) == [65_536])
    #expect(visits(reader.next(into: buffer), in: buffer) == [])
    let error = BlockIOError("sparse.img", .read, .system(.ioError), at: 3 << 20..<4 << 20)
    #expect(reader.isAtEnd && reader.extent.end == .unreadable(AreaIndex(0), error))
    #expect(reader.extent.exceptionCount == 65_536 && reader.extent.areaCount == 0)
  }

  @Test func `areas are announced as far ahead as the table was read`() throws {
    let source = FaultySource(StoreBuilder(chunkSectors: 1).copying(0..<500).image())
    var reader = try reader(source)
    let buffer = IOBuffer(byteCount: 512)
    var ends: [Int] = []
    for _ in 0..<5 {
      _ = reader.next(into: buffer)
      ends.append(source.announced.count)
    }
    // Before the next area is read: none, area 2, 3 and 4, 5 and 6, 7 and 8.
    #expect(ends == [0, 1, 3, 5, 7])
    let areas = (2...8).map { UInt64(1 + $0 * 33) * 512 }
    #expect(source.announced == areas.map { $0..<$0 + 512 })
  }

  /// A file that is in the cache.
  private final class CachedSource: ForwardingSource {
    let base: any BlockSource
    init(_ base: any BlockSource) { self.base = base }
    func hasCached(at byteOffset: UInt64) -> Bool { true }
  }

  @Test func `areas in the cache are not announced`() throws {
    let source = FaultySource(StoreBuilder(chunkSectors: 1).copying(0..<500).image())
    var reader = try reader(CachedSource(source))
    let buffer = IOBuffer(byteCount: 512)
    while !reader.isAtEnd { _ = reader.next(into: buffer) }
    #expect(reader.extent.exceptionCount == 500 && source.announced == [])
  }

  @Test func `nothing is read of a store without an area, or past what a source has`() throws {
    for (chunkSectors, byteCount) in [(1, 0), (1, 1023), (8, 8191), (1 << 21, 1 << 30)]
      as [(UInt32, UInt64)]
    {
      let source = FaultySource(byteCount: byteCount, pieces: [])
      var reader = try reader(source, chunkSectors: chunkSectors)
      let buffer = IOBuffer(byteCount: reader.pieceByteCount)
      #expect(visits(reader.next(into: buffer), in: buffer) == [])
      #expect(reader.isAtEnd && reader.extent.end == .beyondEnd(AreaIndex(0)))
      #expect(source.reads.isEmpty)
    }
    // A geometry that promises more than the source has.
    let full = FaultySource(StoreBuilder(chunkSectors: 1).copying(0..<32).sized(34).image())
    var reader = try reader(full, byteCount: .max)
    let buffer = IOBuffer(byteCount: 4096)
    #expect(visits(reader.next(into: buffer), in: buffer).map(\.liveCount) == [32])
    let error = BlockIOError(
      "faulty.img", .read, .beyondEnd(byteCount: 34 * 512), at: 34 * 512..<35 * 512)
    #expect(reader.isAtEnd && reader.extent.end == .unreadable(AreaIndex(1), error))
  }
}
