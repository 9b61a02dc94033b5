import BlockIO
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// An output appears under its name when it is whole, never replaces anything, and leaves nothing
/// behind when it is given up.
@Suite struct OutputFileTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private var path: FilePath { FilePath(directory.path("new.img")) }

  @Test func `an output is whole when it gets its name`() throws {
    let output = try OutputFile(path: path, byteCount: 10_000)
    try output.write(pattern(1000), at: 4096)
    #expect(!Files.exist(path.string))
    try output.publish()
    #expect(try directory.names() == ["new.img"])
    var expected = [UInt8](repeating: 0, count: 10_000)
    expected.put(pattern(1000), at: 4096)
    #expect(try Files.bytes(path.string).firstDifference(from: expected) == nil)
  }

  @Test func `an output that is given up leaves nothing`() throws {
    func giveUp() throws {
      let output = try OutputFile(path: path, byteCount: 10_000)
      try output.write(pattern(1000), at: 0)
    }
    try giveUp()
    #expect(try directory.names().isEmpty)
  }

  @Test func `an output that is not written is a hole`() throws {
    let output = try OutputFile(path: path, byteCount: 64 << 20)
    try output.write(pattern(4096), at: 1 << 20)
    try output.publish()
    var status = stat()
    try #require(unsafe stat(path.string, &status) == 0)
    #expect(status.st_size == 64 << 20)
    #expect(status.st_blocks * 512 < 1 << 20)
  }

  @Test(arguments: ["file", "empty", "directory", "dangling link", "fifo"])
  func `nothing that is there is replaced`(kind: String) throws {
    switch kind {
    case "file": try directory.write([1, 2, 3], to: "new.img")
    case "empty": try directory.write([], to: "new.img")
    case "directory":
      try FileManager.default.createDirectory(
        atPath: path.string, withIntermediateDirectories: false)
    case "dangling link":
      try FileManager.default.createSymbolicLink(
        atPath: path.string, withDestinationPath: "nowhere")
    default: try #require(unsafe mkfifo(path.string, 0o600) == 0)
    }
    let error = try #require(throws: BlockIOError.self) {
      _ = try OutputFile(path: path, byteCount: 512)
    }
    #expect(
      error == BlockIOError(path.string, .create, .refused("exists, and is not overwritten")))
    #expect(try directory.names() == ["new.img"])
  }

  @Test func `what appears meanwhile is not replaced either`() throws {
    func publishLate() throws {
      let output = try OutputFile(path: path, byteCount: 512)
      try directory.write([1, 2, 3], to: "new.img")
      let error = try #require(throws: BlockIOError.self) { try output.publish() }
      #expect(error.reason == .refused("exists, and is not overwritten"))
    }
    try publishLate()
    #expect(try directory.names() == ["new.img"])
    #expect(try Files.bytes(path.string) == [1, 2, 3])
  }

  @Test func `a folder that is not there is what the system says`() throws {
    let path = FilePath(directory.path("missing/new.img"))
    let error = try #require(throws: BlockIOError.self) {
      _ = try OutputFile(path: path, byteCount: 512)
    }
    #expect(error == BlockIOError(path.string, .create, .system(.noSuchFileOrDirectory)))
  }

  @Test(arguments: [UInt64.max, UInt64(1) << 63])
  func `a length that no file has is an error that leaves nothing`(byteCount: UInt64) throws {
    let error = try #require(throws: BlockIOError.self) {
      _ = try OutputFile(path: path, byteCount: byteCount)
    }
    #expect(error.reason == .system(.fileTooLarge))
    #expect(try directory.names().isEmpty)
  }

  @Test func `a hole can be made again where there was data`() throws {
    let output = try OutputFile(path: path, byteCount: 1 << 20)
    try output.write(pattern(65_536), at: 0)
    try output.zero(4096..<8192)
    #expect(try output.bytes(at: 4096, count: 4096).allSatisfy { $0 == 0 })
    #expect(try output.bytes(at: 0, count: 4096) == pattern(4096))
    #expect(try output.bytes(at: 8192, count: 4096) == pattern(4096, from: 8192))
  }

  @Test func `a clone is the origin, or nothing has changed`() throws {
    let origin = try FileSource(path: FilePath(directory.write(pattern(65_536), to: "origin")))
    let output = try OutputFile(path: path, byteCount: 65_536)
    let expected =
      output.clone(from: origin) ? pattern(65_536) : [UInt8](repeating: 0, count: 65_536)
    #expect(try output.bytes(at: 0, count: 65_536) == expected)
  }

  @Test func `an origin of another length is not cloned`() throws {
    let origin = try FileSource(path: FilePath(directory.write(pattern(65_536), to: "origin")))
    #expect(try !OutputFile(path: path, byteCount: 65_537).clone(from: origin))
  }

  @Test func `the room that there is is what the system says`() throws {
    var status = statvfs()
    try #require(unsafe statvfs(directory.path, &status) == 0)
    let available = try OutputFile.availableByteCount(at: path)
    let expected = UInt64(status.f_bavail) * UInt64(status.f_frsize)
    // Others write to the same file system meanwhile.
    #expect(available > expected / 2 && available < expected * 2)
    #expect(try OutputFile.availableByteCount(at: "new.img") > 0)
  }

  @Test(.enabled(if: Mount.isAvailable, Comment(rawValue: Mount.unavailable)))
  func `a file system that is full is an error, and nothing is left`() throws {
    let mount = try Mount(["-t", "tmpfs", "-o", "size=64k", "none"], at: directory.path)
    func fill() throws {
      let output = try OutputFile(path: path, byteCount: 1 << 20)
      let error = try #require(throws: BlockIOError.self) {
        for offset in stride(from: UInt64(0), to: 1 << 20, by: 4096) {
          try output.write(pattern(4096), at: offset)
        }
      }
      #expect(error.reason == .system(.noSpace))
    }
    try fill()
    #expect(try directory.names().isEmpty)
    withExtendedLifetime(mount) {}
  }
}
