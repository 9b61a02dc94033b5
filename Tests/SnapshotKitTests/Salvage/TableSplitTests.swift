import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// What lies between areas decides whether they are one table or two, and where it does not decide,
/// that is said.
@Suite struct TableSplitTests {
  private func tables(
    _ builder: StoreBuilder, _ damages: [Damage] = [], unreadable: [Range<UInt64>] = []
  ) throws -> [TableSplit.Table] {
    var image = builder.image()
    for damage in damages { damage.apply(to: &image, of: builder) }
    let source = FaultySource(image, unreadable: unreadable)
    let size = try ChunkSize(sectorCount: UInt32(builder.chunkSectors))
    let geometry = StoreGeometry(chunkSize: size, byteCount: source.byteCount)
    return TableSplit(try AreaSurvey(source, geometry, isExpected: true)).tables
  }

  private func areas(_ tables: [TableSplit.Table]) -> [ClosedRange<UInt64>] {
    tables.map(\.segment.areas)
  }

  /// Old chunks from all over a small origin: two tables of such would share some.
  private static let mixed: StoreBuilder = {
    var random = SplitMix64(seed: 4)
    return StoreBuilder(chunkSectors: 1).copying((0..<160).shuffled(using: &random))
  }()
  /// Old chunks that ascend, with gaps: nothing to be shared.
  private static let ascending = StoreBuilder(chunkSectors: 1).copying((0..<160).map { $0 * 3 })
  private static let lost = mixed.chunk(ofArea: 1)

  @Test func `a whole table is one`() throws {
    #expect(areas(try tables(Self.mixed)) == [0...4])
    #expect(try tables(Self.mixed).first?.doubtfulAreas == [])
  }

  @Test(arguments: [Damage.zeroChunk(34), .randomChunk(34, seed: 5)])
  func `sides that would share old chunks by chance and share none are one`(damage: Damage) throws {
    let tables = try tables(Self.mixed, [damage])
    #expect(areas(tables) == [0...4])
    #expect(tables.first?.lostAreas == [1..<2])
    #expect(tables.first?.doubtfulAreas == [] && tables.first?.doubtfulCount == 0)
    #expect(tables.first?.segment.exceptionCount == 128)
  }

  @Test func `an area that cannot be read is like one that is lost`() throws {
    let tables = try tables(Self.mixed, unreadable: [Self.mixed.bytes(ofChunk: Self.lost)])
    #expect(areas(tables) == [0...4])
    #expect(tables.first?.doubtfulAreas == [])
  }

  @Test func `sides that ascend may be two tables: they are taken for one, in doubt`() throws {
    let tables = try tables(Self.ascending, [.randomChunk(Self.lost, seed: 5)])
    #expect(areas(tables) == [0...4])
    #expect(tables.first?.doubtfulAreas == [1])
    #expect(tables.first?.doubtfulCount == 96)
  }

  @Test func `zeroes between sides that share nothing are a lost area, in doubt`() throws {
    let far = StoreBuilder(chunkSectors: 1).copying(
      Array(0..<32).map { $0 * 1000 } + Array(32..<64) + (0..<32).map { 500_000 + $0 * 1000 })
    let zeroed = try tables(far, [.zeroChunk(Self.lost)])
    #expect(areas(zeroed) == [0...2])
    #expect(zeroed.first?.lostAreas == [1..<2])
    #expect(zeroed.first?.doubtfulAreas == [1] && zeroed.first?.doubtfulCount == 32)
    #expect(areas(try tables(far, [.randomChunk(Self.lost, seed: 5)])) == [0...2])
  }

  @Test func `ends of one run whose middle fits the lost slots are one`() throws {
    let run = StoreBuilder(chunkSectors: 1).copying(100..<200)
    let foreign = try tables(run, [.randomChunk(Self.lost, seed: 5)])
    #expect(areas(foreign) == [0...3])
    #expect(foreign.first?.doubtfulAreas == [])
    // Of zeroes Linux makes the end of the table, and an older one may have been as long a run.
    let zeroed = try tables(run, [.zeroChunk(Self.lost)])
    #expect(areas(zeroed) == [0...3])
    #expect(zeroed.first?.doubtfulAreas == [1])
    let off = StoreBuilder(chunkSectors: 1).copying(
      Array(1_000_000..<1_000_032) + Array(100..<132) + Array(1_000_065..<1_000_080))
    #expect(try tables(off, [.zeroChunk(Self.lost)]).first?.doubtfulAreas == [1])
  }

  @Test func `a shared old chunk makes two tables of sides with zeroes between`() throws {
    var olds = Self.ascending.exceptions.map { Int($0.old) }
    olds[100] = 0
    let shared = StoreBuilder(chunkSectors: 1).copying(olds)
    #expect(areas(try tables(shared, [.zeroChunk(Self.lost)])) == [0...0, 2...4])
    // Where there is damage, one may be a flipped bit; two are not.
    #expect(areas(try tables(shared, [.randomChunk(Self.lost, seed: 5)])) == [0...4])
    olds[101] = 3
    let twice = StoreBuilder(chunkSectors: 1).copying(olds)
    #expect(areas(try tables(twice, [.randomChunk(Self.lost, seed: 5)])) == [0...0, 2...4])
  }

  @Test func `behind zeroes within an area there is another table, whatever it holds`() throws {
    let end = Damage.bytes([UInt8](repeating: 0, count: 16), at: 512 + 31 * 16)
    #expect(areas(try tables(Self.mixed, [end])) == [0...0, 1...4])
    #expect(try tables(Self.mixed, [end]).first?.doubtfulAreas == [])
  }

  @Test func `zeroes that begin where a sector or half an area does may be lost sectors`() throws {
    let half = Damage.bytes([UInt8](repeating: 0, count: 256), at: 512 + 256)
    // The sides would share old chunks by chance, and share none.
    let mixed = try tables(Self.mixed, [half])
    #expect(areas(mixed) == [0...4] && mixed.first?.doubtfulAreas == [])
    #expect(mixed.first?.segment.damages.map(\.lostSlotCount) == [16])
    let ascending = try tables(Self.ascending, [half])
    #expect(areas(ascending) == [0...0, 1...4])
    #expect(ascending.first?.doubtfulAreas == [0])
  }

  @Test func `a full area with another table's behind it is in doubt`() throws {
    let twice = StoreBuilder(chunkSectors: 1).copying(Array(0..<64) + Array(0..<40))
    let tables = try tables(twice)
    #expect(areas(tables) == [0...1, 2...3])
    #expect(tables.first?.doubtfulAreas == [1])
  }

  @Test func `a doubt covers all behind it`() throws {
    let tables = try tables(
      Self.ascending, [.randomChunk(Self.lost, seed: 5), .randomChunk(100, seed: 6)])
    #expect(areas(tables) == [0...4])
    #expect(tables.first?.lostAreas == [1..<2, 3..<4])
    #expect(tables.first?.doubtfulAreas == [1, 3])
    #expect(tables.first?.doubtfulCount == 64)
  }

  @Test func `shifts that fall make two tables`() throws {
    var builder = Self.mixed
    for index in 0..<32 { builder.exceptions[index].new += index < 25 ? 7 : 8 }
    #expect(areas(try tables(builder, [.randomChunk(Self.lost, seed: 5)])) == [0...0, 2...4])
  }
}
