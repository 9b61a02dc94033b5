/// The fit of orphans to the needs of chunks, in sixteenths of a bit: how much more often it is
/// seen where it belongs than elsewhere.
struct FileDataScores {
  /// The score of an impossible pair.
  static let impossible: Int32 = -(1 << 24)

  /// The worth of a block that ends in some place.
  private struct Worth {
    /// As a part of a file that is not its end; as an end in that very place, before the zeroes
    /// that many files end in, or far before it.
    let (whole, exact, near, far): (Int32, Int32, Int32, Int32)
  }

  /// Whether files often end in so many zeroes of their own: texts that a few follow, and ELF
  /// files, whose last section has an alignment of 1 and entries of length 0.
  private static func isUsual(zeroes count: UInt32) -> Bool { count <= 3 || count == 15 }
  /// An end that near to the block's is no evidence.
  private static let fullSlack: UInt32 = 16

  private let looks: FileDataLooks
  /// By the end of a block.
  private let worths: [Worth]
  private let alike: Set<Int>
  private let full: UInt32

  /// The scores of some orphans.
  ///
  /// - Parameters:
  ///   - alike: Those that look like parts of files that were written in place.
  ///   - needs: What they may be copies of.
  init(
    _ looks: FileDataLooks, alike: Set<Int>, for needs: FileDataNeeds, blockByteCount: Int
  ) {
    let full = UInt32(blockByteCount) - Self.fullSlack
    let counts = looks.endCounts
    let total = Double(looks.chunks.count * looks.blocksPerChunk)
    let fullCount = counts.filter { $0.key >= full }.values.reduce(0, +)
    let fullShare = (Double(fullCount) + 1) / (total + 2)
    // A block that is neither full nor a file's end must be within a file; in texts nearly all are
    // full, in programs many are not.
    let endCount = Double(needs.endCount)
    let openCount = total - Double(fullCount + (counts[0] ?? 0))
    let openShare = min(0.3, max(0.04, (openCount - endCount) / max(1, total - endCount)))
    worths = (0...UInt32(blockByteCount)).map { end in
      let isFull = end >= full
      // How often an orphan that belongs elsewhere ends there.
      let others = Double(counts[end, default: 1] - 1) / (total + 1)
      let chance = isFull ? fullShare : max((1 - fullShare) / Double(full), others)
      func score(_ share: Double, atLeast least: Double = -100) -> Int32 {
        Int32(16 * max(least, Self.logarithm(share / chance)))
      }
      return Worth(
        whole: isFull
          ? 2 : end == 0 ? min(score(0.01), -16) : score(openShare / Double(full), atLeast: -9),
        exact: score(0.9), near: score(0.02),
        far: end == 0 ? score(1e-5) : score(0.04 / Double(blockByteCount)))
    }
    self.full = full
    self.looks = looks
    self.alike = alike
  }

  /// How much more often an orphan is of a needed chunk than not, whatever its content.
  static func prior(neededCount: Int, orphanCount: Int) -> Int32 {
    let others = max(0, orphanCount - neededCount)
    return min(
      priorMax, max(0, Int32(16 * logarithm(Double(neededCount + 1) / Double(others + 1)))))
  }

  private static let priorMax: Int32 = 32

  /// The fit of an orphan to a chunk's need.
  func score(_ orphan: Int, _ need: FileDataNeed) -> Int32 {
    var sum: Int32 = 0
    var isFiles = true
    for (block, kind) in need.blocks.enumerated() {
      let foundEnd = looks.end(orphan, block)
      let worth = worths[Int(foundEnd)]
      switch kind {
      case .unknown: isFiles = false
      case .whole: sum += worth.whole
      case .end(let end) where end >= full: sum += worth.whole
      case .end(let end):
        if foundEnd > end { return Self.impossible }
        sum +=
          foundEnd == end
          ? worth.exact
          : foundEnd > 0 && Self.isUsual(zeroes: end - foundEnd) ? worth.near : worth.far
      case .kept(let hash, let isZero):
        isFiles = false
        sum += looks.hash(orphan, block) != hash ? -96 : isZero ? 16 : 224
        continue
      }
      if looks.isStructure(orphan, block), kind != .unknown { sum -= 192 }
    }
    return isFiles && alike.contains(orphan) ? sum - 160 : sum
  }

  /// Whether something in an orphan shows that it belongs there, and not only that it may.
  func isHit(_ orphan: Int, _ need: FileDataNeed) -> Bool {
    need.blocks.enumerated().contains { block, kind in
      let foundEnd = looks.end(orphan, block)
      return switch kind {
      case .unknown, .whole: false
      case .end(let end):
        end < full && foundEnd > 0 && foundEnd <= end && Self.isUsual(zeroes: end - foundEnd)
      case .kept(let hash, let isZero): looks.hash(orphan, block) == hash && !isZero
      }
    }
  }

  /// A logarithm to base 2, a twelfth of a bit too low at most.
  private static func logarithm(_ value: Double) -> Double {
    guard value > 0 else { return -100 }
    return Double(value.exponent) + (value.significand - 1)
  }
}
