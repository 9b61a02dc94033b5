import BlockIO
import TestSupport
import Testing

/// A buffer's words on its bytes, at every boundary.
@Suite struct IOBufferTests {
  /// A buffer that is zero but for one byte.
  private func buffer(_ byteCount: Int, nonZeroAt index: Int) -> IOBuffer {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    bytes.put([1], at: index)
    return IOBuffer(bytes)
  }

  @Test func `a new buffer is zero`() {
    let buffer = IOBuffer(byteCount: 5000)
    #expect(buffer.byteCount == 5000)
    #expect(buffer.isZero(0..<5000))
    #expect(buffer.bytes(0..<5000) == [UInt8](repeating: 0, count: 5000))
    #expect(IOBuffer(byteCount: 0).isZero(0..<0))
  }

  @Test func `a single byte anywhere is no zero, just there and nowhere else`() {
    for index in 0..<66 {
      let buffer = buffer(66, nonZeroAt: index)
      #expect(!buffer.isZero(0..<66))
      #expect(buffer.isZero(0..<index))
      #expect(buffer.isZero(index + 1..<66))
      #expect(!buffer.isZero(index..<index + 1))
      #expect(buffer.nonZeroBytes(0..<66) == index..<index + 1)
    }
  }

  @Test func `the bytes that are not zero reach from the first to the last`() {
    let buffer = IOBuffer([0, 0, 7, 0, 0, 9, 0])
    #expect(buffer.nonZeroBytes(0..<7) == 2..<6)
    #expect(buffer.nonZeroBytes(3..<5) == nil)
    #expect(buffer.nonZeroBytes(3..<3) == nil)
    #expect(buffer.nonZeroBytes(2..<3) == 2..<3)
  }

  @Test func `zeroing touches its range alone`() {
    let buffer = IOBuffer(pattern(100, from: 1))
    buffer.zero(10..<20)
    buffer.zero(50..<50)
    var expected = pattern(100, from: 1)
    expected.put([UInt8](repeating: 0, count: 10), at: 10)
    #expect(buffer.bytes(0..<100) == expected)
  }

  @Test func `two buffers are compared where one says`() {
    let (left, right) = (IOBuffer(pattern(100)), IOBuffer(pattern(100, from: 10)))
    #expect(left.equals(10..<100, in: right, at: 0))
    #expect(!left.equals(10..<100, in: right, at: 1))
    #expect(left.equals(5..<5, in: right, at: 0))
    right.withMutableBytes(89..<90) { $0[0] ^= 1 }
    #expect(!left.equals(10..<100, in: right, at: 0))
    #expect(left.equals(10..<99, in: right, at: 0))
  }

  @Test func `bytes are copied to where one says`() {
    let target = IOBuffer(byteCount: 20)
    target.copy(from: IOBuffer(pattern(100)), 30..<40, to: 5)
    #expect(
      target.bytes(0..<20)
        == [UInt8](repeating: 0, count: 5) + pattern(10, from: 30) + [UInt8](repeating: 0, count: 5)
    )
  }

  @Test func `records have the layout of the bytes`() {
    let buffer = IOBuffer([1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    buffer.withRecords(of: UInt64.self, count: 2) { records in
      #expect(records.count == 2)
      #expect(UInt64(littleEndian: records[0]) == 1)
      #expect(UInt64(littleEndian: records[1]) == 256)
    }
    buffer.withMutableRecords(of: UInt64.self, count: 1) { $0[0] = UInt64(0x0203).littleEndian }
    #expect(buffer.bytes(0..<3) == [3, 2, 0])
  }

  @Test func `a range outside is a programmer's error`() async {
    await #expect(processExitsWith: .failure) { IOBuffer(byteCount: 10).zero(5..<11) }
  }
}
