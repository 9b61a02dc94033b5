import BlockIO
import TestSupport
import Testing

/// A copy with gaps reads as the medium of which it was made, as far as it tells.
@Suite struct GapTests {
  private let copy = (0..<8192).map { UInt8(truncatingIfNeeded: $0 / 512 + 1) }

  @Test(arguments: ["4096:512", "0:1048576", "512-8192:4096", "1024:-512", "512-4096:-1024"])
  func `the text of a gap names it`(text: String) throws {
    #expect(try #require(Gap(text)).description == text)
  }

  @Test(arguments: [
    "", "4096", "4096:", ":512", "4096:0", "8-4:512", "512-513:-4", "-1:512", "1:2:3",
    "18446744073709551615:1", "9223372036854775807:-9223372036854775808",
  ])
  func `other text names none`(text: String) {
    #expect(Gap(text) == nil)
  }

  @Test func `missing bytes cannot be read, and what follows stands behind them`() throws {
    let gap = try #require(Gap("1024:512"))
    let source = try VolumeSource("copy,gap=1024:512", FaultySource(copy), with: [gap])
    #expect(source.byteCount == 8704)
    #expect(source.knownUnreadable(in: 0..<8704) == [1024..<1536])
    #expect([gap].unknownRanges == [1024..<1536])
    #expect(try source.nextData(from: 1024)?.lowerBound == 1024)
    let buffer = IOBuffer(byteCount: 2048)
    #expect(try source.readAround(at: 512, into: buffer, 0..<1536) == [1024..<1536])
    #expect(buffer.bytes(0..<1) == [2])
    #expect(buffer.bytes(1024..<1025) == [3])
  }

  @Test func `bytes too many are left out`() throws {
    let source = try VolumeSource("copy", FaultySource(copy), with: [#require(Gap("1024:-512"))])
    let buffer = IOBuffer(byteCount: 512)
    #expect(source.byteCount == 7680)
    try source.read(at: 1024, into: buffer, 0..<512)
    #expect(buffer.bytes(0..<1) == [4])
  }

  @Test func `of a place that is known roughly all is unreadable`() throws {
    let gaps = try [#require(Gap("4096-8192:-512")), #require(Gap("512-1024:512"))]
    let source = try VolumeSource("copy", FaultySource(copy), with: gaps)
    #expect(source.knownUnreadable(in: 0..<source.byteCount) == [512..<1536, 4608..<8192])
    #expect(try #require(gaps.inOrder).unknownRanges == [512..<1536, 4608..<8192])
  }

  @Test(arguments: [
    ["8192:512", "8000-8193:512"], ["0-4096:1", "512:1"], ["0:9223372036854775807"],
  ])
  func `gaps that cannot be are errors`(texts: [String]) {
    #expect(throws: BlockIOError.self) {
      try VolumeSource("copy", FaultySource(copy), with: texts.compactMap { Gap($0) })
    }
  }
}
