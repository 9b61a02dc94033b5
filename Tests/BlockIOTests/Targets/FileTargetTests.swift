import BlockIO
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// What is in use is not written, and the refusal says by whom; a target never becomes longer.
@Suite struct FileTargetTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func `a target is written where one says, and read back`() throws {
    let path = try directory.write(pattern(10_000), to: "origin")
    let target = try FileTarget(path: FilePath(path))
    #expect(target.byteCount == 10_000)
    try target.write([7, 8, 9], at: 5000)
    try target.flush()
    #expect(
      try target.bytes(at: 4999, count: 5) == pattern(1, from: 4999) + [7, 8, 9]
        + pattern(1, from: 5003))
    var expected = pattern(10_000)
    expected.put([7, 8, 9], at: 5000)
    #expect(try Files.bytes(path).firstDifference(from: expected) == nil)
  }

  @Test func `opening a target changes nothing`() throws {
    let path = try directory.write(pattern(10_000), to: "origin")
    Files.age(path)
    let before = try FileState(path)
    _ = try FileTarget(path: FilePath(path))
    #expect(try FileState(path) == before)
  }

  @Test(arguments: [(9999, 2), (10_000, 1), (0, 10_001), (Int(Int64.max), 1)])
  func `a write past the end is an error and makes nothing longer`(start: Int, count: Int) throws {
    let path = try directory.write(pattern(10_000), to: "origin")
    let target = try FileTarget(path: FilePath(path))
    let error = try #require(throws: BlockIOError.self) {
      try target.write([UInt8](repeating: 1, count: count), at: UInt64(start))
    }
    #expect(error.operation == .write)
    #expect(error.reason == .beyondEnd(byteCount: 10_000))
    #expect(try Files.bytes(path).firstDifference(from: pattern(10_000)) == nil)
  }

  @Test func `what is not there is not made`() throws {
    let error = try errorOfTargeting(directory.path("missing"))
    #expect(error.reason == .system(.noSuchFileOrDirectory))
    #expect(try directory.names().isEmpty)
  }

  @Test
  func `neither directory nor pipe nor terminal is a target`() throws {
    let fifo = directory.path("fifo")
    try #require(unsafe mkfifo(fifo, 0o600) == 0)
    #expect(try errorOfTargeting(fifo).reason == .notAFileOrBlockDevice("a pipe"))
    #expect(try errorOfTargeting(directory.path).reason == .notAFileOrBlockDevice("a directory"))
    #expect(
      try errorOfTargeting("/dev/null").reason == .notAFileOrBlockDevice("a character device"))
  }

  @Test func `a target is nobody else's target meanwhile`() throws {
    let path = try directory.write(pattern(512), to: "origin")
    let target = try FileTarget(path: FilePath(path))
    // A child that another test is about to start may have it open as well, and be named too.
    let error = try errorOfTargeting(path).description
    #expect(error.contains("is locked by ") && error.contains(ProcessWords.of(getpid())))
    withExtendedLifetime(target) {}
  }

  // MARK: - Making one

  @Test func `a new target has all its room from the beginning`() throws {
    let path = directory.path("undo")
    let target = try FileTarget(creating: FilePath(path), byteCount: 1 << 20)
    try target.reserve()
    #expect(target.byteCount == 1 << 20)
    var status = stat()
    try #require(unsafe stat(path, &status) == 0)
    #expect(status.st_blocks * 512 >= 1 << 20)
    #expect(try Files.bytes(path).allSatisfy { $0 == 0 })
  }

  @Test func `a target that is begun has no name before it is published`() throws {
    let path = directory.path("layer")
    try FileTarget(beginning: FilePath(path), byteCount: 512).flush()
    #expect(try directory.names().isEmpty)
    let target = try FileTarget(beginning: FilePath(path), byteCount: 1 << 20)
    try target.publish()
    #expect(try Files.bytes(path).count == 1 << 20)
    #expect(throws: BlockIOError.self) { try FileTarget(beginning: FilePath(path), byteCount: 512) }
  }

  @Test func `a new target replaces nothing`() throws {
    let path = try directory.write([1, 2, 3], to: "undo")
    let error = try #require(throws: BlockIOError.self) {
      _ = try FileTarget(creating: FilePath(path), byteCount: 512)
    }
    #expect(error.reason == .refused("exists, and is not overwritten"))
    #expect(try Files.bytes(path) == [1, 2, 3])
  }

  @Test(.enabled(if: Mount.isAvailable, Comment(rawValue: Mount.unavailable)))
  func `a new target without room is an error, and nothing is left`() throws {
    let mount = try Mount(["-t", "tmpfs", "-o", "size=64k", "none"], at: directory.path)
    let error = try #require(throws: BlockIOError.self) {
      let target = try FileTarget(creating: FilePath(directory.path("undo")), byteCount: 1 << 20)
      defer { target.discard() }
      try target.reserve()
    }
    #expect(error.reason == .system(.noSpace))
    #expect(try directory.names().isEmpty)
    withExtendedLifetime(mount) {}
  }

  @Test(.enabled(if: Mount.isAvailable, Comment(rawValue: Mount.unavailable)))
  func `a file on a read-only file system is refused`() throws {
    let mount = try Mount(["-t", "tmpfs", "-o", "size=64k", "none"], at: directory.path)
    let path = try directory.write(pattern(512), to: "origin")
    try ToolRunner(named: "mount")?.succeed(["-o", "remount,ro", directory.path])
    let reason = try errorOfTargeting(path).reason
    #expect(reason == .refused("cannot be written: Read-only file system"))
    withExtendedLifetime(mount) {}
  }
}

/// The same for block devices.
@Suite(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
struct FileTargetDeviceTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func `a block device that nobody uses is written`() throws {
    let path = try directory.write(pattern(1 << 20), to: "disk")
    let loop = try LoopDevice(over: path)
    let target = try FileTarget(path: FilePath(loop.path))
    #expect(target.byteCount == 1 << 20)
    try target.write(pattern(1000), at: 512)
    try target.flush()
    #expect(try target.bytes(at: 512, count: 1000) == pattern(1000))
    #expect(Array(try Files.bytes(path)[512..<1512]) == pattern(1000))
  }

  @Test func `a device that is set read-only is refused, and says what undoes it`() throws {
    let path = try directory.write(pattern(1 << 20), to: "disk")
    let loop = try LoopDevice(over: path, ["--read-only"])
    #expect(
      try errorOfTargeting(loop.path).description
        == "\(loop.path): is set read-only (blockdev --setrw undoes it)")
  }

  @Test func `a file under a loop device is refused by the device's name`() throws {
    let path = try directory.write(pattern(1 << 20), to: "disk")
    let loop = try LoopDevice(over: path)
    #expect(
      try errorOfTargeting(path).description == "\(path): is in use: attached to \(loop.path)")
  }

  @Test func `a device that another program holds is refused`() throws {
    let path = try directory.write(pattern(1 << 20), to: "disk")
    let loop = try LoopDevice(over: path)
    let holder = unsafe open(loop.path, O_RDONLY | O_EXCL | O_CLOEXEC)
    try #require(holder >= 0)
    // A child that another test is about to start may have it open as well, and be named.
    #expect(try errorOfTargeting(loop.path).description.hasPrefix("\(loop.path): is in use: "))
    close(holder)
    // Such a child holds it until its program begins.
    let isFreed = (0..<1000).contains { _ in
      if (try? FileTarget(path: FilePath(loop.path))) != nil { return true }
      usleep(10_000)
      return false
    }
    #expect(isFreed)
  }

  @Test(.enabled(if: Mount.isAvailable, Comment(rawValue: Mount.unavailable)))
  func `a mounted device is refused, and says where it is mounted`() throws {
    let path = try directory.write(sparse: 8 << 20, [], to: "disk")
    try #require(ToolRunner(named: "mkfs.ext4")).succeed(["-q", path])
    let before = try Files.sha256(path)
    let loop = try LoopDevice(over: path)
    try FileManager.default.createDirectory(
      atPath: directory.path("mnt"), withIntermediateDirectories: false)
    // Read-only, so that mounting by itself writes nothing.
    let mount = try Mount(["-o", "ro,noload", loop.path], at: directory.path("mnt"))
    #expect(
      try errorOfTargeting(loop.path).description
        == "\(loop.path): is in use: mounted at \(mount.path)")
    #expect(try Files.sha256(path) == before)
    withExtendedLifetime((loop, mount)) {}
  }
}
