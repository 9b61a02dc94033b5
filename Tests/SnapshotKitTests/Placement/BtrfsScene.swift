import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// A tiny btrfs that was written over: its origin, its snapshot, and the store between them.
///
/// Metadata is twice on the device (DUP), 128 KiB from one copy to the other; data is at 512 KiB,
/// a sector after the other. The snapshot has a new transaction: new data, its checksums, a new root
/// and superblock.
struct BtrfsScene {
  static let byteCount = 1 << 20
  private static let metadata: [UInt64] = [128 << 10, 256 << 10]
  private static let data: UInt64 = 512 << 10
  private static let builder = BtrfsBuilder()

  /// The origin, as it was.
  var origin = [UInt8](repeating: 0, count: byteCount)
  /// What the snapshot shows.
  var snapshot: [UInt8]
  let geometry: StoreGeometry
  /// The chunks of the origin in the order in which they were copied.
  let olds: [UInt64]
  /// Where in the snapshot's the superblock, the root and the checksums are.
  static let superblock: UInt64 = 64 << 10
  static let newRoot: UInt64 = metadata[0] + 3 * 16384
  static let newChecksums: UInt64 = metadata[0] + 4 * 16384
  static let newData: UInt64 = data + 8 * 4096

  /// The scene with chunks of that size.
  ///
  /// - Parameters:
  ///   - seed: Clones with other seeds have other data, at the same addresses and under the same
  ///     generations.
  ///   - isRepeated: Whether all sectors of the new data are the same.
  init(chunkSectors: UInt32 = 8, seed: UInt64 = 1, isRepeated: Bool = false) throws {
    var random = SplitMix64(seed: 1)
    let oldData = (0..<8).map { _ in random.bytes(4096) }
    random = SplitMix64(seed: seed)
    var newData = (0..<6).map { _ in random.bytes(4096) }
    if isRepeated { newData = Array(repeating: newData[0], count: newData.count) }
    let builder = Self.builder
    let system = builder.chunk(byteCount: 128 << 10, type: 0x22, stripes: Self.metadata)
    let systemKey = BtrfsBuilder.Key(256, 228, Self.metadata[0])
    let chunks = builder.leaf(
      at: Self.metadata[0], generation: 3,
      [
        (systemKey, system),
        (
          .init(256, 228, Self.data),
          builder.chunk(byteCount: 256 << 10, type: 1, stripes: [Self.data])
        ),
      ])
    func write(
      _ image: inout [UInt8], generation: UInt64, root: UInt64, checksums: UInt64, data: [[UInt8]]
    ) {
      let leaf = builder.leaf(
        at: checksums, generation: generation,
        [
          (
            .init(.max - 9, 128, Self.data),
            data.flatMap { BtrfsBuilder.checksum($0).littleEndianBytes }
          )
        ])
      let roots = builder.leaf(
        at: root, generation: generation,
        [(.init(7, 132, 0), builder.root(at: checksums, generation: generation))])
      for copy in [0, Int(Self.metadata[1] - Self.metadata[0])] {
        image.put(chunks, at: Int(Self.metadata[0]) + copy)
        image.put(leaf, at: Int(checksums) + copy)
        image.put(roots, at: Int(root) + copy)
      }
      for (index, sector) in data.enumerated() {
        image.put(sector, at: Int(Self.data) + index * 4096)
      }
      image.put(
        builder.superblock(
          generation: generation, root: root, chunkRoot: (Self.metadata[0], 3),
          systemChunks: systemKey.bytes + system), at: Int(Self.superblock))
    }
    write(
      &origin, generation: 4, root: Self.metadata[0] + 16384,
      checksums: Self.metadata[0] + 2 * 16384, data: oldData)
    snapshot = origin
    write(
      &snapshot, generation: 5, root: Self.newRoot, checksums: Self.newChecksums,
      data: oldData + newData)
    let chunkSize = try ChunkSize(sectorCount: chunkSectors)
    let size = Int(chunkSize.byteCount)
    var copied: [UInt64] = []
    // Data first, then its checksums and the root in both copies, the superblock last.
    for place in [Self.newData, Self.newRoot, Self.newRoot + (128 << 10), Self.superblock] {
      let end = [Self.newData: 6 * 4096, Self.superblock: 4096][place] ?? 2 * 16384
      for old in Int(place) / size...(Int(place) + end - 1) / size
      where !copied.contains(UInt64(old)) {
        copied.append(UInt64(old))
      }
    }
    olds = copied
    geometry = StoreGeometry(chunkSize: chunkSize, byteCount: UInt64(size * (copied.count + 400)))
  }

  /// Where in the origin data begins that was not written over.
  var byteOfOldData: UInt64 { Self.data }

  /// The chunk of the store at a position.
  func new(_ position: Int) throws -> UInt64 {
    guard let chunk = geometry.dataChunk(inOrder: UInt64(position)) else { throw Missing() }
    return chunk.index
  }

  private struct Missing: Error {}

  /// Whether the snapshot has zeroes in a chunk, as the origin has: the middle of a small node.
  func isZero(_ old: UInt64) -> Bool {
    let size = Int(geometry.chunkSize.byteCount)
    return snapshot[Int(old) * size..<(Int(old) + 1) * size].allSatisfy { $0 == 0 }
  }

  /// Finds what orphans are, if the table has only what `isNamed` says, by the byte in the origin.
  ///
  /// - Parameter foreign: What lies behind what was copied, a chunk each.
  func plan(
    _ reason: Orphan.Reason, foreign: [[UInt8]] = [], isNamed: (UInt64) -> Bool = { _ in false }
  ) throws -> (plan: PlacementPlan, isRight: Bool) {
    let (plan, isRight, _, _) = try planCounting(reason, foreign: foreign, isNamed: isNamed)
    return (plan, isRight)
  }

  /// The same, with the origin and the store, which know what was read of them.
  func planCounting(
    _ reason: Orphan.Reason, foreign: [[UInt8]] = [], isNamed: (UInt64) -> Bool = { _ in false }
  ) throws -> (plan: PlacementPlan, isRight: Bool, origin: FaultySource, store: FaultySource) {
    let size = Int(geometry.chunkSize.byteCount)
    var store = [UInt8](repeating: 0, count: Int(geometry.sectorCount * 512))
    var runs: [ExceptionRun] = []
    var orphans: [Orphan] = []
    for (position, old) in olds.enumerated() {
      let new = try new(position)
      store.put(Array(snapshot[Int(old) * size..<(Int(old) + 1) * size]), at: Int(new) * size)
      if isNamed(old * UInt64(size)) {
        runs.append(ExceptionRun(old: old, new: new, count: 1))
      } else {
        orphans.append(Orphan(new: new, count: 1, old: nil, reason: reason))
      }
    }
    for (index, bytes) in foreign.enumerated() {
      let new = try new(olds.count + index)
      store.put(bytes, at: Int(new) * size)
      orphans.append(Orphan(new: new, count: 1, old: nil, reason: reason))
    }
    let (source, storeSource) = (FaultySource(origin), FaultySource(store))
    let search = try #require(
      try BtrfsSearch(view: source, chunkByteCount: UInt64(size)))
    let plan = try PlacementPlan(
      storeSource, geometry, runs, orphans, of: source, [search])
    let isRight = plan.placements.allSatisfy { placement in
      (0..<placement.count).allSatisfy { index in
        let (old, new) = (Int(placement.old + index) * size, Int(placement.new + index) * size)
        return snapshot[old..<old + size] == store[new..<new + size]
      }
    }
    return (plan, isRight, source, storeSource)
  }
}
