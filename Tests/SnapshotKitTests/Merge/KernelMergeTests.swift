import BlockIO
import SnapshotFormat
import SnapshotKit
import TestSupport
import Testing

/// A merge is refused just where Linux's own would stop, or end with other than the view.
@Suite struct KernelMergeTests {
  private static let builder = StoreBuilder(chunkSectors: 2, chunkCount: 60)

  private func obstacle(
    _ builder: StoreBuilder, originSectors: Int = 40, _ reading: Reading = .kernel
  ) throws -> MergeObstacle? {
    try builder.loaded(reading).mergeObstacle(originByteCount: UInt64(originSectors * 512))
  }

  @Test func `a sound table has no obstacle`() throws {
    #expect(try obstacle(Self.builder.copying([5, 6, 7, 3, 12])) == nil)
    #expect(try obstacle(Self.builder) == nil)
  }

  /// The table, which slot is in the way, and how.
  @Test(
    arguments: [
      (builder.adding((3, 2), (4, 1 << 56 | 3)), 1, .newBeyondStore),
      (builder.adding((3, 2), (21, 3)), 1, .oldBeyondOrigin),
      (builder.adding((3, 2), (1 << 60, 3)), 1, .oldBeyondOrigin),
      (builder.adding((3, 2), (5, 60)), 1, .newBeyondStore),
      (builder.adding((3, 2), (5, 1 << 50)), 1, .newBeyondStore),
      (builder.adding((3, 1), (5, 2)), 0, .newInClearedArea),
      (builder.adding((5, 2), (5, 3)), nil, nil),
      (builder.adding((10, 2), (11, 3), (12, 4), (11, 9)), 3, .notRemovable),
      (builder.adding((11, 9), (10, 2), (11, 3), (12, 4)), 0, .otherDuplicate),
    ] as [(StoreBuilder, Int?, MergeObstacle.Kind?)])
  func `each kind of obstacle is found where it is`(
    builder: StoreBuilder, slot: Int?, kind: MergeObstacle.Kind?
  ) throws {
    let obstacle = try obstacle(builder)
    #expect(obstacle?.kind == kind)
    #expect(obstacle?.slot == slot)
    #expect(obstacle.map { $0.area == AreaIndex(0) } ?? true)
    if let obstacle, let slot {
      #expect(obstacle.exception.oldChunk == builder.exceptions[slot].old)
      #expect("\(obstacle)".hasPrefix("area 0, slot \(slot) ("))
    }
  }

  @Test func `where the last duplicate is shown, the merge would leave the first`() throws {
    let builder = Self.builder.adding((5, 2), (5, 9))
    #expect(try obstacle(builder) == nil)
    #expect(try obstacle(builder, .kernel612)?.kind == .otherDuplicate)
  }

  @Test func `a top byte that is shifted out of the sector shows more than is merged`() throws {
    let builder = StoreBuilder(chunkSectors: 256, chunkCount: 8)
    let shown = builder.adding((0, 1 << 56 | 2))
    #expect(try obstacle(shown, originSectors: 512)?.kind == .topByte)
    #expect(try obstacle(shown, originSectors: 256) == nil)  // there is no second chunk to show
    #expect(try obstacle(shown.adding((1, 3)), originSectors: 512) == nil)  // merged, too
  }

  @Test func `a run may go on past the origin's end, where it is clipped`() throws {
    #expect(try obstacle(Self.builder.copying([18, 19, 20, 21])) == nil)
    #expect(try obstacle(Self.builder.copying([20, 21])) == nil)  // begins just there: clipped away
    #expect(try obstacle(Self.builder.copying([21]))?.kind == .oldBeyondOrigin)
    #expect(try obstacle(Self.builder.copying([18, 20, 22]))?.slot == 2)
  }

  @Test func `a run ends with its area, and the next begins past the origin's end`() throws {
    var builder = StoreBuilder(chunkSectors: 1, chunkCount: 80)
    builder.exceptions = (0..<40).map { StoreBuilder.Exception($0, $0 + 2) }
    let origin = Stamp.origin(byteCount: 31 * 512)
    #expect(ReferenceDecoder(builder.image()).merge(into: origin) == nil)
    let obstacle = try obstacle(builder, originSectors: 31)
    #expect(obstacle?.kind == .oldBeyondOrigin)
    #expect(obstacle?.area == AreaIndex(1))
    #expect(obstacle?.slot == 0)
  }

  @Test func `an exception of the last area may point to it`() throws {
    #expect(try obstacle(Self.builder.adding((3, 2), (7, 1))) == nil)
  }

  @Test func `an obstacle in a later area says in which`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying(0..<35).adding((99, 5))
    let obstacle = try obstacle(builder)
    #expect(obstacle?.area == AreaIndex(1))
    #expect(obstacle?.slot == 3)
    #expect(obstacle?.kind == .oldBeyondOrigin)
  }

  /// Linux counts the sectors of a run in 32 bits. An area of such chunks is 8 MiB, all of it one run.
  @Test func `a run of 2 TiB stands in the way`() throws {
    let geometry = StoreGeometry(
      chunkSize: try ChunkSize(sectorCount: 16384), byteCount: (2 << 40) + (64 << 20))
    let header = StoreBuilder(chunkSectors: 16384, chunkCount: 1).image().prefix(512)
    var area: [UInt8] = []
    for slot in 0..<geometry.chunkSize.exceptionsPerArea {
      for number in [slot, slot + 2] {
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
          area.append(UInt8(truncatingIfNeeded: number >> shift))
        }
      }
    }
    let second = try #require(geometry.byteOffset(of: AreaIndex(1)))
    for (exceptionCount, kind) in [(262_144, MergeObstacle.Kind.runTooLong), (262_143, nil)]
      as [(Int, MergeObstacle.Kind?)]
    {
      let source = FaultySource(
        byteCount: second + 2 * geometry.chunkSize.byteCount,
        pieces: [
          (0, Array(header)), (8 << 20, Array(area.prefix(exceptionCount * 16))),
        ])
      let loaded = try LoadedTable(Store(source), reading: .kernel)
      #expect(loaded.exceptionCount == UInt64(exceptionCount))
      let obstacle = try loaded.mergeObstacle(originByteCount: 4 << 40)
      #expect(obstacle?.kind == kind)
    }
  }

  /// The decisive property: no obstacle if, and only if, Linux ends with what the snapshot shows.
  @Test(arguments: UInt64(1)...500)
  func `there is no obstacle just where the reference ends with the view`(seed: UInt64) throws {
    let made = OddStore.make(seed: seed)
    for reading in Reading.kernels {
      let reference = ReferenceDecoder(made.store, reading.kernel)
      guard reference.verdict == .loads else { continue }
      let loaded = try LoadedTable(Store(made.store), reading: reading)
      let obstacle = try loaded.mergeObstacle(originByteCount: UInt64(made.origin.count))
      let view = reference.view(of: made.origin)
      let ends = view.unreadable.isEmpty && reference.merge(into: made.origin) == view.bytes
      #expect((obstacle == nil) == ends, "\(reading): \(String(describing: obstacle))")
    }
  }
}
