import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import TestSupport
import Testing

/// Chunks that Linux handed out and nobody names are found, and their owner where that is certain.
@Suite struct OrphansTests {
  private static let geometry: StoreGeometry? = (try? ChunkSize(sectorCount: 1)).map {
    StoreGeometry(chunkSize: $0, byteCount: 200 * 512)
  }

  private func orphans(
    _ runs: [(old: UInt64, new: UInt64, count: UInt64)], from firstChunk: UInt64 = 2,
    isLost: Bool = true
  ) throws -> Orphans {
    let runs = runs.map { ExceptionRun(old: $0.old, new: $0.new, count: $0.count) }
    return Orphans(
      runs, try #require(Self.geometry), from: firstChunk, isLost: isLost)
  }

  @Test func `a table in order has none`() throws {
    #expect(try orphans([]).chunks == [])
    let whole = try orphans([(9, 2, 32), (77, 35, 4)])
    #expect(whole.chunks == [] && whole.lost == [])
  }

  @Test func `the middle of a run belongs to the middle of the run`() throws {
    let found = try orphans([(100, 2, 5), (108, 10, 3)])
    #expect(found.chunks == [Orphan(new: 7, count: 3, old: 105, reason: .exceptionLost)])
    #expect(found.lost == [LostChunks(old: 105..<108, reason: .exceptionLost)])
  }

  @Test(arguments: [107, 109, 300, 2, 0] as [UInt64])
  func `if the middle does not fit just so, nobody knows`(old: UInt64) throws {
    let found = try orphans([(100, 2, 5), (old, 10, 3)])
    #expect(found.chunks == [Orphan(new: 7, count: 3, old: nil, reason: .exceptionLost)])
    #expect(found.lost == [])
  }

  @Test func `if somebody else has one of them, nobody knows either`() throws {
    let found = try orphans([(100, 2, 5), (108, 10, 3), (106, 13, 1)])
    #expect(found.chunks == [Orphan(new: 7, count: 3, old: nil, reason: .exceptionLost)])
    #expect(found.lost == [])
  }

  @Test func `those before the first have no name`() throws {
    #expect(
      try orphans([(100, 5, 5)]).chunks == [
        Orphan(new: 2, count: 3, old: nil, reason: .exceptionLost)
      ])
    #expect(try orphans([(100, 5, 5)], from: 4).chunks.map(\.new) == [4])
    #expect(try orphans([(100, 5, 5)], from: 5).chunks == [])
    // What begins at an area begins behind it.
    #expect(
      try orphans([(100, 37, 5)], from: 34).chunks == [
        Orphan(new: 35, count: 2, old: nil, reason: .exceptionLost)
      ])
  }

  @Test func `areas between them are none of them`() throws {
    let found = try orphans([(100, 2, 30), (136, 39, 3)])
    #expect(
      found.chunks == [
        Orphan(new: 32, count: 2, old: 130, reason: .exceptionLost),
        Orphan(new: 35, count: 4, old: 132, reason: .exceptionLost),
      ])
    #expect(found.lost == [LostChunks(old: 130..<136, reason: .exceptionLost)])
  }

  @Test func `runs may come in any order`() throws {
    let found = try orphans([(108, 10, 3), (100, 2, 5), (50, 15, 2), (200, 13, 1)])
    #expect(
      found.chunks == [
        Orphan(new: 7, count: 3, old: 105, reason: .exceptionLost),
        Orphan(new: 14, count: 1, old: nil, reason: .exceptionLost),
      ])
  }

  @Test func `where no exception is lost, chunks have leaked and nothing is`() throws {
    let found = try orphans([(100, 2, 5), (108, 10, 3)], isLost: false)
    #expect(found.lost == [])
    #expect(found.chunks.map(\.count) == [3] && found.chunks.map(\.reason) == [.leaked])
  }

  @Test(arguments: UInt64(1)...60)
  func `every chunk below the last is named or an orphan, and no area is`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let builder = StoreBuilder(chunkSectors: 1)
    let named = (0..<120).filter { _ in !random.oneIn(4) }
      .map { UInt64(builder.dataChunk($0)) }.shuffled(using: &random)
    let found = try orphans(
      named.enumerated().map { (old: UInt64($0.offset * 2), new: $0.element, count: 1) })
    let orphaned = found.chunks.flatMap { $0.new..<$0.new + $0.count }
    let all = (named + orphaned).sorted()
    let last = named.max() ?? 2
    #expect(all == (2...last).filter { $0 % 33 != 1 })
    #expect(orphaned == orphaned.sorted())
  }

  // MARK: - Behind the last

  private func tail(
    _ positions: Range<UInt64>, usedEnd: UInt64 = 0, used: [Int], unreadable: [Int] = []
  ) throws -> [Orphan] {
    let builder = StoreBuilder(chunkSectors: 1)
    var image = [UInt8](repeating: 0, count: 200 * 512)
    for chunk in used { image[chunk * 512 + 300] = 1 }
    let source = FaultySource(image, unreadable: unreadable.map(builder.bytes(ofChunk:)))
    let geometry = try #require(Self.geometry)
    let survey = try AreaSurvey(source, geometry, isExpected: true)
    var orphans = try orphans([])
    try orphans.addTail(positions, usedEnd: usedEnd, .endLost, survey)
    return orphans.chunks
  }

  @Test func `slots at the end had a chunk up to the last that has something in it`() throws {
    #expect(try tail(0..<10, used: [4, 5, 9]).map(\.new) == [2])
    #expect(try tail(0..<10, used: [4, 5, 9]).map(\.count) == [8])
    #expect(try tail(0..<10, used: [12, 199]) == [])
    #expect(try tail(3..<10, used: [2, 3, 4]) == [])
  }

  @Test func `slots that were in use had a chunk, whatever is in it`() throws {
    let found = try tail(0..<10, usedEnd: 3, used: [7])
    #expect(
      found == [
        Orphan(new: 2, count: 3, old: nil, reason: .exceptionLost),
        Orphan(new: 5, count: 3, old: nil, reason: .endLost),
      ])
  }

  @Test func `a chunk that cannot be read may have something in it`() throws {
    #expect(try tail(0..<10, used: [], unreadable: [7]).map(\.count) == [6])
  }

  @Test func `slots whose chunks lie past the end had none`() throws {
    #expect(try tail(180..<1 << 40, used: [188, 198]).map(\.new) == [187])
    #expect(try tail(1 << 40..<1 << 41, used: [198]) == [])
  }
}
