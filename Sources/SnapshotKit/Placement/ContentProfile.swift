/// What kinds of bytes content has, to tell text from tables and noise.
struct ContentProfile: Equatable, Sendable {
  /// Of 1024 bytes: zeroes, printable ones, those above 127, and others.
  private let shares: SIMD4<Int32>

  /// The profile of `content`.
  init(_ content: Span<UInt8>) {
    var counts = SIMD4<Int32>()
    for index in content.indices {
      let byte = content[index]
      counts[byte == 0 ? 0 : byte >= 0x80 ? 2 : byte >= 0x20 || byte == 0x0a ? 1 : 3] += 1
    }
    let total = Int32(clamping: max(content.count, 1))
    for kind in 0..<4 { counts[kind] = Int32(Int64(counts[kind]) * 1024 / Int64(total)) }
    shares = counts
  }

  /// How different it is from another, from 0 to 2.
  func distance(to other: ContentProfile) -> Double {
    let difference = shares &- other.shares
    return (0..<4).reduce(0) { $0 + Double(difference[$1].magnitude) } / 1024
  }

  /// Content of one kind differs less.
  static let alike = 0.4
  /// Content that differs more is of another kind.
  static let unlike = 0.8
}
