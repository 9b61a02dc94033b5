import BlockIO
import TestSupport
import Testing

/// Mapfiles that we write: ddrescue takes them, and they say what they were made of.
@Suite struct RescueBlockTests {
  @Test func `a mapfile has the columns of ddrescue's own`() {
    let blocks = [
      RescueBlock(0..<0x200, .nonTried), RescueBlock(0x1000..<0x1200, .nonTrimmed),
      RescueBlock(0x1_2345_6000..<0x1_2345_6200, .nonTried),
    ]
    #expect(
      BadSectorMap.mapfile(of: blocks, byteCount: 0x2_0000_0000, comment: "Wanted\nfor x") == """
        # Wanted
        # for x
        # current_pos  current_status  current_pass
        0x00000000     ?               1
        #      pos        size  status
        0x00000000  0x00000200  ?
        0x00000200  0x00000E00  +
        0x00001000  0x00000200  *
        0x00001200  0x123454E00  +
        0x123456000  0x00000200  ?
        0x123456200  0xDCBA9E00  +

        """)
  }

  /// The lines of blocks in a mapfile.
  private func lines(_ blocks: [RescueBlock], byteCount: UInt64) -> [String] {
    BadSectorMap.mapfile(of: blocks, byteCount: byteCount, comment: "x").split(separator: "\n")
      .dropFirst(4).map(String.init)
  }

  @Test func `blocks that touch and have the same status are one line`() {
    #expect(
      lines([.init(0..<2, .nonTried), .init(2..<5, .nonTried)], byteCount: 5)
        == ["0x00000000  0x00000005  ?"])
    #expect(
      lines([.init(0..<2, .finished), .init(7..<8, .finished)], byteCount: 9)
        == ["0x00000000  0x00000009  +"])
  }

  @Test func `the earlier of two blocks has their common bytes`() {
    #expect(
      lines(
        [.init(1..<5, .nonTried), .init(2..<4, .nonTrimmed), .init(2..<7, .nonTrimmed)],
        byteCount: 7)
        == [
          "0x00000000  0x00000001  +", "0x00000001  0x00000004  ?", "0x00000005  0x00000002  *",
        ])
  }

  @Test func `what lies past the end is left out, and nothing has no blocks`() {
    #expect(
      lines([.init(3..<9, .badSector), .init(9 ..< .max, .nonTried)], byteCount: 4)
        == ["0x00000000  0x00000003  +", "0x00000003  0x00000001  -"])
    #expect(lines([.init(0..<9, .badSector)], byteCount: 0) == [])
    #expect(
      lines([.init(0 ..< .max, .badSector)], byteCount: .max)
        == ["0x00000000  0xFFFFFFFFFFFFFFFF  -"])
  }

  @Test(arguments: 0..<100 as Range<UInt64>)
  func `a mapfile is read back as it was made`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let byteCount = 1 + random.below(3000)
    var blocks: [RescueBlock] = []
    var isUnreadable = [Bool](repeating: false, count: byteCount)
    var end = 0
    while end < byteCount {
      let start = end + random.below(50)
      end = start + random.below(200)
      let status = RescueBlock.Status.allCases[random.below(5)]
      blocks.append(RescueBlock(UInt64(start)..<UInt64(end), status))
      for byte in (start..<end).clamped(to: 0..<byteCount) {
        isUnreadable[byte] = status != .finished
      }
    }
    let text = BadSectorMap.mapfile(of: blocks, byteCount: UInt64(byteCount), comment: "\n+ 1\n")
    let map = try BadSectorMap(text)
    for (byte, expected) in isUnreadable.enumerated() {
      let position = UInt64(byte)..<UInt64(byte) + 1
      #expect((map.firstUnreadableRange(in: position) != nil) == expected, "seed \(seed): \(byte)")
    }
    #expect(map.unreadableRanges(in: UInt64(byteCount)..<5000) == [UInt64(byteCount)..<5000])
  }

  @Test(.enabled(if: ToolRunner(named: "ddrescue") != nil, "ddrescue is not installed"))
  func `ddrescue reads what is wanted and nothing else`() throws {
    let directory = try TemporaryDirectory()
    let (image, map) = (directory.path("disk.img"), directory.path("map"))
    try directory.write(pattern(1 << 20), to: "disk.img")
    let blocks = [
      RescueBlock(512..<4096, .nonTried), RescueBlock(65_536..<66_048, .nonTrimmed),
      RescueBlock(524_288..<1_048_576, .nonTrimmed),
    ]
    let text = BadSectorMap.mapfile(of: blocks, byteCount: 1 << 20, comment: "Wanted")
    try directory.write(Array(text.utf8), to: "map")
    let log = try #require(ToolRunner(named: "ddrescuelog"))
    let list = try log.succeed(["--list-blocks=?*", map]).outputLines
    #expect(list == ["1", "2", "3", "4", "5", "6", "7", "128"] + (1024..<2048).map(String.init))
    try log.succeed(["--show-status", map])

    let rescue = try #require(ToolRunner(named: "ddrescue"))
    try rescue.succeed([image, directory.path("copy.img"), map])
    var expected = [UInt8](repeating: 0, count: 1 << 20)
    for block in blocks {
      let range = Int(block.range.lowerBound)..<Int(block.range.upperBound)
      expected.put(pattern(range.count, from: range.lowerBound), at: range.lowerBound)
    }
    let copy = try Files.bytes(directory.path("copy.img"))
    #expect(copy.firstDifference(from: expected) == nil)
    // ddrescue's own map of what it has done now is one that we read.
    let after = try BadSectorMap(String(decoding: Files.bytes(map), as: UTF8.self))
    #expect(after.unreadableRanges(in: 0..<1 << 20) == [])
  }
}
