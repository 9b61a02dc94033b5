import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import SystemPackage
import TestSupport
import Testing

/// Of a snapshot that was invalidated, every data chunk without an exception may be a copy that was
/// never written down.
@Suite struct InFlightTests {
  private static let ten = StoreBuilder(chunkSectors: 1, chunkCount: 80).copying(3..<13)

  private func plan(_ builder: StoreBuilder, _ damages: Damage...) throws -> SalvagePlan {
    var image = builder.image()
    for damage in damages { damage.apply(to: &image, of: builder) }
    return try SalvagePlan(Store(image))
  }

  @Test func `every data chunk behind the table is an orphan, areas and the header are not`() throws
  {
    let generation = try plan(Self.ten, .valid(0)).generation(0)
    #expect(generation.exceptionCount == 10)
    // 80 chunks less the header, three areas and ten that have names.
    #expect(generation.inFlightCount == 66 && generation.orphanCount == 66)
    #expect(
      generation.orphans == [
        Orphan(new: 12, count: 22, old: nil, reason: .inFlight),
        Orphan(new: 35, count: 32, old: nil, reason: .inFlight),
        Orphan(new: 68, count: 12, old: nil, reason: .inFlight),
      ])
    #expect(!generation.isComplete && generation.hasUnknownLosses)
    let finding = try #require(generation.findings.first { $0.code == .inFlight })
    #expect(finding.count == 66 && finding.place.newChunk == 12)
    let ranges: [Range<UInt64>] = [6144..<17408, 17920..<34304, 34816..<40960]
    #expect(finding.ranges == ranges)
  }

  @Test func `a store that is full to its last chunk has none`() throws {
    let generation = try plan(Self.ten.sized(12), .valid(0)).generation(0)
    #expect(generation.inFlightCount == 0 && generation.isComplete)
  }

  @Test func `a snapshot that is valid has none`() throws {
    let generation = try plan(Self.ten).generation(0)
    #expect(generation.inFlightCount == 0 && generation.orphanCount == 0 && generation.isComplete)
  }

  @Test func `an empty table is not called whole where chunks were copied`() throws {
    let empty = StoreBuilder(chunkSectors: 8, chunkCount: 20)
    let plan = try plan(empty, .valid(0), .randomChunk(2, seed: 1))
    #expect(plan.generations.map(\.inFlightCount) == [18])
    #expect(try !plan.generation(0).isComplete)
  }

  @Test func `a lost area's chunks are orphans of their own, and all is counted once`() throws {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 110).copying(0..<100)
    let generation = try plan(builder, .valid(0), .randomChunk(34, seed: 3)).generation(0)
    #expect(generation.exceptionCount == 68)
    // 32 of area 1, and what lies behind the hundredth exception's chunk.
    let behind = 110 - (builder.dataChunk(99) + 1)
    #expect(generation.orphanCount == UInt64(32 + behind))
    #expect(generation.inFlightCount == UInt64(behind))
    #expect(generation.orphans.map(\.count).reduce(0, +) == generation.orphanCount)
    let starts = generation.orphans.map(\.new)
    #expect(starts == starts.sorted())
  }

  @Test func `holes of the store's file were never written`() throws {
    let folder = try TemporaryDirectory()
    let path = FilePath(folder.path("store.cow"))
    let file = try FileDescriptor.open(
      path, .readWrite, options: [.create], permissions: [.ownerReadWrite])
    defer { try? file.close() }
    // 4 KiB chunks: ten exceptions, chunks up to 19 written, the rest a hole.
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 20).copying(3..<13)
    let image = builder.image(
      .valid(0), .randomChunk(12, seed: 1), .randomChunk(15, seed: 2), .randomChunk(19, seed: 3))
    try file.writeAll(toAbsoluteOffset: 0, image)
    try file.resize(to: 64 * 4096)
    let source = try FileSource(path: path)
    let generation = try SalvagePlan(Store(source)).generation(0)
    #expect(generation.inFlightCount == 8)
    #expect(generation.orphans == [Orphan(new: 12, count: 8, old: nil, reason: .inFlight)])
  }

  @Test func `an older table of an invalid store is in doubt, all of it`() throws {
    let older = StoreBuilder(chunkSectors: 1, chunkCount: 200).copying(0..<100)
    let newer = StoreBuilder(chunkSectors: 1, chunkCount: 200).copying(50..<60)
    var image = newer.image(over: older.image())
    Damage.valid(0).apply(to: &image, of: newer)
    let plan = try SalvagePlan(Store(image))
    #expect(plan.generations.map(\.isCurrent) == [true, false])
    let old = plan.generations[1]
    #expect(old.doubtfulCount == old.exceptionCount && old.exceptionCount > 0)
    #expect(old.findings.contains { $0.code == .generationMaybeOverwritten })
    #expect(plan.generations[0].inFlightCount > 0 && old.inFlightCount == 0)
  }

  @Test func `where the header is lost, data behind the table leaves its end in doubt`() throws {
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 40).copying(3..<13)
    let empty = try plan(builder, .headerZeroed).generation(0)
    #expect(empty.isComplete)
    let used = try plan(builder, .headerZeroed, .randomChunk(12, seed: 1)).generation(0)
    #expect(!used.isComplete && used.isInDoubt)
    #expect(used.findings.map(\.code) == [.generationEndInDoubt])
    #expect(used.orphans == [Orphan(new: 12, count: 1, old: nil, reason: .endInDoubt)])
    let known = try plan(builder, .randomChunk(12, seed: 1)).generation(0)
    #expect(known.isComplete)
  }

  @Test func `a table that ends with a sector, with data behind it, may have gone on`() throws {
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 60).copying(3..<35)
    #expect(try plan(builder).generation(0).isComplete)
    let used = try plan(builder, .randomChunk(34, seed: 1)).generation(0)
    #expect(used.isInDoubt && !used.isComplete)
    // Chunk 33 was never used.
    #expect(used.orphans == [Orphan(new: 34, count: 1, old: nil, reason: .endInDoubt)])
  }
}
