@testable import SnapshotKit
import Testing

/// Bytes that are counted eight at a time are counted right.
@Suite struct ContentProfileTests {
  /// Each byte alone, at each place of a word and behind the last whole one.
  @Test(arguments: [8, 11])
  func `each byte value is counted once, wherever it stands`(_ byteCount: Int) {
    for byte in UInt8.min...UInt8.max {
      for place in 0..<byteCount {
        // 0x01 is none of the kinds.
        var content = [UInt8](repeating: 0x01, count: byteCount)
        content[place] = byte
        let counts = ByteCounts(content.span)
        #expect(counts.zero == (byte == 0 ? 1 : 0))
        #expect(counts.high == (byte >= 0x80 ? 1 : 0))
        let isPrintable = byte == 0x0a || (0x20...0x7f).contains(byte)
        #expect(counts.printable == (isPrintable ? 1 : 0), "byte \(byte) at \(place)")
      }
    }
  }

  @Test func `only content that is all zero is zero`() {
    var content = [UInt8](repeating: 0, count: 1 << 20)
    #expect(ContentProfile(content.span).isZero)
    content[77_777] = 1
    #expect(!ContentProfile(content.span).isZero)
  }
}
