import BlockIO
import SystemPackage
import TestSupport
import Testing

/// A slice is a source of its own: it begins at 0, ends at its end, and shows nothing around it.
@Suite struct SliceSourceTests {
  private let base = MemorySource(name: "disk.img", pattern(10_000))

  @Test func `a slice reads from its own beginning`() throws {
    let slice = try SliceSource(base, 1000..<3000)
    #expect(slice.byteCount == 2000)
    #expect(try slice.bytes(at: 0, count: 2000) == pattern(2000, from: 1000))
    #expect(try slice.bytes(at: 1999, count: 1) == pattern(1, from: 2999))
    #expect(slice.name.hasPrefix("disk.img,offset=1000"))
  }

  @Test(arguments: [(UInt64(2000), 1), (1999, 2), (0, 2001)])
  func `a slice ends at its end, though the base goes on`(start: UInt64, count: Int) throws {
    let slice = try SliceSource(base, 1000..<3000)
    for read in [slice.read, slice.readUncached] {
      let error = try #require(throws: BlockIOError.self) {
        try read(start, IOBuffer(byteCount: count), 0..<count)
      }
      #expect(error.reason == .beyondEnd(byteCount: 2000))
      #expect(error.name == slice.name)
    }
  }

  @Test func `a slice must lie in its base`() throws {
    let error = try #require(throws: BlockIOError.self) { _ = try SliceSource(base, 9000..<10_001) }
    #expect(
      error
        == BlockIOError("disk.img", .open, .beyondEnd(byteCount: 10_000), at: 9000..<10_001))
    #expect(try SliceSource(base, 10_000..<10_000).byteCount == 0)
  }

  @Test func `a slice of a slice adds up`() throws {
    let slice = try SliceSource(SliceSource(base, 1000..<3000), 500..<600)
    #expect(try slice.bytes(at: 0, count: 100) == pattern(100, from: 1500))
  }

  @Test func `holes are found at the slice's own offsets, and clipped to it`() throws {
    let base = FaultySource(
      byteCount: 100_000,
      pieces: [
        (0, pattern(1000)), (20_000, pattern(1000)), (29_500, pattern(1000)), (50_000, pattern(10)),
      ])
    #expect(
      try SliceSource(base, 500..<30_000).dataRanges()
        == [0..<500, 19_500..<20_500, 29_000..<29_500])
    #expect(try SliceSource(base, 30_500..<50_000).dataRanges().isEmpty)
  }

  @Test func `an unreadable sector costs a slice just that sector`() throws {
    let base = FaultySource(pattern(65_536), unreadable: [20_480..<20_481])
    let slice = try SliceSource(base, 4096..<61_440)
    let buffer = IOBuffer(byteCount: 57_344)
    #expect(try slice.readAround(at: 0, into: buffer, 0..<57_344) == [16_384..<16_896])
  }
}
