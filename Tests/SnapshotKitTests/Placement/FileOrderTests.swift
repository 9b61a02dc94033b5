import FileSystems
import Testing

@testable import SnapshotKit

/// Where a writer of files comes to next, chunks of 4 KiB.
@Suite struct FileOrderTests {
  private typealias Extent = (file: Range<UInt64>, at: UInt64)

  /// The order of files, of which each is extents in blocks of 1 KiB.
  private static func order(_ files: [Extent]...) -> FileOrder {
    FileOrder(files.flatMap { pieces($0) })
  }

  private static func pieces(
    _ extents: [Extent], _ place: (UInt64) -> FileExtent.Place = { .data(at: $0) }
  ) -> [FileOrder.Piece] {
    let map = FileMap(
      extents: extents.map { file, start in
        FileExtent(file.lowerBound << 10..<file.upperBound << 10, place(start << 10))
      })
    return FileOrder.pieces(map, from: 0, 4096)
  }

  @Test func `a file goes on with its next extent, and ends`() {
    let order = Self.order([(0..<40, 400), (40..<80, 800)])
    #expect(order.next(after: 105) == .chunk(106, isNumbered: true))
    #expect(order.next(after: 109) == .chunk(200, isNumbered: true))
    #expect(order.next(after: 209) == .end)
    #expect(order.isTorn(after: 100, count: 10))
    #expect(!order.isTorn(after: 110, count: 256))
  }

  @Test func `where pieces begin or end within a chunk, its numbers are not of the file`() {
    let order = Self.order([(0..<39, 400), (39..<80, 801)])
    #expect(order.next(after: 109) == .chunk(200, isNumbered: false))
  }

  @Test func `from a chunk that two files share, a writer goes on with the one that it came along`()
  {
    let order = Self.order([(0..<38, 400)], [(0..<42, 438)])
    #expect(order.next(after: 109) == .end)
    #expect(order.next(after: 110) == .chunk(111, isNumbered: true))
  }

  @Test func `space that was reserved is written like any other, and a hole elsewhere`() {
    let reserved = FileOrder(
      Self.pieces([(0..<40, 400)]) + Self.pieces([(0..<40, 800)], { .unwritten(at: $0) }))
    #expect(reserved.next(after: 205) == .chunk(206, isNumbered: true))
    #expect(reserved.next(after: 209) == .end)
    let mixed = FileMap(extents: [
      FileExtent(0..<40960, .data(at: 409600)), FileExtent(40960..<81920, .unwritten(at: 450560)),
      FileExtent(81920..<122880, .data(at: 491520)),
    ])
    let whole = FileOrder(FileOrder.pieces(mixed, from: 0, 4096))
    #expect(whole.next(after: 109) == .chunk(110, isNumbered: true))
    #expect(whole.next(after: 129) == .end)
    let torn = Self.order([(0..<40, 400), (80..<120, 440)], [(0..<40, 800), (80..<120, 1200)])
    #expect(torn.next(after: 109) == .end)
    #expect(torn.next(after: 209) == .end)
  }

  @Test func `free space ends where a file begins`() {
    let order = Self.order([(0..<40, 400)])
    #expect(order.next(after: 90) == .chunk(91, isNumbered: true))
    #expect(order.next(after: 99) == .end)
    #expect(order.next(after: 200) == .chunk(201, isNumbered: true))
  }
}
