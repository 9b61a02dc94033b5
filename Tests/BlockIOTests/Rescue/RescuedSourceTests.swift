import BlockIO
import SystemPackage
import TestSupport
import Testing

/// A mapped source reads what the map says was read, and fails for every other byte.
@Suite struct RescuedSourceTests {
  /// 16 KiB of which 700..<2300 and the last 1000 bytes were not read.
  private static let map = "0 - 1\n0 700 +\n700 1600 -\n2300 13084 +\n"
  private let base = FaultySource(pattern(16_384), name: "copy.img")

  private func source() throws -> RescuedSource { RescuedSource(base, try BadSectorMap(Self.map)) }

  @Test func `bytes that were read come from the base`() throws {
    let source = try source()
    #expect(source.name == "copy.img")
    #expect(source.byteCount == 16_384)
    let known = source.knownUnreadable(in: 0..<source.byteCount)
    #expect(known.reduce(0) { $0 + $1.count } == 2600)
    #expect(try source.bytes(at: 0, count: 700) == pattern(700))
    #expect(try source.bytes(at: 2300, count: 13_084) == pattern(13_084, from: 2300))
    #expect(try source.bytes(at: 1000, count: 0) == [])
  }

  @Test(arguments: [
    (UInt64(0), 701, UInt64(700)..<701), (0, 16_384, 700..<2300), (699, 2, 700..<701),
    (700, 1, 700..<701), (1000, 512, 1000..<1512), (2299, 1, 2299..<2300),
    (2299, 10, 2299..<2300), (15_384, 1000, 15_384..<16_384), (15_000, 385, 15_384..<15_385),
  ])
  func `one byte that was not read fails the request`(
    start: UInt64, count: Int, unreadable: Range<UInt64>
  ) throws {
    let source = try source()
    for read in [source.read, source.readUncached] {
      let buffer = IOBuffer(byteCount: count)
      let error = try #require(throws: BlockIOError.self) { try read(start, buffer, 0..<count) }
      let bytes = start..<start + UInt64(count)
      #expect(error == BlockIOError("copy.img", .read, .markedUnreadable(unreadable), at: bytes))
      #expect(error.isUnreadableMedium)
    }
    #expect(base.reads.isEmpty)
  }

  @Test func `bounds are checked before the map, and failures of the base go through`() throws {
    let source = try source()
    let beyond = try #require(throws: BlockIOError.self) {
      try source.bytes(at: 16_000, count: 385)
    }
    #expect(beyond.reason == .beyondEnd(byteCount: 16_384))
    base.unreadable = [0..<1]
    let failure = try #require(throws: BlockIOError.self) { try source.bytes(at: 0, count: 100) }
    #expect(failure.reason == .system(.ioError))
  }

  @Test func `reading around costs the sectors that a marked range touches`() throws {
    let source = try source()
    let buffer = IOBuffer(byteCount: 16_384)
    #expect(
      try source.readAround(at: 0, into: buffer, 0..<16_384) == [512..<2560, 15_360..<16_384])
    var expected = pattern(16_384)
    for range in [512..<2560, 15_360..<16_384] {
      expected.put([UInt8](repeating: 0, count: range.count), at: range.lowerBound)
    }
    #expect(buffer.bytes(0..<16_384).firstDifference(from: expected) == nil)
    #expect(base.hasReadEachByteAtMostOnce)
  }

  @Test func `a request that is marked throughout is not taken apart`() throws {
    let base = FaultySource(byteCount: 1 << 30, pieces: [])
    let source = CountingSource(RescuedSource(base, try BadSectorMap("0 ? 1\n0 512 +\n")))
    let slice = try SliceSource(SliceSource(source, 100..<1 << 30), 412..<1 << 29)
    let buffer = IOBuffer(byteCount: 1 << 20)
    #expect(try slice.readAround(at: 0, into: buffer, 0..<1 << 20) == [0..<1 << 20])
    #expect(try slice.readAround(at: 7, into: buffer, 0..<1 << 20) == [7..<7 + 1 << 20])
    #expect(source.readCount == 2)
    #expect(base.reads.isEmpty)
  }

  @Test(arguments: 0..<100 as Range<UInt64>)
  func `reading around costs no other sector`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed ^ 0x5eed)
    let made = RandomMap(seed: seed)
    let byteCount = 1 + random.below(8000)
    let base = FaultySource(pattern(byteCount))
    let source = RescuedSource(base, try BadSectorMap(made.text))
    let start = random.below(byteCount)
    let count = random.below(byteCount - start) + 1
    let buffer = IOBuffer(byteCount: count)
    var lost: [Range<UInt64>] = []
    var expected = pattern(count, from: start)
    for sector in start / 512..<(start + count + 511) / 512 {
      let bytes = (sector * 512..<sector * 512 + 512).clamped(to: start..<start + count)
      if bytes.contains(where: made.isUnreadable) {
        lost.append(mergingInto: UInt64(bytes.lowerBound)..<UInt64(bytes.upperBound))
        expected.put([UInt8](repeating: 0, count: bytes.count), at: bytes.lowerBound - start)
      }
    }
    #expect(try source.readAround(at: UInt64(start), into: buffer, 0..<count) == lost)
    #expect(buffer.bytes(0..<count).firstDifference(from: expected) == nil)
    #expect(base.hasReadEachByteAtMostOnce)
  }

  @Test func `what was not read is data, though the copy has a hole there`() throws {
    let base = FaultySource(
      byteCount: 10_000,
      pieces: [(1000, pattern(1000)), (4000, pattern(1000)), (7000, pattern(1000))])
    let text = "0 - 1\n0 1500 +\n1500 1500 -\n3000 1200 +\n4200 100 /\n4300 4700 +\n9000 500 *\n"
    let source = RescuedSource(base, try BadSectorMap(text))
    #expect(
      try source.dataRanges()
        == [1000..<2000, 2000..<3000, 4000..<5000, 7000..<8000, 9000..<10_000])
    #expect(try source.nextData(from: 1600) == 1600..<3000)
    #expect(try source.nextData(from: 4250) == 4250..<4300)
    #expect(try source.nextData(from: 4300) == 4300..<5000)
    #expect(try source.nextData(from: 9999) == 9999..<10_000)
    #expect(try source.nextData(from: 10_000) == nil)
    #expect(try source.nextData(from: .max) == nil)
  }

  @Test(arguments: 0..<100 as Range<UInt64>)
  func `data is all that the base has or the map lacks`(seed: UInt64) throws {
    var random = SplitMix64(seed: seed ^ 0xda7a)
    let made = RandomMap(seed: seed)
    var pieces: [(byteOffset: UInt64, bytes: [UInt8])] = []
    var isData = [Bool](repeating: false, count: made.isReadable.count + 100)
    var end = 0
    while end + 300 < isData.count {
      let start = end + 1 + random.below(100)
      end = start + 1 + random.below(100)
      pieces.append((UInt64(start), pattern(end - start)))
      for byte in start..<end { isData[byte] = true }
    }
    let base = FaultySource(byteCount: UInt64(isData.count), pieces: pieces)
    let ranges = try RescuedSource(base, try BadSectorMap(made.text)).dataRanges()
    for byte in isData.indices where made.isUnreadable(byte) { isData[byte] = true }
    var found = [Bool](repeating: false, count: isData.count)
    for range in ranges {
      for byte in range {
        #expect(!found[Int(byte)], "twice")
        found[Int(byte)] = true
      }
    }
    #expect(found == isData, "seed \(seed)")
    #expect(ranges.map(\.lowerBound) == ranges.map(\.lowerBound).sorted())
  }
}

/// Another source, and how often it was asked.
private final class CountingSource: BlockSource, @unchecked Sendable {
  private let base: any BlockSource
  private(set) var readCount = 0

  init(_ base: any BlockSource) { self.base = base }

  var name: String { base.name }
  var byteCount: UInt64 { base.byteCount }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    readCount += 1
    try base.read(at: byteOffset, into: buffer, range)
  }
}
