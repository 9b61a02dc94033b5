import BlockIO
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// A file that somebody shortens, lengthens, writes or punches while it is read is an error: never
/// zeroes, never a bad sector, never a trap.
@Suite struct ChangedFileTests {
  let directory: TemporaryDirectory
  private let mebibyte: UInt64 = 1 << 20

  init() throws { directory = try TemporaryDirectory() }

  /// A file with data at its beginning and in its middle, last written long ago, and its source.
  private func sparse() throws -> (path: String, source: FileSource) {
    let path = try directory.write(
      sparse: 16 << 20, [(at: 0, bytes: pattern(8192)), (at: 8 << 20, bytes: pattern(8192))],
      to: "sparse")
    Files.age(path)
    return (path, try FileSource(path: FilePath(path)))
  }

  /// The error that a call ends with, which must be that the file was changed, and no bad sector.
  private func expectChanged(
    _ location: SourceLocation = #_sourceLocation, _ body: () throws -> Void
  ) throws {
    let error = try #require(
      throws: BlockIOError.self, sourceLocation: location, performing: body)
    guard case .changed = error.reason else {
      Issue.record("\(error)", sourceLocation: location)
      return
    }
    #expect(!error.isUnreadableMedium, sourceLocation: location)
    #expect(
      error.description.contains("changed while it was read"), sourceLocation: location)
  }

  // MARK: - What shows at once

  @Test(arguments: [0, 100, 1 << 20, 9 << 20])
  func `where a shortened file ends now, there is no hole`(byteCount: UInt64) throws {
    let (path, source) = try sparse()
    try Files.truncate(path, to: byteCount)
    for byteOffset in [0, mebibyte, 8 * mebibyte, 15 * mebibyte] {
      try expectChanged { _ = try source.nextData(from: byteOffset) }
    }
  }

  @Test func `data behind the old end of a lengthened file is an error and no trap`() throws {
    let (path, source) = try sparse()
    try Files.truncate(path, to: 32 << 20)
    try Files.overwrite(path, at: 20 << 20, pattern(4096))
    try expectChanged { _ = try source.nextData(from: 9 * mebibyte) }
    try expectChanged { _ = try source.nextData(from: 0) }
  }

  @Test func `a lengthened file is an error where it is a hole as well`() throws {
    let (path, source) = try sparse()
    try Files.truncate(path, to: 17 << 20)
    try expectChanged { _ = try source.nextData(from: 9 * mebibyte) }
    try expectChanged { try source.checkUnchanged() }
  }

  @Test func `what was cut off is no bad sector to be read around`() throws {
    let (path, source) = try sparse()
    try Files.truncate(path, to: 4096)
    let buffer = IOBuffer(byteCount: 8192)
    try expectChanged { _ = try source.readAround(at: 0, into: buffer, 0..<8192) }
    try expectChanged { try source.readUncached(at: 4096, into: buffer, 0..<4096) }
  }

  @Test func `a part, a mapped file and a volume of a changed file fail like it`() throws {
    let (path, file) = try sparse()
    let map = try BadSectorMap(parsing: Array("0 + 1\n0 0x1000000 +\n".utf8).span)
    let sources: [any BlockSource] = [
      try SliceSource(file, mebibyte..<16 * mebibyte), RescuedSource(file, map),
      VolumeSource(
        "volume",
        VolumeMap([
          VolumeMap.Segment(0..<8 * mebibyte, .place(.device(0, byteOffset: 4 * mebibyte)))
        ]), of: [file]),
    ]
    try Files.truncate(path, to: 5 << 20)
    let buffer = IOBuffer(byteCount: 4096)
    for source in sources {
      try expectChanged { _ = try source.nextData(from: 2 * mebibyte) }
      try expectChanged {
        _ = try source.readAround(at: 7 * mebibyte, into: buffer, 0..<4096)
      }
      try expectChanged { try source.checkUnchanged() }
    }
  }

  // MARK: - What shows at the end

  @Test func `a file that nobody touches is unchanged, however it is read`() throws {
    let (path, source) = try sparse()
    _ = try source.dataRanges()
    _ = try source.bytes(at: 0, count: 8192)
    _ = try FileSource(path: FilePath(path)).bytes(at: 0, count: 1)
    try source.checkUnchanged()
  }

  @Test func `a hole that is filled is found at the end`() throws {
    let (path, source) = try sparse()
    _ = try source.dataRanges()
    try Files.overwrite(path, at: 4 << 20, pattern(100))
    try expectChanged { try source.checkUnchanged() }
  }

  @Test func `data that becomes a hole is found at the end`() throws {
    let (path, source) = try sparse()
    guard try source.dataRanges().count > 1, let fallocate = ToolRunner(named: "fallocate") else {
      return
    }
    try fallocate.succeed(["--punch-hole", "--offset", "8388608", "--length", "8192", path])
    try expectChanged { try source.checkUnchanged() }
  }

  @Test func `what we write ourselves is no change`() throws {
    let (path, _) = try sparse()
    let target = try FileTarget(path: FilePath(path))
    try target.write(pattern(512), at: 4096)
    try target.checkUnchanged()
    try Files.truncate(path, to: 1 << 20)
    try expectChanged { try target.checkUnchanged() }
  }

  @Test(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
  func `a device that becomes longer is an error`() throws {
    let path = try directory.write(pattern(1 << 20), to: "disk")
    let loop = try LoopDevice(over: path)
    let device = try FileSource(path: FilePath(loop.path))
    try device.checkUnchanged()
    try Files.truncate(path, to: 2 << 20)
    try #require(ToolRunner(named: "losetup")).succeed(["--set-capacity", loop.path])
    try expectChanged { try device.checkUnchanged() }
  }

  // MARK: - File systems that are wrong about holes

  @Test func `a source that asks for no holes has none`() throws {
    let (path, _) = try sparse()
    let source = try FileSource(path: FilePath(path), asksForHoles: false)
    #expect(try source.dataRanges() == [0..<16 << 20])
    #expect(try source.nextData(from: 5 << 20) == 5 << 20..<16 << 20)
    #expect(try source.nextData(from: 16 << 20) == nil)
  }
}
