@testable import BlockIO
import TestSupport
import Testing

/// A window is read in the order of its extents, and written ascending, neighbours as one.
@Suite struct CopyWindowTests {
  private static func window(_ extents: [CopyExtent]) -> CopyWindow {
    var window = CopyWindow()
    extents.forEach { window.add($0) }
    window.arrange()
    return window
  }

  /// An extent in sectors: from there, to there, so many.
  private static func extent(_ source: UInt64, _ target: UInt64, _ count: UInt64) -> CopyExtent {
    CopyExtent(sourceOffset: source * 512, targetOffset: target * 512, byteCount: count * 512)
  }

  @Test func `pieces stay in order, writes ascend, and neighbours are one`() {
    let window = Self.window([
      Self.extent(0, 9, 1), Self.extent(1, 4, 2), Self.extent(3, 6, 1), Self.extent(4, 0, 1),
    ])
    #expect(window.pieces.map(\.extent.sourceOffset) == [0, 512, 1536, 2048])
    #expect(window.pieces.map(\.place) == [2048..<2560, 512..<1536, 1536..<2048, 0..<512])
    #expect(window.writes.map(\.targetRange) == [0..<512, 2048..<3584, 4608..<5120])
    #expect(window.writes.map(\.place) == [0..<512, 512..<2048, 2048..<2560])
    #expect(window.byteCount == 2560)
  }

  @Test func `what ascends already is left so`() {
    let window = Self.window([Self.extent(5, 0, 1), Self.extent(0, 1, 1), Self.extent(9, 7, 1)])
    #expect(window.pieces.map(\.place) == [0..<512, 512..<1024, 1024..<1536])
    #expect(window.writes.map(\.targetRange) == [0..<1024, 3584..<4096])
  }

  @Test func `an empty window has nothing`() {
    let window = Self.window([])
    #expect(window.isEmpty && window.writes.isEmpty && window.byteCount == 0)
  }

  @Test(arguments: UInt64(1)...200)
  func `what is unreadable is taken out of the writes, and nothing else`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    // Sectors of the target in pieces, with gaps; the source is shifted by as many as there are.
    var extents: [CopyExtent] = []
    var target: UInt64 = 0
    for _ in 0..<1 + random.below(12) {
      let count = UInt64(1 + random.below(5))
      extents.append(Self.extent(target + 100, target, count))
      target += count + UInt64(random.oneIn(2) ? 0 : random.below(3))
    }
    extents.shuffle(using: &random)
    var window = Self.window(extents)
    let places = window.writes
    var bad: Set<UInt64> = []
    for piece in window.pieces {
      var ranges: [Range<UInt64>] = []
      for sector in piece.extent.sourceRange.lowerBound / 512..<piece.extent.sourceRange
        .upperBound / 512 where random.oneIn(3)
      {
        ranges.append(mergingInto: sector * 512..<(sector + 1) * 512)
        bad.insert(sector - 100)
      }
      window.note(unreadable: ranges, of: piece)
    }
    window.leaveOutUnreadable()
    /// Every sector of the target that is written, and where in the buffer it lies.
    func sectors(_ writes: [CopyWindow.Write]) -> [UInt64: Int] {
      var found: [UInt64: Int] = [:]
      for write in writes {
        for index in 0..<write.place.count / 512 {
          let sector = write.targetOffset / 512 + UInt64(index)
          #expect(found.updateValue(write.place.lowerBound + index * 512, forKey: sector) == nil)
        }
      }
      return found
    }
    #expect(sectors(window.writes) == sectors(places).filter { !bad.contains($0.key) })
    let ranges = window.writes.map(\.targetRange)
    #expect(ranges.allSatisfy { !$0.isEmpty })
    #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound })
    #expect(window.unreadable.totalCount == UInt64(bad.count) * 512)
  }
}
