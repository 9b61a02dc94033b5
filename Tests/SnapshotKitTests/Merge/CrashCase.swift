import SnapshotFormat
@testable import SnapshotKit
import TestSupport

/// A small merge from a seed, and what must come of it, as the reference decoder has it.
struct CrashCase {
  let seed: UInt64
  let store: [UInt8]
  /// The origin before the merge.
  let original: [UInt8]
  /// The origin after it.
  let merged: [UInt8]
  /// What a new undo store begins with, if the merge is one with undo.
  let emptyUndo: [UInt8]?
  /// What the merge is like, for a person.
  let shape: String

  /// The merge of that seed, or nil if Linux would not do it.
  init?(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let kind = random.below(3)
    let builder: StoreBuilder
    if kind == 0 {
      let made = OddStore.make(seed: random.next())
      (builder, store, original) = (made.builder, made.store, made.origin)
    } else {
      builder = Self.builder(inRuns: kind == 1, &random)
      store = builder.image()
      let olds = builder.exceptions.map { Int($0.old) }
      let sectorCount = ((olds.max() ?? 0) + 1) * builder.chunkSectors
      // Chunks behind the last exception, or an end within its chunk, and bytes that are no sector.
      original = Stamp.origin(
        byteCount: (sectorCount + random.below(12) - random.below(builder.chunkSectors)) * 512
          + (random.oneIn(2) ? 100 : 0))
    }
    let reference = ReferenceDecoder(store)
    guard reference.verdict == .loads else { return nil }
    merged = reference.view(of: original).bytes
    let loaded = try LoadedTable(Store(store), reading: .kernel)
    guard try loaded.mergeObstacle(originByteCount: UInt64(original.count)) == nil else {
      return nil
    }
    emptyUndo = random.oneIn(4) ? nil : try MergeRig.emptyUndo(of: store, into: original)
    self.seed = seed
    shape =
      "\(["odd", "runs", "scattered"][kind]), \(builder.exceptions.count) exceptions,"
      + " chunks of \(builder.chunkSectors) sectors, origin of \(original.count) bytes,"
      + (emptyUndo == nil ? " no undo" : " undo of \(emptyUndo?.count ?? 0) bytes")
  }

  /// A store as Linux writes it, whose undo store has up to three areas.
  private static func builder(
    inRuns: Bool, _ random: inout SplitMix64
  ) -> StoreBuilder {
    let isSmall = random.oneIn(2)
    let end = isSmall ? 72 : 14
    var olds: [Int] = []
    while olds.count < 1 + random.below(isSmall ? 40 : 8) {
      let first = random.below(end)
      let run = first..<min(end, first + 1 + (inRuns ? random.below(9) : 0))
      olds += run.filter { !olds.contains($0) }
    }
    if !inRuns { olds.shuffle(using: &random) }
    return StoreBuilder(chunkSectors: isSmall ? 1 : 8).copying(olds)
  }
}
