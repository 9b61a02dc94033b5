import BlockIO
@testable import Serving
import SnapshotKit
import TestSupport
import Testing

/// What is served is the snapshot, and what is lost of it reads as the user chose.
@Suite struct ServedViewTests {
  /// A snapshot of chunks of 4 KiB: 1, 5 and 9 of sixteen are the store's.
  private func snapshot(
    storeUnreadable: [Range<UInt64>] = [], originUnreadable: [Range<UInt64>] = []
  ) throws -> Snapshot {
    let store = FaultySource(
      StoreBuilder(chunkSectors: 8).copying([1, 5, 9]).image(), name: "store.img",
      unreadable: storeUnreadable)
    let origin = FaultySource(Stamp.origin(byteCount: 16 * 4096), unreadable: originUnreadable)
    return try Snapshot(Store(store), of: origin)
  }

  @Test(arguments: UInt64(1)...60)
  func `what is served of an odd store is what Linux shows`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    let reference = ReferenceDecoder(made.store)
    guard reference.verdict == .loads else { return }
    let snapshot = try Snapshot(
      Store(FaultySource(made.store)), of: FaultySource(made.origin))
    let (bytes, unreadable) = reference.view(of: made.origin)
    let zero = try ServedView(snapshot, .zero)
    #expect(zero.lost == unreadable)
    #expect(try zero.allBytes().firstDifference(from: bytes) == nil)
    let strict = try ServedView(snapshot, .error)
    let buffer = IOBuffer(byteCount: 512)
    for sector in 0..<strict.byteCount / 512 {
      let range = sector * 512..<(sector + 1) * 512
      let isLost = unreadable.contains { $0.overlaps(range) }
      let error: BlockIOError?
      do throws(BlockIOError) {
        try strict.read(at: range.lowerBound, into: buffer, 0..<512)
        error = nil
      } catch let failure {
        error = failure
      }
      #expect((error != nil) == isLost, "sector \(sector)")
    }
  }

  @Test func `a medium that fails costs the bytes that it does not give`() throws {
    // The data of chunk 5 is the second that was copied: chunk 3 of the store.
    let bad = UInt64(3 * 4096 + 512)..<UInt64(3 * 4096 + 1024)
    let lost = UInt64(5 * 4096 + 512)..<UInt64(5 * 4096 + 1024)
    let snapshot = try snapshot(storeUnreadable: [bad])
    let origin = Stamp.origin(byteCount: 16 * 4096)
    let whole = try ServedView(try self.snapshot(), .error).allBytes()
    var expected: [LossPolicy: [UInt8]] = [.zero: whole, .origin: whole, .pattern: whole]
    expected[.zero]?.put([UInt8](repeating: 0, count: 512), at: Int(lost.lowerBound))
    expected[.origin]?.put(
      Array(origin[Int(lost.lowerBound)..<Int(lost.upperBound)]), at: Int(lost.lowerBound))
    let pattern = (0..<32).flatMap { _ in Array("LOST BY DMSNAP.\n".utf8) }
    expected[.pattern]?.put(pattern, at: Int(lost.lowerBound))
    for (policy, bytes) in expected {
      let shown = try ServedView(snapshot, policy).allBytes()
      #expect(shown.firstDifference(from: bytes) == nil, "\(policy)")
    }
    let strict = try ServedView(snapshot, .error)
    #expect(throws: BlockIOError.self) { try strict.allBytes() }
  }

  @Test func `what the origin cannot show either fails`() throws {
    let snapshot = try snapshot(originUnreadable: [0..<512])
    let view = try ServedView(snapshot, .origin)
    #expect(throws: BlockIOError.self) { try view.allBytes() }
  }

  @Test func `a pattern is the same wherever a read begins`() throws {
    let snapshot = try snapshot(storeUnreadable: [3 * 4096..<4 * 4096])
    let view = try ServedView(snapshot, .pattern)
    let whole = try view.allBytes()
    let buffer = IOBuffer(byteCount: 1000)
    for start in [5 * 4096, 5 * 4096 + 7, 5 * 4096 - 9, 6 * 4096 - 500] {
      try view.read(at: UInt64(start), into: buffer, 0..<1000)
      #expect(buffer.bytes(0..<1000) == Array(whole[start..<start + 1000]))
    }
  }

  @Test func `what exceptions are lost for is lost, although the origin shows through`() throws {
    // Exception 2 of 300 lost its sixteen bytes; those beside it show which chunk it was for.
    let builder = StoreBuilder(chunkSectors: 8).copying(Array(0..<300))
    var image = builder.image()
    image.put([UInt8](repeating: 0xff, count: 16), at: builder.byteOffset(slot: 2))
    let origin = FaultySource(Stamp.origin(byteCount: 400 * 4096))
    let snapshot = try Snapshot(Store(FaultySource(image)), of: origin, reading: .salvage)
    let lost = try #require(snapshot.lost.first)
    let view = try ServedView(snapshot, .error)
    #expect(view.lost.contains { $0.contains(lost.range.lowerBound) })
    let buffer = IOBuffer(byteCount: 512)
    #expect(throws: BlockIOError.self) {
      try view.read(at: lost.range.lowerBound, into: buffer, 0..<512)
    }
    let shown = try ServedView(snapshot, .origin)
    try shown.read(at: lost.range.lowerBound, into: buffer, 0..<512)
    #expect(
      buffer.bytes(0..<512)
        == Array(Stamp.origin(byteCount: 400 * 4096)[Int(lost.range.lowerBound)...].prefix(512)))
  }

  // MARK: - Extents

  @Test func `extents say what is a hole, the store's, the origin's, and lost`() throws {
    let store = FaultySource(
      StoreBuilder(chunkSectors: 8).copying([1, 2, 300]).image(), name: "store.img")
    let origin = FaultySource(
      byteCount: 1000 * 4096,
      pieces: [(0, Stamp.origin(byteCount: 4096)), (500 * 4096, Stamp.origin(byteCount: 8192))])
    let view = try ServedView(try Snapshot(Store(store), of: origin), .error)
    let chunks: [(range: Range<UInt64>, content: ServedExtent.Content)] = [
      (0..<1, .origin), (1..<3, .store), (3..<300, .hole), (300..<301, .store),
      (301..<500, .hole), (500..<502, .origin), (502..<1000, .hole),
    ]
    let expected = chunks.map { chunk in
      ServedExtent(
        range: chunk.range.lowerBound * 4096..<chunk.range.upperBound * 4096,
        content: chunk.content)
    }
    let all = try view.extents(in: 0..<view.byteCount)
    #expect(all == expected)
    // From anywhere on, the same.
    for start in stride(from: UInt64(0), to: view.byteCount, by: 70_000) {
      let rest = try view.extents(in: start..<view.byteCount)
      #expect(
        rest.first?.range.lowerBound == start && rest.last?.range.upperBound == view.byteCount)
      #expect(rest.dropFirst() == all.suffix(rest.count - 1))
    }
  }

  @Test(arguments: UInt64(1)...40)
  func `extents cover what was asked for, and a hole is zero`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    guard ReferenceDecoder(made.store).verdict == .loads else { return }
    let snapshot = try Snapshot(
      Store(FaultySource(made.store)), of: FaultySource(made.origin))
    let view = try ServedView(snapshot, .zero)
    let bytes = try view.allBytes()
    var position: UInt64 = 0
    for extent in try view.extents(in: 0..<view.byteCount) {
      #expect(extent.range.lowerBound == position && !extent.range.isEmpty)
      position = extent.range.upperBound
      let part = bytes[Int(extent.range.lowerBound)..<Int(position)]
      if extent.content == .hole { #expect(part.allSatisfy { $0 == 0 }) }
      #expect((extent.content == .lost) == view.lost.contains { $0.overlaps(extent.range) })
    }
    #expect(position == view.byteCount)
  }

  @Test func `a view with many pieces answers with some of them`() throws {
    let store = FaultySource(
      StoreBuilder(chunkSectors: 1).copying((0..<20_000).map { $0 * 2 }).image())
    let origin = FaultySource(byteCount: 512 << 20, pieces: [(0, [1])])
    let view = try ServedView(try Snapshot(Store(store), of: origin), .error)
    let extents = try view.extents(in: 0..<view.byteCount, atMost: 10)
    #expect(extents.count >= 10 && extents[0].range.lowerBound == 0)
  }
}
