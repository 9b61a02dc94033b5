import BlockIO
@testable import SnapshotKit
import TestSupport
import Testing

/// A merge goes through a table as the store lies, and misses nothing.
@Suite struct StoreOrderTests {
  private func segments(_ view: SnapshotView) -> [SnapshotView.Segment] {
    var segments: [SnapshotView.Segment] = []
    StoreOrder(view).forEachSegment { segments.append($0) }
    return segments
  }

  private func storeSegments(_ view: SnapshotView) -> [SnapshotView.Segment] {
    var segments: [SnapshotView.Segment] = []
    view.forEachSegment(in: 0..<view.byteCount) { if $0.place != .origin { segments.append($0) } }
    return segments
  }

  private func offset(_ segment: SnapshotView.Segment) -> UInt64? {
    guard case .store(let offset) = segment.place else { return nil }
    return offset
  }

  @Test(arguments: UInt64(1)...100)
  func `every segment of the store comes once, of any table`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    guard let view = try? SnapshotView(made.store, over: FaultySource(made.origin)) else { return }
    let found = segments(view).sorted { $0.range.lowerBound < $1.range.lowerBound }
    #expect(found == storeSegments(view))
  }

  @Test(arguments: UInt64(1)...20)
  func `a store that Linux wrote is read from its beginning to its end`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let olds = (0..<60).map { $0 * (random.oneIn(2) ? 1 : 2) }
    let store = StoreBuilder(chunkSectors: 2)
      .copying(Array(Set(olds)).sorted().shuffled(using: &random)).image()
    let view = try SnapshotView(store, over: FaultySource(Stamp.origin(byteCount: 130 * 1024)))
    let offsets = segments(view).compactMap(offset)
    #expect(offsets.count > 30)
    #expect(offsets == offsets.sorted())
  }

  @Test func `a table without exceptions has no segment`() throws {
    let view = try SnapshotView(
      StoreBuilder().image(), over: FaultySource(Stamp.origin(byteCount: 8192)))
    #expect(segments(view).isEmpty)
  }
}
