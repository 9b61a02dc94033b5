import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// A generation says what it keeps, what it does not, and what of the origin is lost by that.
@Suite struct GenerationTests {
  /// Forty exceptions, old chunks 100 to 139, in chunks of one sector: areas 0 and 1.
  private static let forty = StoreBuilder(chunkSectors: 1, chunkCount: 60).copying(100..<140)

  private func generation(
    _ builder: StoreBuilder, _ damages: Damage..., unreadable: [Range<UInt64>] = [],
    index: Int = 0
  ) throws -> Generation {
    var image = builder.image()
    for damage in damages { damage.apply(to: &image, of: builder) }
    return try SalvagePlan(image, unreadable: unreadable).generation(index)
  }

  private func area(_ area: Int) -> Range<UInt64> {
    Self.forty.bytes(ofChunk: Self.forty.chunk(ofArea: area))
  }

  // MARK: - Findings

  @Test func `an exception that is dropped is told with its place, and its chunk is lost`() throws {
    let generation = try generation(Self.forty, .exception(slot: 9, old: 109, new: 50))
    let start = UInt64(Self.forty.byteOffset(slot: 9))
    let finding = try #require(generation.finding(.unsupported))
    #expect(
      finding.place
        == Finding.Place(
          area: 0, slot: 9, bytes: start..<start + 16, oldChunk: 109, newChunk: 50))
    #expect(finding.found == "109 → 50")
    #expect(finding.count == 1 && finding.ranges == [start..<start + 16])
    // Told by itself, it is no damage of the area as well.
    #expect(generation.codes == [.unsupported, .orphans])
    #expect(generation.exceptionCount == 39 && generation.lostExceptionCount == 1)
    // Its old chunk, and what its neighbours say of the chunk that has no name now, agree.
    #expect(generation.lost.map(\.old) == [109..<110])
    #expect(!generation.isComplete)
  }

  @Test func `an old chunk that is like no other's is not taken for one that is lost`() throws {
    let generation = try generation(Self.forty, .exception(slot: 9, old: 1 << 40, new: 50))
    #expect(generation.lost == [LostChunks(old: 109..<110, reason: .exceptionLost)])
  }

  @Test func `chunks without a name are orphans, and their old chunks are told`() throws {
    let generation = try generation(Self.forty, .bytes([UInt8](repeating: 9, count: 64), at: 576))
    let finding = try #require(generation.finding(.orphans))
    let bytes = Self.forty.bytes(ofChunk: 6).lowerBound..<Self.forty.bytes(ofChunk: 9).upperBound
    #expect(finding.place == Finding.Place(bytes: bytes, oldChunk: 104, newChunk: 6))
    #expect(finding.count == 4 && finding.ranges == [bytes])
    #expect(generation.orphans == [Orphan(new: 6, count: 4, old: 104, reason: .exceptionLost)])
    #expect(generation.lost == [LostChunks(old: 104..<108, reason: .exceptionLost)])
    #expect(generation.lostExceptionCount == 4)
    let damaged = try #require(generation.finding(.areaDamaged))
    #expect(damaged.place == Finding.Place(area: 0, bytes: area(0)))
    #expect(damaged.found == "4 slots without an exception")
  }

  @Test func `sectors of an area that cannot be read are told`() throws {
    let builder = StoreBuilder(chunkSectors: 2).copying(100..<150)
    let generation = try generation(builder, unreadable: [1536..<1537])
    let finding = try #require(generation.finding(.areaDamaged))
    #expect(finding.found == "32 slots without an exception, sectors that cannot be read")
    #expect(generation.exceptionCount == 32)
    #expect(generation.lostExceptionCount == 32)
  }

  @Test func `an area that is lost is told, and so are its chunks`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying(100..<200)
    let generation = try generation(builder, .randomChunk(34, seed: 2))
    let finding = try #require(generation.finding(.areaLost))
    #expect(finding.place == Finding.Place(area: 1, bytes: builder.bytes(ofChunk: 34)))
    #expect(finding.found == "no exception in area 1" && finding.required == "32 exceptions")
    #expect(generation.lostExceptionCount == 32)
    #expect(generation.lost == [LostChunks(old: 132..<164, reason: .exceptionLost)])
    #expect(generation.orphans == [Orphan(new: 35, count: 32, old: 132, reason: .exceptionLost)])
    #expect(generation.codes == [.areaLost, .orphans])
    #expect(!generation.isEndLost)
  }

  @Test func `the first area that is lost loses the generation what it had`() throws {
    let generation = try generation(Self.forty, .randomChunk(1, seed: 2))
    #expect(generation.isCurrent && generation.areas == 1..<2)
    #expect(generation.exceptionCount == 8 && generation.lostExceptionCount == 32)
    #expect(generation.orphans.map(\.count) == [32])
    #expect(generation.lost == [])  // nothing tells what they were for
    #expect(generation.finding(.areaLost)?.place.area == 0)
  }

  @Test func `an area that is lost behind a full one loses the end`() throws {
    let generation = try generation(Self.forty, .randomChunk(34, seed: 2))
    #expect(generation.isEndLost && !generation.isComplete)
    #expect(generation.areas == 0..<2)
    #expect(generation.exceptionCount == 32 && generation.lostExceptionCount == 32)
    #expect(generation.finding(.areaLost)?.place.area == 1)
    // Eight of its chunks have something in them; nobody knows what for.
    #expect(generation.orphans == [Orphan(new: 35, count: 8, old: nil, reason: .endLost)])
    #expect(generation.lost == [])
  }

  @Test func `the end of the store loses the end of a table that is full`() throws {
    let generation = try generation(Self.forty, .cut(byteCount: 34 * 512))
    #expect(generation.isEndLost && generation.lostExceptionCount == 0)
    #expect(generation.exceptionCount == 32 && generation.lost == [])
    #expect(!generation.isComplete)
  }

  @Test func `zeroes behind a full area are the table's end`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying(100..<132)
    let generation = try generation(builder)
    #expect(generation.isComplete && generation.areas == 0..<2)
  }

  @Test func `a doubt about the table is told, with how much it covers`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying((0..<100).map { $0 * 3 })
    let generation = try generation(builder, .randomChunk(34, seed: 2))
    let finding = try #require(generation.finding(.generationAmbiguous))
    #expect(finding.place == Finding.Place(area: 1, bytes: builder.bytes(ofChunk: 34)))
    #expect(generation.doubtfulCount == 36)
    #expect(generation.exceptionCount == 68)
  }

  // MARK: - Chunks that are lost

  @Test func `a chunk that a newer table used is lost, and told`() throws {
    let older = StoreBuilder(chunkSectors: 1, chunkCount: 120).copying(500..<600)
    // The newer one leaked chunks, so that it reaches into those of the older one's area 1.
    let newer = StoreBuilder(chunkSectors: 1).adding(
      (0, 2), (1, 3), (2, 4), (3, 5), (4, 36), (5, 37), (6, 38))
    let plan = try SalvagePlan(newer.image(over: older.image()))
    #expect(plan.generations.map(\.exceptionCount) == [7, 64])
    let generation = try plan.generation(1)
    #expect(generation.lost == [LostChunks(old: 532..<536, reason: .overwritten)])
    let finding = try #require(generation.finding(.generationOverwritten))
    #expect(finding.count == 4)
    #expect(finding.place.oldChunk == 532 && finding.place.newChunk == 35)
    #expect(finding.ranges == [35 * 512..<39 * 512])
    #expect(!generation.isComplete && !generation.isCurrent)
    #expect(generation.areas == 1..<4)
    #expect(generation.codes == [.generationOverwritten])
    #expect(plan.generations[0].isComplete)
  }

  @Test func `a chunk past the store's end is lost, a chunk that is there in part is not`() throws {
    let builder = StoreBuilder(chunkSectors: 8).copying(100..<110)
    let generation = try generation(builder, .cut(byteCount: 7 * 4096 + 512))
    #expect(generation.exceptionCount == 6)
    #expect(generation.lost == [LostChunks(old: 106..<110, reason: .beyondStore)])
    let finding = try #require(generation.finding(.newBeyondEnd))
    #expect(finding.count == 4 && finding.place.newChunk == 8 && finding.place.oldChunk == 106)
    #expect(generation.lostExceptionCount == 0)
  }

  @Test func `of two exceptions for one chunk the first is kept`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying([5, 6, 7, 8, 9, 6, 10, 11, 12, 13])
    let generation = try generation(builder)
    #expect(
      generation.exceptions
        == builder.exceptions.enumerated().filter { $0.offset != 5 }.map(\.element))
    let finding = try #require(generation.finding(.oldDuplicate))
    #expect(finding.count == 1 && finding.place.oldChunk == 6 && finding.place.newChunk == 7)
    #expect(generation.lost == [])
  }

  @Test func `of two exceptions in one chunk the first is kept, the other's chunk is lost`() throws
  {
    // In no order, so that places do not tell which of the two is right.
    var builder = StoreBuilder(chunkSectors: 1)
    for (index, order) in [7, 3, 0, 5, 1, 6, 2, 4, 9, 8, 11, 10, 15, 13, 12, 14].enumerated() {
      builder.exceptions.append(.init(UInt64(50 + index), UInt64(order + 2)))
    }
    builder.exceptions[6].new = 9  // slot 0 has it
    let generation = try generation(builder)
    #expect(generation.exceptions.first == StoreBuilder.Exception(50, 9))
    #expect(!generation.exceptions.contains { $0.old == 56 })
    #expect(generation.exceptionCount == 15)
    #expect(generation.lost.contains(LostChunks(old: 56..<57, reason: .exceptionDamaged)))
    #expect(generation.finding(.newDuplicate)?.count == 1)
  }

  @Test(arguments: UInt64(1)...80)
  func `what is lost is sorted, each chunk once, and none that is kept`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let count = 40 + random.below(120)
    var olds: [Int] = []
    while olds.count < count {
      let first = random.below(400)
      olds += (first..<first + 1 + random.below(9)).filter { !olds.contains($0) }
    }
    let builder = StoreBuilder(chunkSectors: 1).copying(olds)
    var image = builder.image()
    for _ in 0..<random.below(12) {
      let slot = random.below(count)
      Damage.exception(
        area: slot / 32, slot: slot % 32, old: builder.exceptions[slot].old,
        new: [0, 1, 1 << 40, 2][random.below(4)]
      ).apply(to: &image, of: builder)
    }
    if random.oneIn(2) {
      Damage.cut(byteCount: image.count * 3 / 4).apply(to: &image, of: builder)
    }
    let generation = try SalvagePlan(image).generation(0)
    let kept = Set(generation.exceptions.map(\.old))
    let lost = generation.lost.flatMap { Array($0.old) }
    #expect(lost == Array(Set(lost)).sorted(), "seed \(seed)")
    #expect(kept.isDisjoint(with: lost), "seed \(seed)")
    #expect(!generation.lost.contains { $0.old.isEmpty })
    // Whatever was copied is kept, known to be lost, or counted as lost.
    let missing = Set(olds.map(UInt64.init)).subtracting(kept).subtracting(lost)
    #expect(UInt64(missing.count) <= generation.lostExceptionCount || generation.isEndLost)
  }

  // MARK: - Bytes

  @Test func `lost chunks are bytes of an origin, as far as it has them`() throws {
    let size = try ChunkSize(sectorCount: 8)
    let geometry = StoreGeometry(chunkSize: size, byteCount: 1 << 20)
    let lost = LostChunks(old: 2..<4, reason: .exceptionLost)
    #expect(
      lost.range(geometry, originByteCount: .max) == LostRange(8192..<16384, .exceptionLost))
    #expect(
      lost.range(geometry, originByteCount: 9000) == LostRange(8192..<9000, .exceptionLost))
    #expect(lost.range(geometry, originByteCount: 8192) == nil)
    let wild = LostChunks(old: 1 << 51..<1 << 60, reason: .exceptionDamaged)
    #expect(wild.range(geometry, originByteCount: 1 << 40) == nil)
    #expect(wild.range(geometry, originByteCount: .max)?.range.lowerBound == 1 << 63)
  }
}
