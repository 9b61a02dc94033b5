import BlockIO
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Reading gives all bytes that were asked for or an error that says where; opening leaves no trace,
/// hangs on nothing, and lets only files and block devices through.
@Suite struct FileSourceTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func source(_ bytes: [UInt8]) throws -> FileSource {
    try FileSource(path: FilePath(directory.write(bytes, to: "file")))
  }

  // MARK: - Reading

  @Test(arguments: [(0, 10_000), (0, 1), (9999, 1), (511, 514), (4096, 4096), (10_000, 0)])
  func `a read gives the bytes that are there`(start: Int, count: Int) throws {
    let file = try source(pattern(10_000))
    #expect(file.byteCount == 10_000)
    #expect(try file.bytes(at: UInt64(start), count: count) == pattern(count, from: start))
  }

  @Test func `a read changes only the range of the buffer that it was given`() throws {
    let file = try source(pattern(4096))
    let buffer = IOBuffer([UInt8](repeating: 0xee, count: 100))
    try file.read(at: 1000, into: buffer, 10..<20)
    #expect(
      buffer.bytes(0..<100)
        == [UInt8](repeating: 0xee, count: 10) + pattern(10, from: 1000)
        + [UInt8](repeating: 0xee, count: 80))
  }

  @Test(arguments: [(10_000, 1), (9999, 2), (0, 10_001), (1 << 40, 512)])
  func `a read past the end says where the end is`(start: Int, count: Int) throws {
    let file = try source(pattern(10_000))
    let (start, end) = (UInt64(start), UInt64(start + count))
    let error = try #require(throws: BlockIOError.self) {
      _ = try file.bytes(at: start, count: count)
    }
    #expect(
      error == BlockIOError(file.name, .read, .beyondEnd(byteCount: 10_000), at: start..<end))
  }

  @Test(arguments: [UInt64.max, UInt64.max - 511, UInt64(1) << 63])
  func `a read at a wild place is an error and no trap`(byteOffset: UInt64) throws {
    let file = try source(pattern(10_000))
    let error = try #require(throws: BlockIOError.self) {
      _ = try file.bytes(at: byteOffset, count: 512)
    }
    #expect(error.reason == .beyondEnd(byteCount: 10_000))
  }

  @Test func `a file that is cut while it is read is an error`() throws {
    let file = try source(pattern(10_000))
    try Files.truncate(directory.path("file"), to: 6000)
    #expect(try file.bytes(at: 0, count: 6000) == pattern(6000))
    let error = try #require(throws: BlockIOError.self) {
      _ = try file.bytes(at: 4096, count: 4096)
    }
    #expect(error.reason == .changed("it now ends at byte 6000"))
  }

  @Test func `a file larger than memory is as long as it is`() throws {
    let path = try directory.write(
      sparse: 5 << 40, [(at: 5 << 40 - 4, bytes: [1, 2, 3, 4])], to: "huge")
    let file = try FileSource(path: FilePath(path))
    #expect(file.byteCount == 5 << 40)
    #expect(try file.bytes(at: 5 << 40 - 4, count: 4) == [1, 2, 3, 4])
  }

  @Test(arguments: [(0, 512), (512, 1024), (4096, 4096), (3, 7), (9728, 272), (1, 512)])
  func `reading past the cache gives the same bytes, aligned or not`(
    start: Int, count: Int
  ) throws {
    let file = try source(pattern(10_000))
    let buffer = IOBuffer(byteCount: count + 5)
    try file.readUncached(at: UInt64(start), into: buffer, 5..<count + 5)
    #expect(buffer.bytes(5..<count + 5) == pattern(count, from: start))
  }

  // MARK: - Holes

  @Test func `holes are skipped and data is found`() throws {
    let path = try directory.write(
      sparse: 16 << 20,
      [(at: 1 << 20, bytes: pattern(4096)), (at: 9 << 20, bytes: pattern(8192))], to: "sparse")
    let file = try FileSource(path: FilePath(path))
    let ranges = try file.dataRanges()
    // Where a file system keeps no holes there is one range; then this machine shows nothing.
    try #require(ranges.count > 1, "the file system of \(path) keeps no holes")
    let mebibyte: UInt64 = 1 << 20
    #expect(ranges == [mebibyte..<mebibyte + 4096, 9 * mebibyte..<9 * mebibyte + 8192])
    #expect(try file.nextData(from: mebibyte + 100) == mebibyte + 100..<mebibyte + 4096)
    #expect(try file.nextData(from: 9 * mebibyte + 8192) == nil)
  }

  @Test func `a file that is one hole has no data`() throws {
    let path = try directory.write(sparse: 1 << 20, [], to: "hole")
    #expect(try FileSource(path: FilePath(path)).dataRanges().isEmpty)
  }

  @Test(arguments: [UInt64(10_000), UInt64(10_001), UInt64.max])
  func `there is no data past the end`(byteOffset: UInt64) throws {
    #expect(try source(pattern(10_000)).nextData(from: byteOffset) == nil)
  }

  @Test func `data goes up to the end and not to the end of a block`() throws {
    #expect(try source(pattern(10_000)).dataRanges() == [0..<10_000])
    #expect(try source([]).dataRanges().isEmpty)
  }

  // MARK: - Opening

  /// Whether a read changes an access time where the tests have their files.
  private static let keepsAccessTimes: Bool = {
    guard let directory = try? TemporaryDirectory(),
      let path = try? directory.write(pattern(4096), to: "file")
    else { return false }
    Files.age(path)
    let before = try? FileState(path)
    _ = try? Data(contentsOf: URL(filePath: path))
    return withExtendedLifetime(directory) { (try? FileState(path)) != before }
  }()

  @Test(
    .enabled(
      if: keepsAccessTimes,
      "a read must change access times for this to show anything; the mount says noatime"))
  func `reading leaves the access time alone`() throws {
    let path = try directory.write(pattern(10_000), to: "file")
    Files.age(path)
    let before = try FileState(path)
    let file = try FileSource(path: FilePath(path))
    _ = try file.bytes(at: 0, count: 10_000)
    try file.readUncached(at: 0, into: IOBuffer(byteCount: 512), 0..<512)
    _ = try file.dataRanges()
    #expect(try FileState(path) == before)
  }

  @Test func `a missing file is what the system says`() throws {
    let error = try errorOfOpening(directory.path("missing"))
    #expect(
      error
        == BlockIOError(directory.path("missing"), .open, .system(.noSuchFileOrDirectory)))
  }

  @Test
  func `what is neither file nor block device is refused by its name, and nothing hangs`() throws {
    let fifo = directory.path("fifo")
    try #require(unsafe mkfifo(fifo, 0o600) == 0)
    #expect(try errorOfOpening(fifo).reason == .notAFileOrBlockDevice("a pipe"))
    #expect(try errorOfOpening(directory.path).reason == .notAFileOrBlockDevice("a directory"))
    #expect(
      try errorOfOpening("/dev/null").reason == .notAFileOrBlockDevice("a character device"))
    #expect(
      try errorOfOpening("/dev/zero").description
        == "/dev/zero: is a character device; a file or block device is required")
  }

  @Test func `two names of a file have one identity, two files have two`() throws {
    let path = try directory.write(pattern(512), to: "file")
    try FileManager.default.linkItem(atPath: path, toPath: directory.path("hard"))
    try FileManager.default.createSymbolicLink(
      atPath: directory.path("soft"), withDestinationPath: path)
    let other = try directory.copy(path, to: "other")
    let identities = try [path, directory.path("hard"), directory.path("soft"), other].map {
      try FileSource(path: FilePath($0)).identity
    }
    #expect(Set(identities[0...2]).count == 1)
    #expect(identities[3] != identities[0])
    #expect(!identities[0].isBlockDevice)
  }

  @Test func `a source keeps its bytes when its name is gone`() throws {
    let file = try source(pattern(4096))
    try FileManager.default.removeItem(atPath: directory.path("file"))
    #expect(try file.bytes(at: 0, count: 4096) == pattern(4096))
  }

  // MARK: - Block devices

  @Test(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
  func `a block device has the size that the system says, and reads like a file`() throws {
    let path = try directory.write(pattern(1 << 20), to: "disk")
    let loop = try LoopDevice(over: path)
    let device = try FileSource(path: FilePath(loop.path))
    #expect(device.byteCount == 1 << 20)
    #expect(device.identity.isBlockDevice)
    #expect(device.identity.deviceNumber.hasPrefix("7:"))
    #expect(device.logicalBlockByteCount == 512)
    #expect(try device.bytes(at: 700_001, count: 5000) == pattern(5000, from: 700_001))
    #expect(try device.dataRanges() == [0..<1 << 20])
    let error = try #require(throws: BlockIOError.self) {
      _ = try device.bytes(at: 1 << 20 - 1, count: 2)
    }
    #expect(error.reason == .beyondEnd(byteCount: 1 << 20))
  }

  @Test(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
  func `a sector of a device with large blocks can be read past the cache`() throws {
    let path = try directory.write(pattern(1 << 20), to: "disk")
    let loop = try LoopDevice(over: path, ["--sector-size", "4096"])
    let device = try FileSource(path: FilePath(loop.path))
    #expect(device.logicalBlockByteCount == 4096)
    let buffer = IOBuffer(byteCount: 512)
    try device.readUncached(at: 1536, into: buffer, 0..<512)
    #expect(buffer.bytes(0..<512) == pattern(512, from: 1536))
  }
}
