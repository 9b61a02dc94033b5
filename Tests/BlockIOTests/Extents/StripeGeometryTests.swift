import TestSupport
import Testing

@testable import BlockIO

/// Bytes are dealt out to stripes like cards, and each is found again.
@Suite struct StripeGeometryTests {
  @Test(arguments: [(1, 1), (1, 7), (2, 1), (3, 5), (4, 16), (7, 3)])
  func `a byte's place, and back`(count: Int, size: Int) {
    let geometry = StripeGeometry(count: count, byteCount: UInt64(size))
    var next = Array(repeating: 0 as UInt64, count: count)
    for byte in 0..<UInt64(5 * count * size + 3) {
      let stripe = Int(byte) / size % count
      let place = geometry.place(of: byte)
      #expect(place == (stripe, next[stripe]))
      #expect(geometry.position(of: place.byteOffset, in: stripe) == byte)
      next[stripe] += 1
    }
  }

  @Test(arguments: 0..<60 as Range<UInt64>)
  func `a stripe's part of a range is the bytes that it has of it`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let geometry = StripeGeometry(
      count: 1 + random.below(5), byteCount: UInt64(1 + random.below(20)))
    for _ in 0..<20 {
      let start = UInt64(random.below(300))
      let range = start..<start + UInt64(random.below(100))
      for stripe in 0..<Int(geometry.count) {
        let own = range.map { geometry.place(of: $0) }.filter { $0.stripe == stripe }
        let part = geometry.part(of: range, in: stripe)
        #expect(Array(part) == own.map(\.byteOffset))
      }
    }
  }

  @Test func `volumes as large as Linux can count`() {
    let geometry = StripeGeometry(count: 3, byteCount: 65536)
    let last = UInt64(Int64.max)
    let place = geometry.place(of: last)
    #expect(geometry.position(of: place.byteOffset, in: place.stripe) == last)
    #expect(geometry.part(of: 0..<last, in: 0).upperBound <= last / 3 + 65536)
  }
}
