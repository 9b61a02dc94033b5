import BlockIO
import TestSupport
import Testing

/// What a map says can be read: exactly what a mapfile calls finished.
@Suite struct BadSectorMapTests {
  /// The example of ddrescue's manual.
  private static let example = """
    # Mapfile. Created by GNU ddrescue version 1.27
    # Command line: ddrescue -d -c18 /dev/fd0 fdimage mapfile
    # Copying non-tried blocks... Pass 1 (forwards)
    # current_pos  current_status  current_pass
    0x00120000     ?               1
    #      pos        size  status
    0x00000000  0x00117000  +
    0x00117000  0x00000200  -
    0x00117200  0x00001000  /
    0x00118200  0x00007E00  *
    0x00120000  0x00048000  ?

    """

  @Test func `everything but finished blocks is unreadable`() throws {
    let map = try BadSectorMap(Self.example)
    #expect(map.unreadableRanges(in: 0..<0x168000) == [0x117000..<0x168000])
    #expect(map.unreadableByteCount(in: 0..<0x168000) == 0x51000)
    #expect(map.firstUnreadableRange(in: 0..<0x117000) == nil)
    #expect(map.firstUnreadableRange(in: 0..<0x117001) == 0x117000..<0x117001)
  }

  @Test(arguments: [("?", false), ("*", false), ("/", false), ("-", false), ("+", true)])
  func `every status of a block`(status: String, isReadable: Bool) throws {
    let map = try BadSectorMap("0 + 1\n0 512 +\n512 1024 \(status)\n1536 512 +\n")
    #expect(map.unreadableRanges(in: 0..<2048) == (isReadable ? [] : [512..<1536]))
  }

  @Test(arguments: ["?", "*", "/", "-", "F", "G", "+"])
  func `every status of a rescue`(status: String) throws {
    #expect(try BadSectorMap("0x0 \(status) 1\n0 9 +").unreadableByteCount(in: 0..<9) == 0)
  }

  @Test func `what the map does not cover was read by nobody`() throws {
    let map = try BadSectorMap("0 + 1\n1000 1000 +\n2000 10 -\n2010 90 +\n")
    let all: Range<UInt64> = 0 ..< .max
    #expect(map.unreadableRanges(in: all) == [0..<1000, 2000..<2010, 2100 ..< .max])
    #expect(map.unreadableByteCount(in: all) == UInt64.max - 1090)
    #expect(try BadSectorMap("0 ? 1\n").unreadableRanges(in: all) == [all])
    #expect(map.unreadableRanges(in: 500..<500).isEmpty)
    #expect(map.unreadableRanges(in: UInt64.max..<UInt64.max).isEmpty)
  }

  @Test(arguments: [
    "0 +\n0 4096 +\n", "0 + 1\r\n0 4096 +\r\n", "0 + 1\n0 4096 +", "0\t+\t1\n0\t4096\t+\n",
    "\n\n  0 + 2147483647\n\n   0x0 0X1000 +   \n\n", "00 + 001\n00 010000 +\n",
    "# a\n#\n0 + 1 # b + 7\n  # c\n0 4096 + #\n# d", "0 + 1\n0 1000 +\n1000 0xc18 +\n",
    "18446744073709551615 - 1\n0 0x0000000000000000000000001000 +\n#\u{0}\u{ff}",
    "0 + 1\n0 0 ?\n0 4096 +\n", "0 + 1\u{b}\n0 4096 +\u{c}\n",
  ])
  func `every way to write the same map`(text: String) throws {
    #expect(try BadSectorMap(text).unreadableRanges(in: 0..<8192) == [4096..<8192])
  }

  @Test func `positions and sizes go up to the last byte that has a number`() throws {
    let last = UInt64.max
    let map = try BadSectorMap("0 + 1\n0xFFFFFFFFFFFFFFFE 1 +\n")
    #expect(map.unreadableRanges(in: 0..<last) == [0..<last - 1])
    #expect(try BadSectorMap("0 + 1\n0 \(last) +").unreadableRanges(in: 0..<last).isEmpty)
    #expect(
      try BadSectorMap("0 + 1\n0 01777777777777777777777 +").unreadableRanges(in: 0..<last) == [])
  }

  @Test(arguments: [
    (1, 1, "", "the end of the file", "a status line"),
    (2, 1, "# only a comment\n", "the end of the file", "a status line"),
    (1, 1, "\u{0}\u{0}\u{0}", "“\\x00\\x00\\x00”", "position of the rescue"),
    (1, 1, "\u{feff}0 + 1", "“\\xef\\xbb\\xbf0”", "position of the rescue"),
    (1, 37, "# a file of an old Mac\r0 + 1\r0 512 +", "the end of the file", "a status line"),
    (1, 1, "-1 + 1", "“-1”", "position of the rescue"),
    (1, 1, "+1 + 1", "“+1”", "position of the rescue"),
    (1, 1, "18446744073709551616 + 1", "“18446744073709551616”", "below 2^64"),
    (1, 1, "0x10000000000000000 + 1", "“0x10000000000000000”", "below 2^64"),
    (1, 1, "02000000000000000000000 + 1", "“02000000000000000000000”", "below 2^64"),
    (1, 1, "0x + 1", "“0x”", "position of the rescue"),
    (1, 1, "0xG + 1", "“0xG”", "position of the rescue"),
    (1, 1, "08 + 1", "“08”", "0 and octal"), (1, 1, "1a + 1", "“1a”", "decimal"),
    (1, 1, "1#2 + 1", "“1#2”", "position of the rescue"),
    (1, 2, "0", "the end of the file", "one of ?*/-FG+"),
    (1, 2, "0\n+ 1", "the end of the line", "one of ?*/-FG+"),
    (1, 3, "0 x 1", "“x”", "one of ?*/-FG+"), (1, 3, "0 ++ 1", "“++”", "one of ?*/-FG+"),
    (1, 5, "0 + 0", "“0”", "the pass"), (1, 5, "0 + 0x1", "“0x1”", "the pass"),
    (1, 5, "0 + 2147483648", "“2147483648”", "from 1 to 2147483647"),
    (1, 7, "0 + 1 1", "“1”", "the end of the line"),
    (1, 12, "0x00000000 0x00117000 +", "“0x00117000”", "the status of the rescue"),
    (2, 1, "0 + 1\nx 512 +", "“x”", "position of a block"),
    (2, 2, "0 + 1\n0", "the end of the file", "size of the block"),
    (2, 3, "0 + 1\n0 + 512", "“+”", "size of the block"),
    (2, 3, "0 + 1\n0 -1 +", "“-1”", "size of the block"),
    (2, 6, "0 + 1\n0 512", "the end of the file", "one of ?*/-+"),
    (2, 7, "0 + 1\n0 512 F", "“F”", "one of ?*/-+"),
    (2, 3, "0 + 1\n0 512+", "“512+”", "size of the block"),
    (2, 9, "0 + 1\n0 512 + 0", "“0”", "the end of the line"),
    (2, 3, "0 + 1\n1 0 +", "“0”", "from 1 to 18446744073709551614"),
    (2, 22, "0 + 1\n18446744073709551615 1 +", "“1”", "ends below 2^64"),
    (2, 3, "0 + 1\n1 0xFFFFFFFFFFFFFFFF -", "“0xFFFFFFFFFFFFFFFF”", "ends below 2^64"),
    (3, 1, "0 + 1\n0 512 +\n0 512 +", "“0”", "position 512"),
    (3, 1, "0 + 1\n0 512 +\n513 512 +", "“513”", "position 512"),
    (3, 1, "0 + 1\n0 512 +\n511 512 +", "“511”", "position 512"),
    (4, 1, "0 + 1\n0 512 +\n# x\n\u{a0}512 512 +", "“\\xc2\\xa0512”", "position of a block"),
  ])
  func `what is no mapfile is told by line, column and what is required`(
    line: Int, column: Int, text: String, found: String, required: String
  ) throws {
    let error = try #require(throws: BadSectorMapError.self) { _ = try BadSectorMap(text) }
    #expect(error.line == line)
    #expect(error.found == found)
    #expect(error.required.contains(required))
    #expect(error.column == column)
  }

  @Test func `an error is one line, however long what it quotes`() throws {
    let error = try #require(throws: BadSectorMapError.self) {
      _ = try BadSectorMap("0 + 1\n" + String(repeating: "\u{7}", count: 100_000))
    }
    #expect(error.found == "“" + String(repeating: "\\x07", count: 32) + "…”")
    #expect(
      try #require(throws: BadSectorMapError.self) { _ = try BadSectorMap("0 + x") }.description
        == "line 1, column 5: found “x”, but the pass, a decimal number from 1 to 2147483647,"
        + " is required")
  }

  @Test func `a map that was cut declares nothing sound that the whole one does not`() throws {
    let whole = try BadSectorMap(Self.example).unreadableRanges(in: 0..<0x168000)
    for count in 0..<Self.example.utf8.count {
      guard let map = try? BadSectorMap(String(Self.example.prefix(count))) else { continue }
      let unreadable = map.unreadableRanges(in: 0..<0x168000)
      #expect(unreadable == whole || unreadable == [0..<0x168000], "cut to \(count) bytes")
    }
  }

  @Test func `a map of many lines`() throws {
    var text = "0 ? 1\n"
    for sector in 0..<100_000 { text += "\(sector * 512) 512 \(sector % 2 == 0 ? "+" : "-")\n" }
    let map = try BadSectorMap(text)
    #expect(map.unreadableByteCount(in: 0..<51_200_000) == 25_600_000)
    #expect(map.firstUnreadableRange(in: 51_199_000..<51_199_488) == nil)
    #expect(map.firstUnreadableRange(in: 51_199_000..<51_199_500) == 51_199_488..<51_199_500)
    #expect(map.firstUnreadableRange(in: 51_198_500..<51_199_000) == 51_198_500..<51_198_976)
  }

  @Test(arguments: 0..<200 as Range<UInt64>)
  func `a map answers like a byte for each byte`(seed: UInt64) throws {
    let made = RandomMap(seed: seed)
    let map = try BadSectorMap(made.text)
    var random = SplitMix64(seed: ~seed)
    for _ in 0..<50 {
      let start = random.below(made.isReadable.count + 1)
      let range = start..<start + random.below(made.isReadable.count + 1 - start)
      let expected = made.unreadableRanges(in: range)
      let bytes = UInt64(range.lowerBound)..<UInt64(range.upperBound)
      #expect(map.unreadableRanges(in: bytes) == expected, "seed \(seed), \(range)")
      #expect(map.firstUnreadableRange(in: bytes) == expected.first)
      #expect(map.unreadableByteCount(in: bytes) == UInt64(expected.map(\.count).reduce(0, +)))
    }
  }
}
