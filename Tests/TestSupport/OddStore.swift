/// Stores that no kernel writes, from a seed: what a table test would not think of.
public enum OddStore {
  /// A small store and the origin that it would belong to.
  public struct Made: Sendable {
    public var builder: StoreBuilder
    public var store: [UInt8]
    public var origin: [UInt8]
  }

  private static let wild: [UInt64] = [
    1 << 20, 1 << 40, 1 << 55, (1 << 56) - 1, 1 << 56, 1 << 63, .max - 1, .max,
  ]

  /// A store whose table has duplicates, packed runs, top bytes, wild numbers: some of that.
  public static func make(seed: UInt64) -> Made {
    var random = SplitMix64(seed: seed)
    var builder = StoreBuilder(chunkSectors: [1, 1, 2, 4, 8].randomElement(using: &random) ?? 1)
    let originSectors = 24 * builder.chunkSectors + random.below(2 * builder.chunkSectors)
    builder.chunkCount = 40 + random.below(12)
    builder = builder.copying(someOlds(&random, below: 25, count: 2 + random.below(14)))
    for _ in 0..<random.below(4) { twist(&builder, &random) }
    if random.oneIn(3) { builder.exceptions.shuffle(using: &random) }
    if random.oneIn(4) { builder.extraByteCount = 512 * random.below(builder.chunkSectors + 1) }
    return Made(
      builder: builder, store: builder.image(),
      origin: Stamp.origin(byteCount: originSectors * 512 + (random.oneIn(4) ? 100 : 0)))
  }

  /// Old chunks with runs among them, none twice.
  private static func someOlds(
    _ random: inout SplitMix64, below end: Int, count: Int
  ) -> [Int] {
    var olds: [Int] = []
    while olds.count < count {
      let first = random.below(end)
      for old in first..<min(first + 1 + random.below(6), end) where !olds.contains(old) {
        olds.append(old)
      }
    }
    return olds
  }

  private static func twist(_ builder: inout StoreBuilder, _ random: inout SplitMix64) {
    let chunkCount = builder.wholeChunkCount
    guard let victim = builder.exceptions.indices.randomElement(using: &random) else { return }
    let new = UInt64(2 + random.below(chunkCount))
    switch random.below(8) {
    case 0:  // the same chunk again
      builder.exceptions.append(.init(builder.exceptions[victim].old, new))
    case 1:  // a run over what is there
      let first = builder.exceptions[victim].old
      for index in 0..<UInt64(2 + random.below(5)) {
        builder.exceptions.append(.init(first &+ index, new + index))
      }
    case 2:  // backwards, so that it is packed at the front
      let first = builder.exceptions[victim].old &+ 4
      for index in (0..<UInt64(4)).reversed() {
        builder.exceptions.append(.init(first &+ index, new + index))
      }
    case 3:
      let count = [1, 2, 3, 7, 100, 254, 255].randomElement(using: &random) ?? 1
      builder.exceptions[victim].new |= UInt64(count) << 56
    case 4: builder.exceptions[victim].new = wild.randomElement(using: &random) ?? 1
    case 5: builder.exceptions[victim].old = wild.randomElement(using: &random) ?? 1
    case 6:
      builder.exceptions[victim].new = UInt64([1, 34, 100].randomElement(using: &random) ?? 1)
    default:  // another window of the same bucket
      builder.exceptions[victim].old += 256 * 64 * UInt64(1 + random.below(2))
    }
  }
}
