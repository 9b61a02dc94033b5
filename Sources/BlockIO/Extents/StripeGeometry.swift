/// The distribution of a volume's bytes over stripes, each of which has its own address space.
struct StripeGeometry {
  /// The number of stripes.
  let count: UInt64
  /// The number of bytes in one stripe before the next.
  let byteCount: UInt64

  init(count: Int, byteCount: UInt64) {
    self.count = UInt64(count)
    self.byteCount = byteCount
  }

  /// The stripe that has a byte of the volume, and where in the stripe that is.
  func place(of byteOffset: UInt64) -> (stripe: Int, byteOffset: UInt64) {
    let (turn, within) = byteOffset.quotientAndRemainder(dividingBy: byteCount)
    let (row, stripe) = turn.quotientAndRemainder(dividingBy: count)
    return (Int(stripe), row * byteCount + within)
  }

  /// The place in the volume of a byte of a stripe.
  func position(of byteOffset: UInt64, in stripe: Int) -> UInt64 {
    let (row, within) = byteOffset.quotientAndRemainder(dividingBy: byteCount)
    return (row * count + UInt64(stripe)) * byteCount + within
  }

  /// The part of a range of the volume that is in one stripe, in the stripe's own bytes.
  func part(of range: Range<UInt64>, in stripe: Int) -> Range<UInt64> {
    let start = byteCount(before: range.lowerBound, in: stripe)
    return start..<byteCount(before: range.upperBound, in: stripe)
  }

  /// The number of bytes before a byte of the volume that are in a stripe.
  private func byteCount(before byteOffset: UInt64, in stripe: Int) -> UInt64 {
    let (own, start) = place(of: byteOffset)
    let row = start / byteCount * byteCount
    return own == stripe ? start : own < stripe ? row : row + byteCount
  }
}
