import BlockIO
import TestSupport
import Testing

/// Lines come one after another, whatever their length and that of the text.
@Suite struct LineReaderTests {
  private func lines(_ text: [UInt8], byteCountMax: Int = 1 << 20) throws -> [String] {
    var reader = LineReader(FaultySource(text))
    var lines: [String] = []
    while let line = try reader.next(byteCountMax: byteCountMax) { lines.append(line) }
    #expect(try reader.next() == nil)
    return lines
  }

  @Test(arguments: [
    ("", []), ("\n", [""]), ("a", ["a"]), ("a\n", ["a"]), ("a\n\nb", ["a", "", "b"]),
    ("\n\n", ["", ""]), ("a\r\nb", ["a\r", "b"]),
  ])
  func `lines are what stands between line ends`(text: String, expected: [String]) throws {
    #expect(try lines(Array(text.utf8)) == expected)
  }

  @Test(arguments: UInt64(1)...20)
  func `a text of any lines is read as they are`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let expected = (0..<40).map { _ in
      String(repeating: "ab…", count: random.oneIn(4) ? random.below(60_000) : random.below(40))
    }
    let text = expected.map { $0 + "\n" }.joined()
    #expect(try lines(Array(text.utf8)) == expected)
  }

  @Test func `a line that ends with a buffer is whole`() throws {
    let line = String(repeating: "x", count: 65_535)
    #expect(try lines(Array("\(line)\n\(line)\nend".utf8)) == [line, line, "end"])
  }

  @Test func `a longer line than is wanted is cut there`() throws {
    #expect(try lines(Array("abcdefgh\nij".utf8), byteCountMax: 3) == ["abc", "def", "gh", "ij"])
    let long = try lines([UInt8](repeating: 0x41, count: 200_000), byteCountMax: 70_000)
    #expect(long.map(\.utf8.count) == [70_000, 70_000, 60_000])
  }

  @Test func `bytes that are no text are no harm`() throws {
    #expect(try lines([0xff, 0x0a, 0x00, 0xc3]).count == 2)
  }

  @Test func `what cannot be read is an error`() throws {
    var reader = LineReader(FaultySource(Array("a\nb\n".utf8), unreadable: [2..<3]))
    #expect(throws: BlockIOError.self) { try reader.next() }
  }
}
