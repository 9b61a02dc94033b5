@testable import BlockIO
import Foundation
import SystemPackage
import TestSupport
import Testing

/// Processes that have a file open, locked or mounted are named, each once.
@Suite struct ProcessUseTests {
  let directory: TemporaryDirectory
  let path: String

  init() throws {
    directory = try TemporaryDirectory()
    path = try directory.write(pattern(512), to: "file")
  }

  private func identity() throws -> FileIdentity { try FileSource(path: FilePath(path)).identity }

  /// A process that has a file open as its standard output, and perhaps as its standard error.
  private func opener(
    _ path: String, errors: ToolRunner.Stream = .path("/dev/null")
  ) throws -> RunningTool {
    let sleep = try #require(ToolRunner(named: "sleep"))
    return try sleep.start(["100"], output: .path(path), errors: errors)
  }

  @Test func `a process is an opener under any name of the file, and once`() throws {
    let link = directory.path("link")
    try FileManager.default.linkItem(atPath: path, toPath: link)
    let other = try directory.write(pattern(512), to: "other")
    let both = try opener(link, errors: .path(path))
    let stranger = try opener(other)
    // A process of another test may be about to begin, with copies of our descriptors.
    let openers = try ProcessUse.openers(of: identity())
    #expect(openers.filter { $0 == "process \(both.process) (sleep)" }.count == 1)
    #expect(!openers.contains("process \(stranger.process) (sleep)"))
  }

  @Test func `this process is never an opener, but a locker of its own target`() throws {
    let file = try FileSource(path: FilePath(path))
    let target = try FileTarget(path: FilePath(path))
    let own = "process \(getpid()) ("
    let lockers = ProcessUse.lockers(of: file.descriptor.rawValue, file.identity)
    #expect(lockers.contains { $0.hasPrefix(own) })
    #expect(!ProcessUse.openers(of: file.identity).contains { $0.hasPrefix(own) })
    withExtendedLifetime(target) {}
  }

  @Test func `openers are in the order of their numbers`() throws {
    let tools = try (0..<5).map { _ in try opener(path) }
    let openers = try ProcessUse.openers(of: identity())
    let expected = tools.map(\.process).sorted().map { "process \($0) (sleep)" }
    #expect(openers.filter(expected.contains) == expected)
  }

  @Test(
    .enabled(if: Holder.isAvailable, Comment(rawValue: Holder.unavailable)),
    arguments: [Holder.Kind.flock, .posix, .ofd, .ofdByte])
  func `a process with a lock is a locker, one that has the file open is not`(
    kind: Holder.Kind
  ) throws {
    let file = try FileSource(path: FilePath(path))
    let opener = try opener(path)
    #expect(ProcessUse.lockers(of: file.descriptor.rawValue, file.identity) == [])
    let holder = try Holder(kind, of: path)
    #expect(ProcessUse.lockers(of: file.descriptor.rawValue, file.identity) == [holder.words])
    withExtendedLifetime(opener) {}
  }

  /// As for an ordinary user, who does not see the descriptors of others.
  @Test(
    .enabled(if: Holder.isAvailable, Comment(rawValue: Holder.unavailable)),
    arguments: [(Holder.Kind.flock, true), (.posix, true), (.ofd, false)])
  func `the system's list names a locker whose descriptors are not seen, except for OFD locks`(
    kind: Holder.Kind, isNamed: Bool
  ) throws {
    // Memory has the same device number for stat() and in the list, unlike some file systems.
    let file = try MemoryFile(name: "file", byteCount: 512)
    let number = file.source.descriptor.rawValue
    let unseen = FileIdentity(device: .max, inode: .max)
    #expect(ProcessUse.lockers(of: number, unseen) == [])
    let holder = try Holder(kind, of: "/proc/\(getpid())/fd/\(number)")
    #expect(ProcessUse.lockers(of: number, unseen) == (isNamed ? [holder.words] : []))
    #expect(ProcessUse.lockers(of: -1, unseen) == [])
    withExtendedLifetime(holder) {}
  }

  @Test(
    .enabled(if: Holder.isAvailable, Comment(rawValue: Holder.unavailable)),
    arguments: [
      ("7829202879", " (x) (y)"), ("610a62", " (a)"), ("00", ""), ("ff20", " (\u{fffd} )"),
    ])
  func `whatever a process calls itself is one line of its name`(
    hexadecimal: String, words: String
  ) throws {
    let sign = directory.path("sign")
    let script = """
      import os, sys, time
      os.write(os.open("/proc/self/comm", os.O_WRONLY), bytes.fromhex(sys.argv[1]))
      open(sys.argv[2], "w").close()
      time.sleep(100)
      """
    let tool = try #require(ToolRunner(named: "python3")).start(
      ["-c", script, hexadecimal, sign], output: .path(path))
    while tool.isRunning, !Files.exist(sign) { usleep(1000) }
    #expect(try ProcessUse.openers(of: identity()).contains("process \(tool.process)\(words)"))
  }

  @Test(
    .enabled(if: Mount.isAvailable, Comment(rawValue: Mount.unavailable)),
    .enabled(if: ToolRunner(named: "unshare") != nil, "unshare is needed"))
  func `a mount in a namespace of several processes is told once`() throws {
    let (place, sign) = (directory.path("a place"), directory.path("sign"))
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
    let script = """
      mount -t tmpfs none "$0" && mountpoint -d "$0" >"$1.new" && mv "$1.new" "$1" &&
        { sleep 100 & sleep 100; }
      """
    let tool = try #require(ToolRunner(named: "unshare")).start(
      ["--mount", "sh", "-c", script, place, sign])
    while tool.isRunning, !Files.exist(sign) { usleep(1000) }
    let number = String(decoding: try Files.bytes(sign).dropLast(), as: UTF8.self)
    let device = try #require(FileIdentity(deviceNumber: number[...]))
    let mounts = ProcessUse.foreignMounts(of: device)
    #expect(mounts.count == 1)
    #expect(mounts.first?.hasPrefix("mounted at \(place) in the namespace of process ") == true)
    #expect(DeviceUse.mounts(of: device, in: "/proc/self/mountinfo") == [])
    withExtendedLifetime(tool) {}
  }

  @Test func `a file is mounted nowhere, though its file system is`() throws {
    #expect(try ProcessUse.foreignMounts(of: identity()) == [])
  }
}
