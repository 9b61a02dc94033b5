import BlockIO
import TestSupport

extension BadSectorMap {
  /// The map that a mapfile says.
  init(_ text: String) throws(BadSectorMapError) {
    let bytes = Array(text.utf8)
    try self.init(parsing: bytes.span)
  }
}

/// A mapfile made up from a seed, and what it says of each byte.
struct RandomMap {
  private(set) var text = "# made up\n0x0 ? 1\n"
  /// Whether each byte was read, somewhat past the map's end as well.
  private(set) var isReadable: [Bool]

  init(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    // A small map has all its edges at odd places, and many of them.
    isReadable = Array(repeating: false, count: random.below(400))
    let largest = [3, 40, 700][random.below(3)]
    for _ in 0..<random.below(30) {
      let start = isReadable.count
      let size = random.below(largest) + 1
      let status = random.oneIn(2) ? "+" : ["?", "*", "/", "-"][random.below(4)]
      isReadable += Array(repeating: status == "+", count: size)
      text += "\(Self.number(start, &random)) \(Self.number(size, &random)) \(status)\n"
    }
    isReadable += Array(repeating: false, count: random.below(400))
  }

  /// A number in any of C's ways.
  private static func number(_ value: Int, _ random: inout SplitMix64) -> String {
    switch random.below(3) {
    case 0: "0x" + String(value, radix: 16, uppercase: random.oneIn(2))
    case 1: "0" + String(value, radix: 8)
    default: String(value)
    }
  }

  /// The unreadable bytes of a range, byte by byte.
  func unreadableRanges(in range: Range<Int>) -> [Range<UInt64>] {
    var ranges: [Range<UInt64>] = []
    for byte in range where !isReadable[byte] {
      ranges.append(mergingInto: UInt64(byte)..<UInt64(byte) + 1)
    }
    return ranges
  }

  /// The unreadable bytes in an image of `byteCount` bytes, which the map may not cover.
  func isUnreadable(_ byte: Int) -> Bool { byte >= isReadable.count || !isReadable[byte] }
}

extension BadSectorMap {
  /// How many bytes of `range` are unreadable.
  func unreadableByteCount(in range: Range<UInt64>) -> UInt64 {
    unreadableRanges(in: range).reduce(0) { $0 + ($1.upperBound - $1.lowerBound) }
  }
}
