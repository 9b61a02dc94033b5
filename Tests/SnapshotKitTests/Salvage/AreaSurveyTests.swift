import BlockIO
import SnapshotFormat
@testable import SnapshotKit
import SystemPackage
import TestSupport
import Testing

/// Every area is looked at once, whatever stands before it, and filed where it belongs.
@Suite struct AreaSurveyTests {
  private func survey(
    _ source: any BlockSource, chunkSectors: UInt32 = 1, isExpected: Bool = true,
    reach: AreaSurvey.Reach = .whole
  ) throws -> AreaSurvey {
    let size = try ChunkSize(sectorCount: chunkSectors)
    return try AreaSurvey(
      source, StoreGeometry(chunkSize: size, byteCount: source.byteCount), isExpected: isExpected,
      reach: reach)
  }

  private static let five = StoreBuilder(chunkSectors: 1).copying((0..<140).reversed())

  private func areas(_ survey: AreaSurvey) -> [ClosedRange<UInt64>] { survey.segments.map(\.areas) }

  @Test(arguments: [0, 1, 31, 32, 33, 64, 140])
  func `a table is one segment`(count: Int) throws {
    let builder = StoreBuilder(chunkSectors: 1).copying((0..<count).reversed())
    let survey = try survey(FaultySource(builder.image()))
    if count == 0 {
      #expect(survey.segments.isEmpty && survey.lostAreas.isEmpty)
      return
    }
    let segment = try #require(survey.segments.first)
    #expect(survey.segments.count == 1)
    #expect(segment.areas == 0...UInt64((count - 1) / 32))
    #expect(segment.exceptionCount == UInt64(count))
    #expect(segment.tail == (count % 32 == 0 ? .full : .ended))
    #expect(segment.nextFree == UInt64(builder.dataChunk(count - 1)) + 1)
    #expect(segment.oldBounds == 0...UInt64(count - 1))
    #expect(segment.lastPosition == UInt64(count - 1) && segment.usedEnd == UInt64(count))
    #expect(segment.damages.isEmpty && segment.dropped.isEmpty && segment.passedOverCount == 0)
    #expect(segment.isOrdered && segment.firstShift == 0 && segment.lastShift == 0)
  }

  @Test func `zeroes end a segment and are nothing else`() throws {
    let survey = try survey(FaultySource(Self.five.image(.zeroChunk(Self.five.chunk(ofArea: 2)))))
    #expect(areas(survey) == [0...1, 3...4])
    #expect(survey.segments.map(\.tail) == [.full, .ended])
    #expect(survey.lostAreas.isEmpty)
    #expect(survey.areaCount == 5)
  }

  @Test func `foreign and unreadable areas are told apart, neighbours are one`() throws {
    let image = Self.five.image(
      .randomChunk(Self.five.chunk(ofArea: 1), seed: 1),
      .randomChunk(Self.five.chunk(ofArea: 2), seed: 2))
    let bad = Self.five.bytes(ofChunk: Self.five.chunk(ofArea: 3))
    let survey = try survey(FaultySource(image, unreadable: [bad]))
    #expect(areas(survey) == [0...0, 4...4])
    #expect(survey.lostAreas.map(\.areas) == [1..<3, 3..<4])
    #expect(survey.lostAreas.map(\.content) == [.foreign, .unreadable])
    #expect(survey.unreadable == [bad])
  }

  @Test(arguments: [8, 16])
  func `a bad sector costs the slots in it`(chunkSectors: Int) throws {
    let builder = StoreBuilder(chunkSectors: chunkSectors)
    let count = builder.exceptionsPerArea + 10
    let image = builder.copying(0..<count).image()
    let start = UInt64(builder.byteOffset(slot: 64))  // its third sector
    let survey = try survey(
      FaultySource(image, unreadable: [start..<start + 1]), chunkSectors: UInt32(chunkSectors))
    let segment = try #require(survey.segments.first)
    #expect(areas(survey) == [0...1])
    #expect(segment.exceptionCount == UInt64(count - 32))
    #expect(segment.damages.map(\.lostSlotCount) == [32])
    #expect(segment.damages.map(\.isUnreadable) == [true])
    #expect(survey.unreadable == [start..<start + 512])
  }

  @Test func `an exception that is not believed between two that are is remembered`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying(0..<20)
    let image = builder.image(
      .exception(slot: 7, old: 7, new: 400), .exception(slot: 12, old: 12, new: 0),
      .exception(slot: 13, old: 13, new: 1))
    let segment = try #require(try survey(FaultySource(image)).segments.first)
    #expect(segment.exceptionCount == 17)
    #expect(segment.passedOverCount == 3)
    #expect(segment.dropped.map(\.slot) == [7])
    #expect(segment.dropped.map(\.exception) == [DiskException(oldChunk: 7, newChunk: 400)])
    #expect(segment.damages.map(\.lostSlotCount) == [3])
  }

  @Test func `an area that repeats the old chunks before it is another table's`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying(Array(0..<32) + Array(0..<32))
    #expect(areas(try survey(FaultySource(builder.image()))) == [0...0, 1...1])
    let few = StoreBuilder(chunkSectors: 1).copying(Array(0..<32) + [1, 2, 3] + Array(40..<69))
    #expect(areas(try survey(FaultySource(few.image()))) == [0...1])
  }

  @Test func `an area that the one behind it contradicts is lost, a longer table is not`() throws {
    var builder = StoreBuilder(chunkSectors: 1).copying(0..<64)
    for index in 0..<32 { builder.exceptions[index].new += index < 27 ? 5 : 6 }
    let one = try survey(FaultySource(builder.image()))
    #expect(areas(one) == [1...1] && one.lostAreas.map(\.areas) == [0..<1])
    var longer = StoreBuilder(chunkSectors: 1).copying(0..<128)
    for index in 0..<96 {
      longer.exceptions[index].new = UInt64(longer.dataChunk(index + 7 + index / 32))
    }
    let two = try survey(FaultySource(longer.image()))
    #expect(areas(two) == [0...2, 3...3] && two.lostAreas.isEmpty)
  }

  @Test func `an area that the store's end cuts counts as far as it goes`() throws {
    let builder = StoreBuilder(chunkSectors: 8).copying(0..<300)
    let cut = builder.chunk(ofArea: 1) * 4096 + 512
    let survey = try survey(
      FaultySource(builder.image(.cut(byteCount: cut))), chunkSectors: 8)
    #expect(survey.areaCount == 2)
    #expect(survey.segments.first?.exceptionCount == 288)
    #expect(survey.segments.first?.tail == .unknown)
  }

  @Test func `a store without room for an area has none`() throws {
    for byteCount in [0, 1, 511, 512, 513, 1023] {
      let survey = try survey(FaultySource([UInt8](repeating: 7, count: byteCount)))
      #expect(survey.areaCount == 0)
      #expect(survey.segments.isEmpty && survey.lostAreas.isEmpty)
    }
  }

  // MARK: - How far, and how often

  @Test func `each area is read once, and nothing else is`() throws {
    let source = FaultySource(Self.five.image())
    _ = try survey(source)
    #expect(source.hasReadEachByteAtMostOnce)
    #expect(source.reads == (0..<5).map { Self.five.bytes(ofChunk: Self.five.chunk(ofArea: $0)) })
  }

  @Test func `a near survey stops behind so many areas without exceptions`() throws {
    let builder = StoreBuilder(chunkSectors: 1).copying(0..<320)
    let image = builder.image(
      .zeroChunk(builder.chunk(ofArea: 3)), .randomChunk(builder.chunk(ofArea: 4), seed: 3))
    #expect(areas(try survey(FaultySource(image))) == [0...2, 5...9])
    #expect(areas(try survey(FaultySource(image), reach: .near(3))) == [0...2, 5...9])
    #expect(areas(try survey(FaultySource(image), reach: .near(2))) == [0...2])
  }

  @Test func `holes are passed over, and what lies behind them is found`() throws {
    let size = try ChunkSize(sectorCount: 8)
    let far = UInt64(1) << 31  // 2 Gi areas' worth of hole would take days to read
    let geometry = StoreGeometry(chunkSize: size, byteCount: 1 << 52)
    let segment = (UInt64(0)..<8).flatMap {
      $0.littleEndianBytes + (far * 257 + 2 + $0).littleEndianBytes
    }
    let offset = try #require(geometry.byteOffset(of: AreaIndex(far)))
    // Data that begins in the middle of an area, in a data chunk and behind all of them.
    for start in [offset - 1, offset] {
      let bytes = [UInt8](repeating: 0, count: Int(offset - start)) + segment
      let source = FaultySource(byteCount: 1 << 52, pieces: [(start, bytes), (1 << 50, [1])])
      let survey = try survey(source, chunkSectors: 8)
      #expect(areas(survey) == [far...far])
      #expect(survey.segments.first?.exceptionCount == 8)
      #expect(source.reads.count < 10)
    }
  }

  @Test func `an area larger than the buffer comes in pieces, all of them`() throws {
    let size = try ChunkSize(sectorCount: 4096)  // 2 MiB: 131072 slots
    for count in [65535, 65536, 65537, 131072] {
      let area = (0..<UInt64(count)).flatMap {
        ($0 * 2).littleEndianBytes + ($0 + 2).littleEndianBytes
      }
      let source = FaultySource(
        byteCount: size.byteCount * 2, pieces: [(size.byteCount, area)])
      let survey = try survey(source, chunkSectors: 4096)
      #expect(survey.segments.map(\.exceptionCount) == [UInt64(count)])
      #expect(survey.segments.first?.tail == (count == 131072 ? .full : .ended))
      #expect(survey.segments.first?.damages.isEmpty == true)
      #expect(source.hasReadEachByteAtMostOnce)
    }
  }

  @Test func `a chunk is used if any of its bytes is, or cannot be read`() throws {
    let size = try ChunkSize(sectorCount: 4096)
    let end = size.byteCount * 6 + 512
    let source = FaultySource(
      byteCount: end,
      pieces: [
        (size.byteCount * 3 - 1, [1]), (size.byteCount * 5, [UInt8](repeating: 0, count: 9)),
      ],
    )
    source.unreadable = [size.byteCount * 5 + 1..<size.byteCount * 5 + 2]
    let survey = try survey(source, chunkSectors: 4096)
    let used = try (0..<8).filter { try survey.used.contains(Chunk($0)) }
    #expect(used == [2, 5])
    #expect(try !survey.used.contains(Chunk(.max)))
  }

  @Test func `a device that fails in another way than media do is an error`() {
    let source = FaultySource(Self.five.image(), unreadable: [0..<100_000])
    source.failure = .system(.permissionDenied)
    #expect(throws: BlockIOError.self) { try survey(source) }
  }
}
