/// A checksum of sectors at their places, in any order and pieces: to find damage, not malice.
///
/// The sum of a 64-bit hash of each sector and its place. A sector that is changed or misplaced
/// changes it; it is as fast as memory.
package struct SectorChecksum: Equatable, Sendable {
  /// The checksum as a number.
  package private(set) var sum: UInt64 = 0

  /// The checksum of no sectors.
  package init() {}

  /// A checksum that was stored.
  package init(sum: UInt64) { self.sum = sum }

  /// Adds the sectors of `range` of a buffer, of which the first is at `byteOffset`.
  package mutating func add(_ buffer: IOBuffer, _ range: Range<Int>, at byteOffset: UInt64) {
    buffer.withRecords(of: UInt64.self, in: range) { words in
      for sector in 0..<words.count / 64 {
        sum &+= Self.hash(words, from: sector * 64, at: byteOffset + UInt64(sector) * 512)
      }
    }
  }

  /// Adds the sectors of another checksum.
  package mutating func add(_ other: SectorChecksum) { sum &+= other.sum }

  /// Four lanes, whose multiplications overlap; each step is reversible, so that no change of a
  /// word is lost.
  private static func hash(
    _ words: Span<UInt64>, from start: Int, at byteOffset: UInt64
  ) -> UInt64 {
    let prime: UInt64 = 0x9e37_79b9_7f4a_7c15
    var lanes: SIMD4<UInt64> = [byteOffset, ~byteOffset, byteOffset << 1, ~(byteOffset << 1)]
    for index in stride(from: start, to: start + 64, by: 4) {
      let next: SIMD4<UInt64> = [
        words[index], words[index + 1], words[index + 2], words[index + 3],
      ]
      lanes = (lanes ^ next) &* prime
      lanes ^= lanes &>> 29
    }
    var hash: UInt64 = 0
    for lane in 0..<4 {
      hash = (hash ^ lanes[lane]) &* prime
      hash ^= hash >> 32
    }
    return hash
  }
}
