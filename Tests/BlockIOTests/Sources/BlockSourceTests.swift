import BlockIO
import SystemPackage
import TestSupport
import Testing

/// Reading around damage: every good sector comes through, every bad one is named and zero.
@Suite struct BlockSourceTests {
  /// What reading around gives, and the bytes in the buffer.
  private func readAround(
    _ source: FaultySource, at byteOffset: UInt64, count: Int
  ) throws -> (unreadable: [Range<UInt64>], bytes: [UInt8]) {
    let buffer = IOBuffer([UInt8](repeating: 0xee, count: count + 20))
    let unreadable = try source.readAround(at: byteOffset, into: buffer, 10..<count + 10)
    #expect(buffer.bytes(0..<10) == [UInt8](repeating: 0xee, count: 10))
    #expect(buffer.bytes(count + 10..<count + 20) == [UInt8](repeating: 0xee, count: 10))
    return (unreadable, buffer.bytes(10..<count + 10))
  }

  @Test func `nothing is lost where all can be read, and it is read once`() throws {
    let source = FaultySource(pattern(65_536))
    let (unreadable, bytes) = try readAround(source, at: 512, count: 60_000)
    #expect(unreadable.isEmpty)
    #expect(bytes == pattern(60_000, from: 512))
    #expect(source.reads == [512..<60_512])
  }

  @Test(arguments: [0, 1, 7, 8, 63, 127])
  func `one bad sector costs 512 bytes`(sector: Int) throws {
    let bad = UInt64(sector) * 512..<UInt64(sector + 1) * 512
    let source = FaultySource(
      pattern(65_536), unreadable: [bad.lowerBound + 100..<bad.lowerBound + 101])
    let (unreadable, bytes) = try readAround(source, at: 0, count: 65_536)
    #expect(unreadable == [bad])
    var expected = pattern(65_536)
    expected.put([UInt8](repeating: 0, count: 512), at: sector * 512)
    #expect(bytes.firstDifference(from: expected) == nil)
  }

  @Test func `bad sectors that touch are one range, others are not`() throws {
    let source = FaultySource(
      pattern(65_536), unreadable: [1024..<2048, 2048..<2560, 4096..<4097, 65_535..<65_536])
    let (unreadable, _) = try readAround(source, at: 0, count: 65_536)
    #expect(unreadable == [1024..<2560, 4096..<4608, 65_024..<65_536])
  }

  @Test func `sectors are the source's, also for a request that begins and ends within one`() throws
  {
    let source = FaultySource(pattern(65_536), unreadable: [1000..<1001, 3000..<3001])
    let (unreadable, bytes) = try readAround(source, at: 700, count: 2400)
    #expect(unreadable == [700..<1024, 2560..<3072])
    var expected = pattern(2400, from: 700)
    expected.put([UInt8](repeating: 0, count: 324), at: 0)
    expected.put([UInt8](repeating: 0, count: 512), at: 1860)
    #expect(bytes.firstDifference(from: expected) == nil)
  }

  @Test func `a bad sector among many is found with few reads`() throws {
    let source = FaultySource(pattern(1 << 20), unreadable: [777_777..<777_778])
    _ = try readAround(source, at: 0, count: 1 << 20)
    // Two halves a level, and 2^11 sectors.
    #expect(source.reads.count <= 1 + 2 * 11)
  }

  @Test func `a source that is all bad is one range`() throws {
    let source = FaultySource(pattern(32_768), unreadable: [0..<32_768])
    let (unreadable, bytes) = try readAround(source, at: 0, count: 32_768)
    #expect(unreadable == [0..<32_768])
    #expect(bytes.allSatisfy { $0 == 0 })
  }

  @Test(arguments: [Errno.ioError, .noData, Errno(rawValue: 121), .illegalByteSequence])
  func `every way in which a medium fails is read around`(errno: Errno) throws {
    let source = FaultySource(pattern(8192), unreadable: [0..<1])
    source.failure = .system(errno)
    #expect(try readAround(source, at: 0, count: 8192).unreadable == [0..<512])
  }

  @Test(arguments: [Errno.permissionDenied, .noMemory, .badFileDescriptor])
  func `what is no damage of the medium is an error`(errno: Errno) throws {
    let source = FaultySource(pattern(8192), unreadable: [0..<1])
    source.failure = .system(errno)
    let error = try #require(throws: BlockIOError.self) {
      _ = try readAround(source, at: 0, count: 8192)
    }
    #expect(error.reason == .system(errno))
  }

  @Test func `what lies past the end is unreadable, and no trap`() throws {
    let source = FaultySource(pattern(4096))
    let buffer = IOBuffer([UInt8](repeating: 0xee, count: 4096))
    #expect(try source.readAround(at: 2048, into: buffer, 0..<4096) == [4096..<6144])
    #expect(buffer.bytes(0..<2048) == pattern(2048, from: 2048))
    #expect(buffer.isZero(2048..<4096))
    #expect(
      try source.readAround(at: .max - 1000, into: buffer, 0..<4096) == [.max - 1000 ..< .max])
  }

  @Test(arguments: [(UInt64(0), 0), (0, 100), (50, 50), (100, 0)])
  func `bounds that lie in the source are given back`(start: UInt64, count: Int) throws {
    let source = MemorySource(pattern(100))
    #expect(try source.checkBounds(at: start, count: count) == start..<start + UInt64(count))
  }

  @Test(arguments: [(UInt64(0), 101), (100, 1), (101, 0), (UInt64.max, 1), (UInt64.max, 0)])
  func `bounds that do not are an error`(start: UInt64, count: Int) throws {
    let source = MemorySource(name: "memory", pattern(100))
    let error = try #require(throws: BlockIOError.self) {
      _ = try source.checkBounds(at: start, count: count)
    }
    #expect(error.reason == .beyondEnd(byteCount: 100))
    #expect(error.operation == .read)
  }

  @Test func `a source that knows no holes is data all over`() throws {
    let source = MemorySource(pattern(100))
    #expect(try source.dataRanges() == [0..<100])
    #expect(try source.nextData(from: 40) == 40..<100)
    #expect(try source.nextData(from: 100) == nil)
  }
}
