import BlockIO
@testable import SnapshotKit
import TestSupport
import Testing

/// Areas that were read are there for the next question, as far as they fit.
@Suite struct RememberedAreasTests {
  private let source: FaultySource
  private let areas: RememberedAreas
  private let bytes: [UInt8]

  init() {
    var random = SplitMix64(seed: 20_261_127)
    bytes = random.bytes(1 << 20)
    source = FaultySource(bytes)
    areas = RememberedAreas(source)
  }

  private func read(_ range: Range<Int>) throws -> [UInt8] {
    let buffer = IOBuffer(byteCount: range.count + 7)
    try areas.read(at: UInt64(range.lowerBound), into: buffer, 7..<7 + range.count)
    return buffer.bytes(7..<7 + range.count)
  }

  @Test func `what was read, or a part of it, is not read again`() throws {
    for range in [8192..<12_288, 4096..<8192, 8192..<12_288, 9000..<9512, 4096..<4097] {
      #expect(try read(range) == Array(bytes[range]))
    }
    #expect(source.reads == [8192..<12_288, 4096..<8192])
  }

  @Test func `a longer piece takes the place of those in it`() throws {
    for range in [512..<1024, 2048..<2560, 0..<4096, 512..<1024, 0..<4096] {
      #expect(try read(range) == Array(bytes[range]))
    }
    #expect(source.reads == [512..<1024, 2048..<2560, 0..<4096])
  }

  @Test func `across two pieces it is read`() throws {
    for range in [0..<4096, 4096..<8192, 2048..<6144, 0..<8192, 2048..<6144] {
      #expect(try read(range) == Array(bytes[range]))
    }
    #expect(source.reads == [0..<4096, 4096..<8192, 2048..<6144, 0..<8192])
  }

  @Test func `what could not be read is tried again`() throws {
    source.unreadable = [1024..<1536]
    #expect(throws: BlockIOError.self) { try read(0..<4096) }
    source.unreadable = []
    #expect(try read(0..<4096) == Array(bytes[0..<4096]))
    #expect(source.reads.count == 2)
  }

  @Test func `what is kept is not announced, and counts as cached`() throws {
    _ = try read(4096..<8192)
    for byteOffset in [0, 4096, 8191, 8192] as [UInt64] {
      areas.willRead(byteOffset..<byteOffset + 512)
      #expect(areas.hasCached(at: byteOffset) == (4096..<8192).contains(byteOffset))
    }
    #expect(source.announced == [0..<512, 8192..<8704])
  }

  @Test func `more than it keeps is read again`() throws {
    let source = FaultySource(byteCount: 1 << 30, pieces: [])
    let areas = RememberedAreas(source)
    let buffer = IOBuffer(byteCount: 1 << 20)
    for _ in 0..<2 {
      for index in 0..<10 as Range<UInt64> {
        try areas.read(at: index << 24, into: buffer, 0..<1 << 20)
      }
    }
    #expect(source.reads.count == 12)
  }
}
