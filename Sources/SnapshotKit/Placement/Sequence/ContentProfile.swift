internal import SnapshotFormat

/// The mix of bytes in content, to distinguish text, tables and noise.
struct ContentProfile: Equatable, Sendable {
  /// Of 255 bytes: zeroes, printable ones, those above 127, and others.
  private var shares: SIMD4<UInt8>

  private init(shares: SIMD4<UInt8>) { self.shares = shares }

  /// The profile of `content`.
  init(_ content: Span<UInt8>) {
    let counts = ByteCounts(content)
    let total = max(content.count, 1)
    let others = content.count - counts.zero - counts.printable - counts.high
    // Rounded down: 255 of 255 are all.
    func share(_ count: Int) -> UInt8 { UInt8(clamping: count * 255 / total) }
    shares = SIMD4(
      share(counts.zero), share(counts.printable), share(counts.high), share(others))
  }

  /// Whether every byte is zero.
  var isZero: Bool { shares[0] == 255 }

  /// The difference from another, from 0 to 2.
  func distance(to other: ContentProfile) -> Double {
    let difference =
      SIMD4<Int32>(truncatingIfNeeded: shares) &- SIMD4<Int32>(truncatingIfNeeded: other.shares)
    return (0..<4).reduce(0) { $0 + Double(difference[$1].magnitude) } / 255
  }

  /// The mix of the bytes that are not zero; nil if there are hardly any.
  var besidesZeroes: ContentProfile? {
    let rest = 255 - Int32(shares[0])
    guard rest > 8 else { return nil }
    var scaled = ContentProfile(shares: shares)
    scaled.shares[0] = 0
    for kind in 1..<4 { scaled.shares[kind] = UInt8(clamping: Int32(shares[kind]) * 255 / rest) }
    return scaled
  }

  /// Content of one kind differs less.
  static let alike = 0.4
  /// Content that differs more is of another kind.
  static let unlike = 0.8
}

/// The number of bytes of some kinds in content, eight bytes at a time.
struct ByteCounts: Equatable {
  /// Zeroes.
  private(set) var zero = 0
  /// Printable ASCII, and line feeds.
  private(set) var printable = 0
  /// The bytes above 127.
  private(set) var high = 0

  /// Counts the bytes of `content`.
  init(_ content: Span<UInt8>) {
    var index = 0
    while index + 8 <= content.count {
      add(content.littleEndian(at: index, as: UInt64.self))
      index += 8
    }
    while index < content.count {
      let byte = content[index]
      if byte == 0 { zero += 1 }
      if byte >= 0x80 { high += 1 }
      if byte == 0x0a || byte >= 0x20 && byte < 0x80 { printable += 1 }
      index += 1
    }
  }

  private static let lowBits: UInt64 = 0x7f7f_7f7f_7f7f_7f7f
  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  @inline(__always)
  private mutating func add(_ word: UInt64) {
    let low = word & Self.lowBits
    zero += 8 - Self.nonzero(word).nonzeroBitCount
    high += (word & Self.highBits).nonzeroBitCount
    // Seven bits and 0x60 carry into the eighth from 0x20 on.
    let printables = (low + 0x6060_6060_6060_6060) & ~word & Self.highBits
    printable += printables.nonzeroBitCount
    printable += 8 - Self.nonzero(word ^ 0x0a0a_0a0a_0a0a_0a0a).nonzeroBitCount
  }

  /// The highest bit of each byte that is not zero.
  @inline(__always)
  private static func nonzero(_ word: UInt64) -> UInt64 {
    (((word & lowBits) + lowBits) | word) & highBits
  }
}
