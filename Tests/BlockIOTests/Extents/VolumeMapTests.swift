import BlockIO
import Testing

/// What a map tells of itself, and where it says that bytes lie.
@Suite struct VolumeMapTests {
  private static let missing = ExtentLayout.place(.missing("a disk"))
  private static let zeroes = ExtentLayout.place(.zeroes)
  private static func disk(_ byteOffset: UInt64 = 0) -> ExtentLayout {
    .place(.device(0, byteOffset: byteOffset))
  }

  private func map(_ layouts: ExtentLayout...) -> VolumeMap {
    VolumeMap(
      layouts.enumerated().map { index, layout in
        .init(UInt64(index) * 100..<UInt64(index + 1) * 100, layout)
      })
  }

  private func isComplete(_ map: VolumeMap) -> Bool {
    VolumeSource("volume", map, of: [MemorySource([UInt8](repeating: 1, count: 1000))]).isComplete
  }

  @Test func `a map as long as its segments`() {
    #expect(map().byteCount == 0)
    #expect(map(Self.zeroes, Self.disk()).byteCount == 200)
  }

  @Test func `a part that is missing makes all that lies on it incomplete`() {
    let hole = map(Self.disk(), Self.missing)
    #expect(hole.isIncomplete && !isComplete(hole))
    #expect(!map(Self.disk(), Self.zeroes).isIncomplete)
    for layout: ExtentLayout in [
      .volume(hole, byteOffset: 100), .striped([Self.disk(), Self.missing], stripeByteCount: 8),
      .rotating(
        [Self.disk(), Self.missing], stripeByteCount: 8,
        ParityRotation(parityCount: 1, .left, .symmetric)),
    ] {
      #expect(map(layout).isIncomplete && !isComplete(map(layout)))
    }
  }

  @Test func `copies are unreadable where all that are read are missing`() {
    let spare = map(.copies([Self.missing, Self.disk()], currentCount: 2))
    #expect(spare.isIncomplete && isComplete(spare))
    let stale = map(.copies([Self.missing, Self.disk()], currentCount: 1))
    #expect(stale.isIncomplete && !isComplete(stale))
    #expect(!isComplete(map(.copies([Self.missing, Self.missing], currentCount: 2))))
  }

  @Test func `what can be written lies on devices, without parity`() {
    #expect(map(Self.disk(), .copies([Self.disk(), Self.disk(100)], currentCount: 1)).isWritable)
    #expect(map(.striped([Self.disk(), Self.disk(100)], stripeByteCount: 3)).isWritable)
    for layout in [
      Self.zeroes, Self.missing, .volume(map(Self.zeroes), byteOffset: 0),
      .copies([Self.disk(), Self.zeroes], currentCount: 1),
      .rotating(
        [Self.disk(), Self.disk(100)], stripeByteCount: 8,
        ParityRotation(parityCount: 1, .left, .symmetric)),
    ] {
      #expect(!map(layout).isWritable)
    }
  }

  @Test func `copies of copies are counted, and no count overflows`() {
    var volume = map(Self.disk())
    #expect((volume.copyCount, volume.segmentCount) == (1, 1))
    for level in 1...80 {
      let below = ExtentLayout.volume(volume, byteOffset: 0)
      volume = map(.copies([below, below], currentCount: 2))
      if level < 63 {
        #expect((volume.copyCount, volume.segmentCount) == (1 << level, 1 << level))
      } else {
        #expect((volume.copyCount, volume.segmentCount) == (.max, .max))
      }
    }
    let three = map(
      .copies([Self.disk(), Self.disk()], currentCount: 1), Self.zeroes,
      .striped([Self.disk(), Self.disk()], stripeByteCount: 5))
    #expect((three.copyCount, three.segmentCount) == (2, 5))
  }
}
