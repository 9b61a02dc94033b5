import SnapshotFormat
import TestSupport
import Testing

/// Conversions between chunks, areas and bytes agree with each other, and never trap.
@Suite struct StoreGeometryTests {
  static let wild: [UInt64] = [
    0, 1, 2, 3, 31, 32, 33, 34, 35, 1 << 20, 1 << 32, (1 << 55) - 1, 1 << 55, 1 << 56, 1 << 63,
    .max - 1, .max,
  ]

  private func geometry(_ size: ChunkSize, chunks: UInt64, extra: UInt64 = 0) -> StoreGeometry {
    StoreGeometry(chunkSize: size, byteCount: chunks * size.byteCount + extra)
  }

  @Test(arguments: ChunkSize.all)
  func `areas lie one chunk behind the header, and then a stride apart`(size: ChunkSize) {
    let geometry = geometry(size, chunks: 0)
    let perArea = size.byteCount / 16
    for area in UInt64(0)..<5 {
      let chunk = Chunk(1 + area * (perArea + 1))
      #expect(geometry.chunk(of: AreaIndex(area)) == chunk)
      #expect(geometry.area(at: chunk) == AreaIndex(area))
      #expect(geometry.isMetadata(chunk) && !geometry.isData(chunk))
      #expect(geometry.byteOffset(of: AreaIndex(area)) == chunk.index * size.byteCount)
      #expect(
        geometry.byteOffset(of: AreaIndex(area), slot: 7) == chunk.index * size.byteCount + 112)
      for neighbour in [chunk.index + 1, chunk.index + perArea] {
        #expect(geometry.area(at: Chunk(neighbour)) == nil)
        #expect(geometry.isData(Chunk(neighbour)))
      }
    }
    #expect(geometry.area(at: Chunk(0)) == nil)
    #expect(!geometry.isData(Chunk(0)) && !geometry.isMetadata(Chunk(0)))
  }

  @Test(arguments: ChunkSize.all)
  func `data chunks are handed out in order, around the areas`(size: ChunkSize) {
    let geometry = geometry(size, chunks: 0)
    let perArea = size.exceptionsPerArea
    for start in [0, perArea - 2, 2 * perArea - 2, 1 << 40] {
      for position in start..<start + 4 {
        let chunk = geometry.dataChunk(inOrder: position)
        #expect(chunk == Chunk(2 + position + position / perArea))
        #expect(chunk.map(geometry.isData) == true)
      }
    }
    #expect(geometry.dataChunk(inOrder: 0) == Chunk(2))
    #expect(geometry.dataChunk(inOrder: .max) == nil)
  }

  /// Chunks, whole and begun, and areas of a store of chunks of one sector and E = 32.
  @Test(
    arguments: [
      (0, 0, 0, 0), (1, 0, 0, 0), (511, 0, 0, 0), (512, 1, 1, 0), (1023, 1, 1, 0), (1024, 2, 2, 1),
      (1025, 2, 2, 1), (34 * 512, 34, 34, 1), (35 * 512 - 1, 34, 34, 1), (35 * 512, 35, 35, 2),
      (67 * 512, 67, 67, 2), (68 * 512, 68, 68, 3),
    ] as [(UInt64, UInt64, UInt64, UInt64)])
  func `a store has the whole chunks and areas that fit`(
    byteCount: UInt64, whole: UInt64, begun: UInt64, areas: UInt64
  ) throws {
    let geometry = StoreGeometry(
      chunkSize: try ChunkSize(sectorCount: 1), byteCount: byteCount)
    #expect(geometry.wholeChunkCount == whole)
    #expect(geometry.chunkCount == begun)
    #expect(geometry.wholeAreaCount == areas)
    #expect(geometry.sectorCount == byteCount / 512)
  }

  @Test(arguments: ChunkSize.all.dropFirst())
  func `a last chunk that is partial has begun and is not whole`(size: ChunkSize) {
    for (extra, isBegun) in [(0, false), (511, false), (512, true), (size.byteCount - 512, true)] {
      let geometry = geometry(size, chunks: 9, extra: extra)
      #expect(geometry.wholeChunkCount == 9)
      #expect(geometry.chunkCount == (isBegun ? 10 : 9))
      #expect(geometry.presentByteCount(of: Chunk(8)) == size.byteCount)
      #expect(geometry.presentByteCount(of: Chunk(9)) == (isBegun ? extra : 0))
      #expect(geometry.presentByteCount(of: Chunk(10)) == 0)
    }
  }

  @Test(arguments: ChunkSize.all)
  func `an origin's partial last chunk counts`(size: ChunkSize) {
    let geometry = geometry(size, chunks: 1)
    #expect(geometry.chunkCount(ofOrigin: 0) == 0)
    #expect(geometry.chunkCount(ofOrigin: 511) == 0)
    #expect(geometry.chunkCount(ofOrigin: 512) == 1)
    #expect(geometry.chunkCount(ofOrigin: size.byteCount) == 1)
    #expect(geometry.chunkCount(ofOrigin: size.byteCount + 511) == 1)
    #expect(geometry.chunkCount(ofOrigin: size.byteCount + 512) == 2)
    let last = UInt64.max / 512 - 1  // the number of the last whole sector that there can be
    #expect(geometry.chunkCount(ofOrigin: .max) == last / UInt64(size.sectorCount) + 1)
  }

  @Test(arguments: ChunkSize.all)
  func `every byte lies in the chunk that begins at or before it`(size: ChunkSize) {
    let geometry = geometry(size, chunks: 4)
    for chunk in UInt64(0)..<4 {
      #expect(geometry.byteOffset(of: Chunk(chunk)) == chunk * size.byteCount)
      #expect(geometry.chunk(containing: chunk * size.byteCount) == Chunk(chunk))
      #expect(geometry.chunk(containing: (chunk + 1) * size.byteCount - 1) == Chunk(chunk))
    }
    #expect(geometry.chunk(containing: .max) == Chunk(.max >> (9 + size.shift)))
  }

  @Test(arguments: ChunkSize.all, wild)
  func `a number from a disk may be anything`(size: ChunkSize, number: UInt64) {
    let geometry = geometry(size, chunks: 100)
    let fits = number <= .max / size.byteCount
    #expect(geometry.byteOffset(of: Chunk(number)) == (fits ? number * size.byteCount : nil))
    #expect(geometry.kernelSector(of: Chunk(number)) == number &* UInt64(size.sectorCount))
    let present = geometry.presentByteCount(of: Chunk(number))
    #expect(present == (number < 100 ? size.byteCount : 0))
    #expect(geometry.isMetadata(Chunk(number)) == (number % (size.exceptionsPerArea + 1) == 1))
    let area = AreaIndex(number)
    if number <= (.max - 1) / size.areaStride {
      #expect(geometry.chunk(of: area) == Chunk(number * size.areaStride + 1))
    } else {
      #expect(geometry.chunk(of: area) == nil)
      #expect(geometry.byteOffset(of: area) == nil)
    }
    if geometry.byteOffset(of: area) == nil {
      #expect(geometry.byteOffset(of: area, slot: 1) == nil)
    }
    _ = geometry.dataChunk(inOrder: number)
    _ = geometry.area(at: Chunk(number))
  }

  @Test func `the last slot of the last area that has an address may lie past it`() throws {
    // Area a begins at (1 + 33 a) * 512, so that the highest address is just below 2^64.
    let geometry = StoreGeometry(chunkSize: try ChunkSize(sectorCount: 1), byteCount: 0)
    let area = AreaIndex((UInt64.max / 512 - 1) / 33)
    let offset = try #require(geometry.byteOffset(of: area))
    let room = (UInt64.max - offset) / 16
    #expect(geometry.byteOffset(of: area, slot: Int(room)) == offset + room * 16)
    #expect(geometry.byteOffset(of: area, slot: Int(room) + 1) == nil)
  }
}
