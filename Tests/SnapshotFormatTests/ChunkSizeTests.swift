import SnapshotFormat
import Testing

/// What Linux takes for a chunk size is a power of two from one sector to 2^21, nothing else.
@Suite struct ChunkSizeTests {
  @Test(arguments: 0..<22)
  func `every power of two up to a gibibyte is a chunk size`(shift: Int) throws {
    let size = try ChunkSize(sectorCount: 1 << UInt32(shift))
    #expect(size.shift == UInt64(shift))
    #expect(size.sectorCount == 1 << UInt32(shift))
    #expect(size.byteCount == 512 << UInt64(shift))
    #expect(size.exceptionsPerArea == 32 << UInt64(shift))
    #expect(size.areaStride == size.exceptionsPerArea + 1)
    #expect(ChunkSize.all[shift] == size)
  }

  @Test(
    arguments: [
      0, 3, 5, 6, 7, 9, 31, 33, 1000, 0x1f_ffff, 0x20_0001, 0x3f_ffff, 0x8000_0001, UInt32.max,
    ] as [UInt32])
  func `a number that is no power of two is refused as such`(sectorCount: UInt32) {
    #expect(throws: ChunkSizeError.notAPowerOfTwo) { try ChunkSize(sectorCount: sectorCount) }
  }

  @Test(arguments: 22..<32)
  func `two gibibytes and more are too high`(shift: UInt32) {
    #expect(throws: ChunkSizeError.tooHigh) { try ChunkSize(sectorCount: 1 << shift) }
  }

  @Test func `all sizes are listed once, the smallest first`() {
    #expect(ChunkSize.all.count == 22)
    #expect(ChunkSize.all.first?.sectorCount == 1)
    #expect(ChunkSize.all.last == .max)
    #expect(ChunkSize.all == ChunkSize.all.sorted())
  }

  @Test func `the kernel's default is 16 KiB`() {
    #expect(ChunkSize.kernelDefault.byteCount == 16384)
  }

  @Test func `errors speak the kernel's words`() {
    #expect("\(ChunkSizeError.notAPowerOfTwo)" == "Chunk size is not a power of 2")
    #expect("\(ChunkSizeError.tooHigh)" == "Chunk size is too high")
  }
}
