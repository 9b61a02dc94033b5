/// How well orphans fit what chunks must hold, in sixteenths of a bit: how much more often that is
/// seen where it belongs than elsewhere.
struct FileDataScores {
  /// What cannot be.
  static let impossible: Int32 = -(1 << 24)

  /// What the blocks of an orphan are worth.
  private struct Worth {
    let end: UInt32
    let hash: UInt64
    let isStructure: Bool
    /// As a part of a file that is not its end; as an end in that very place, before the zeroes
    /// that many files end in, or far before it.
    let (whole, exact, near, far): (Int32, Int32, Int32, Int32)
  }

  /// Whether files often end in so many zeroes of their own: texts that a few follow, and ELF
  /// files, whose last section has an alignment of 1 and entries of length 0.
  private static func isUsual(zeroes count: UInt32) -> Bool { count <= 3 || count == 15 }
  /// An end that near to the block's tells nothing.
  private static let fullSlack: UInt32 = 16

  private let worths: [Worth]
  private let blocksPerChunk: Int
  private let isAlike: [Bool]
  private let full: UInt32

  /// The scores of some orphans.
  ///
  /// - Parameters:
  ///   - alike: Those that look like parts of files that were written in place.
  ///   - needs: What they may be copies of.
  init(
    _ looks: FileDataLooks, _ orphans: [Int], alike: Set<Int>, for needs: FileDataNeeds,
    blockByteCount: Int
  ) {
    let full = UInt32(blockByteCount) - Self.fullSlack
    let counts = looks.endCounts(orphans)
    let total = Double(orphans.count * looks.blocksPerChunk)
    let fullCount = counts.filter { $0.key >= full }.values.reduce(0, +)
    let fullShare = (Double(fullCount) + 1) / (total + 2)
    // What is not full, and no file's end, must be within files; nearly all are full in texts, and
    // many are not in programs.
    let endCount = Double(needs.endCount)
    let openCount = total - Double(fullCount + (counts[0] ?? 0))
    let openShare = min(0.3, max(0.04, (openCount - endCount) / max(1, total - endCount)))
    var worths: [Worth] = []
    for orphan in orphans {
      for block in 0..<looks.blocksPerChunk {
        let end = looks.end(orphan, block)
        let isFull = end >= full
        // How often an orphan that belongs elsewhere ends there.
        let others = Double(counts[end, default: 1] - 1) / (total + 1)
        let chance = isFull ? fullShare : max((1 - fullShare) / Double(full), others)
        func score(_ share: Double, atLeast least: Double = -100) -> Int32 {
          Int32(16 * max(least, Self.logarithm(share / chance)))
        }
        worths.append(
          Worth(
            end: end, hash: looks.hash(orphan, block),
            isStructure: looks.isStructure(orphan, block),
            whole: isFull
              ? 2 : end == 0 ? min(score(0.01), -16) : score(openShare / Double(full), atLeast: -9),
            exact: score(0.9), near: score(0.02),
            far: end == 0 ? score(1e-5) : score(0.04 / Double(blockByteCount))))
      }
    }
    self.worths = worths
    self.full = full
    blocksPerChunk = looks.blocksPerChunk
    isAlike = orphans.map { alike.contains($0) }
  }

  /// How much more often an orphan is of a chunk that is needed than of none, whatever it holds.
  static func prior(neededCount: Int, orphanCount: Int) -> Int32 {
    let others = max(0, orphanCount - neededCount)
    return min(
      priorMax, max(0, Int32(16 * logarithm(Double(neededCount + 1) / Double(others + 1)))))
  }

  private static let priorMax: Int32 = 32

  /// How well an orphan, by its place in the list, fits what a chunk needs.
  func score(_ index: Int, _ need: FileDataNeed) -> Int32 {
    var sum: Int32 = 0
    var isFiles = true
    for (block, kind) in need.blocks.enumerated() {
      let worth = worths[index * blocksPerChunk + block]
      switch kind {
      case .unknown: isFiles = false
      case .whole: sum += worth.whole
      case .end(let end) where end >= full: sum += worth.whole
      case .end(let end):
        if worth.end > end { return Self.impossible }
        sum +=
          worth.end == end
          ? worth.exact
          : worth.end > 0 && Self.isUsual(zeroes: end - worth.end) ? worth.near : worth.far
      case .kept(let hash, let isZero):
        isFiles = false
        sum += worth.hash != hash ? -96 : isZero ? 16 : 224
        continue
      }
      if worth.isStructure, kind != .unknown { sum -= 192 }
    }
    return isAlike[index] && isFiles ? sum - 160 : sum
  }

  /// Whether something in an orphan says that it belongs there, and not only that it may.
  func isHit(_ index: Int, _ need: FileDataNeed) -> Bool {
    need.blocks.enumerated().contains { block, kind in
      let worth = worths[index * blocksPerChunk + block]
      return switch kind {
      case .unknown, .whole: false
      case .end(let end):
        end < full && worth.end > 0 && worth.end <= end
          && Self.isUsual(zeroes: end - worth.end)
      case .kept(let hash, let isZero): worth.hash == hash && !isZero
      }
    }
  }

  /// A logarithm to base 2, a twelfth of a bit too low at most.
  private static func logarithm(_ value: Double) -> Double {
    guard value > 0 else { return -100 }
    return Double(value.exponent) + (value.significand - 1)
  }
}
