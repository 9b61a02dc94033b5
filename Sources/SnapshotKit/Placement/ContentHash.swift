internal import SnapshotFormat

/// A hash of a chunk's content, to find chunks that may be the same; those that are, are compared.
struct ContentHash: Hashable {
  let value: UInt64
  /// Whether every byte is zero.
  let isZero: Bool

  /// Half of it, where it is kept of very many blocks.
  var short: UInt32 { UInt32(truncatingIfNeeded: value) }

  /// The hash of so many bytes of zero.
  init(zeroByteCount: Int) {
    let zeroes = [UInt8](repeating: 0, count: zeroByteCount)
    self.init(zeroes.span)
  }

  /// The hash of `content`.
  init(_ content: Span<UInt8>) {
    var (low, high, all): (UInt64, UInt64, UInt64) = (0x9e37_79b9_7f4a_7c15, 1, 0)
    var index = 0
    while index + 8 <= content.count {
      let word = content.littleEndian(at: index, as: UInt64.self)
      all |= word
      low = (low ^ word) &* 0xff51_afd7_ed55_8ccd
      low ^= low >> 32
      high = (high &+ low) &* 0xc4ce_b9fe_1a85_ec53
      index += 8
    }
    while index < content.count {
      all |= UInt64(content[index])
      low = (low ^ UInt64(content[index])) &* 0xff51_afd7_ed55_8ccd
      index += 1
    }
    value = low ^ high
    isZero = all == 0
  }
}
