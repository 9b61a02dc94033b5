import BlockIO
import SystemPackage
import TestSupport
import Testing

/// Past the cache are the same bytes as in it, from any place and of any length.
@Suite struct UncachedSourceTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func target(_ bytes: [UInt8]) throws -> FileTarget {
    try FileTarget(path: FilePath(directory.write(bytes, to: "target.img")))
  }

  /// Past the cache, or the test is not run: some file systems cannot.
  private func uncached(_ target: any BlockTarget) throws -> UncachedSource {
    guard let source = UncachedSource(target) else {
      try Test.cancel("a file system that reads past the cache is needed")
    }
    return source
  }

  @Test(arguments: [1, 511, 512, 4095, 4096, 4097, 20_000])
  func `any part reads as it is, up to the end`(byteCount: Int) throws {
    let bytes = pattern(byteCount)
    let target = try target(bytes)
    let source = try uncached(target)
    #expect(source.byteCount == UInt64(byteCount) && source.name == target.name)
    #expect(try source.allBytes() == bytes)
    var random = SplitMix64(seed: UInt64(byteCount))
    for _ in 0..<50 {
      let start = random.below(byteCount)
      let count = random.below(byteCount - start + 1)
      let found = try source.bytes(at: UInt64(start), count: count)
      #expect(found == Array(bytes[start..<start + count]))
    }
  }

  @Test func `what was written and not flushed is read as well`() throws {
    let target = try target(pattern(20_000))
    let source = try uncached(target)
    try target.write([9, 8, 7], at: 5000)
    #expect(
      try source.bytes(at: 4999, count: 5) == [pattern(1, from: 4999)[0], 9, 8, 7]
        + pattern(1, from: 5003))
  }

  @Test func `a read behind the end is an error`() throws {
    let source = try uncached(try target(pattern(5000)))
    #expect(throws: BlockIOError.self) { try source.bytes(at: 4999, count: 2) }
    #expect(throws: BlockIOError.self) { try source.bytes(at: .max, count: 2) }
  }

  @Test func `a file that was cut since is an error, and no zeroes`() throws {
    let source = try uncached(try target(pattern(20_000)))
    try Files.truncate(directory.path("target.img"), to: 5000)
    let error = #expect(throws: BlockIOError.self) { try source.bytes(at: 4000, count: 9000) }
    #expect(error?.reason == .changed("it now ends at byte 5000"), "\(String(describing: error))")
  }

  @Test func `an empty file has nothing to read`() throws {
    #expect(try uncached(try target([])).allBytes() == [])
  }

  @Test func `what is no file has nothing past a cache`() {
    #expect(UncachedSource(VolatileTarget(pattern(4096))) == nil)
  }

  @Test(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
  func `a device is read to its last sector`() throws {
    let bytes = pattern(9 * 512)
    let loop = try LoopDevice(over: directory.write(bytes, to: "disk.img"))
    let target = try FileTarget(path: FilePath(loop.path))
    #expect(try uncached(target).allBytes() == bytes)
    withExtendedLifetime(loop) {}
  }
}
