import BlockIO
@testable import SnapshotKit
import TestSupport
import Testing

/// All that a table maps comes once, in ascending windows.
@Suite struct MappedWindowTests {
  /// What the windows of a view have, byte by byte, and how long they were.
  private func walk(
    _ view: SnapshotView
  ) throws -> (bytes: [UInt64: UInt8], windows: [MappedWindow], lost: [LostRange]) {
    var (bytes, windows, lost) = ([UInt64: UInt8](), [MappedWindow](), [LostRange]())
    try view.forEachMappedWindow { (buffer, window) throws(BlockIOError) in
      for span in window.spans {
        let content = buffer.bytes(span.place)
        for (index, byte) in content.enumerated() {
          bytes[span.range.lowerBound + UInt64(index)] = byte
        }
      }
      windows.append(window)
      for range in window.lost { lost.append(merging: range) }
    }
    return (bytes, windows, lost)
  }

  @Test(arguments: UInt64(1)...60)
  func `windows have what the view shows, of any store`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    guard let view = try? SnapshotView(made.store, over: FaultySource(made.origin)) else { return }
    let (bytes, windows, lost) = try walk(view)
    let whole = try view.readAll()
    #expect(bytes.allSatisfy { whole.bytes[Int($0.key)] == $0.value })
    #expect(UInt64(bytes.count) == view.mappedByteCount)
    #expect(lost == whole.lost)
    let ranges = windows.flatMap(\.spans).map(\.range)
    #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound })
  }

  @Test func `a window ends at a chunk, or within one that is larger`() throws {
    for (chunkSectors, count) in [(8192 / 512, 700), (4 << 11, 3), (16 << 11, 2)] {
      let unit = UInt64(chunkSectors * 512)
      let header = StoreBuilder(chunkSectors: 1).image(.chunkSectors(UInt32(chunkSectors)))
      var exceptions: [UInt8] = []
      for old in 0..<UInt64(count) {
        let new = old + 2 + old / (unit / 16)
        exceptions += old.littleEndianBytes + new.littleEndianBytes
      }
      let area = min(exceptions.count, Int(unit))
      var pieces: [(byteOffset: UInt64, bytes: [UInt8])] = [(0, Array(header.prefix(16)))]
      for (index, start) in stride(from: 0, to: exceptions.count, by: area).enumerated() {
        let part = Array(exceptions[start..<min(start + area, exceptions.count)])
        let chunk = 1 + UInt64(index) * (unit / 16 + 1)
        pieces.append((unit * chunk, part))
      }
      let store = FaultySource(byteCount: unit * UInt64(count + 4), pieces: pieces)
      let origin = FaultySource(byteCount: unit * UInt64(count) - 1024, pieces: [])
      let loaded = try LoadedTable(Store(store), reading: .kernel)
      let view = SnapshotView(of: origin, through: loaded.table, of: store)
      var position: UInt64 = 0
      try view.forEachMappedWindow { (_, window) throws(BlockIOError) in
        #expect(window.byteCount <= MappedWindow.byteCountMax && window.spans.count == 1)
        #expect(window.spans[0].range.lowerBound == position)
        position = window.spans[0].range.upperBound
        if unit <= MappedWindow.byteCountMax, position < view.byteCount {
          #expect(position % unit == 0)
        }
      }
      #expect(position == view.byteCount)
    }
  }

  @Test func `a span is cut at multiples, whatever it begins with`() {
    let span = MappedWindow.Span(range: 1536..<5120, place: 100..<3684)
    let pieces = span.cut(every: 2048)
    #expect(pieces.map(\.range) == [1536..<2048, 2048..<4096, 4096..<5120])
    #expect(pieces.map(\.place) == [100..<612, 612..<2660, 2660..<3684])
    #expect(span.cut(every: 1 << 30).map(\.range) == [1536..<5120])
  }
}
