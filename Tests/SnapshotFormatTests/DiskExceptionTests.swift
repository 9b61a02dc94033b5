import BlockIO
import SnapshotFormat
import TestSupport
import Testing

/// Any sixteen bytes are an exception, and mean the same two numbers in memory and on disk.
@Suite struct DiskExceptionTests {
  @Test func `its memory is the disk's sixteen bytes`() {
    #expect(MemoryLayout<DiskException>.size == DiskException.byteCount)
    #expect(MemoryLayout<DiskException>.stride == DiskException.byteCount)
    let buffer = IOBuffer(
      [1, 2, 3, 4, 5, 6, 7, 8, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8])
    buffer.withRecords(of: DiskException.self, count: 1) { records in
      #expect(records[0].oldChunk == 0x0807_0605_0403_0201)
      #expect(records[0].newChunk == 0xf8f7_f6f5_f4f3_f2f1)
    }
  }

  @Test(arguments: UInt64(1)...20)
  func `what is written is read again`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let (old, new) = (random.next(), random.next())
    let buffer = IOBuffer(byteCount: 16)
    buffer.withMutableRecords(of: DiskException.self, count: 1) {
      $0[0] = DiskException(oldChunk: old, newChunk: new)
    }
    #expect(buffer.bytes(0..<16) == old.littleEndianBytes + new.littleEndianBytes)
    buffer.withRecords(of: DiskException.self, count: 1) {
      #expect($0[0] == DiskException(oldChunk: old, newChunk: new))
    }
  }

  @Test(arguments: 0..<64)
  func `every bit of a new chunk belongs to its number or to its top byte`(bit: UInt64) {
    let exception = DiskException(oldChunk: 0, newChunk: 1 << bit)
    #expect(exception.newChunkNumber == (bit < 56 ? 1 << bit : 0))
    #expect(exception.topByte == (bit < 56 ? 0 : 1 << (bit - 56)))
    #expect(!exception.isTerminator)
  }

  @Test func `only a new chunk of all zeroes ends the table, whatever the old chunk is`() {
    #expect(DiskException(oldChunk: 0, newChunk: 0).isTerminator)
    #expect(DiskException(oldChunk: 77, newChunk: 0).isTerminator)
    #expect(!DiskException(oldChunk: 0, newChunk: 1).isTerminator)
    #expect(!DiskException(oldChunk: 0, newChunk: 1 << 56).isTerminator)
  }
}
