import BlockIO
import SystemPackage
import TestSupport
import Testing

/// Whoever has locked any byte of a target, in whatever way, is named; and what is a target is
/// locked for everybody else.
@Suite(.enabled(if: Holder.isAvailable, Comment(rawValue: Holder.unavailable)))
struct TargetLockTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let locks: [Holder.Kind] = [.flock, .posix, .ofd, .ofdByte]

  @Test(arguments: locks)
  func `a file that another process has locked is refused, and says by whom`(
    kind: Holder.Kind
  ) throws {
    let path = try directory.write(pattern(512), to: "origin")
    let before = try FileState(path)
    do {
      let holder = try Holder(kind, of: path)
      #expect(try errorOfTargeting(path).description == "\(path): is locked by \(holder.words)")
    }
    #expect(try FileState(path) == before)
    #expect(throws: Never.self) { _ = try FileTarget(path: FilePath(path)) }
  }

  @Test(arguments: locks)
  func `a target is locked for those who ask in any way, be it new or not`(
    kind: Holder.Kind
  ) throws {
    let old = try directory.write(pattern(512), to: "origin")
    let new = directory.path("undo")
    let targets = [
      try FileTarget(path: FilePath(old)), try FileTarget(creating: FilePath(new), byteCount: 512),
    ]
    for path in [old, new] {
      let failure = try #require(throws: ToolRunner.Failure.self) { _ = try Holder(kind, of: path) }
      #expect(failure.description.contains("BlockingIOError"), "\(failure)")
    }
    // Another descriptor of the same file ends a process's own record locks when it is closed.
    _ = try FileSource(path: FilePath(old))
    #expect(throws: ToolRunner.Failure.self) { _ = try Holder(kind, of: old) }
    withExtendedLifetime(targets) {}
  }

  @Test(
    .enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)),
    arguments: locks)
  func `a device that another process has locked is refused, and says by whom`(
    kind: Holder.Kind
  ) throws {
    let loop = try LoopDevice(over: directory.write(pattern(65_536), to: "disk"))
    do {
      let holder = try Holder(kind, of: loop.path)
      #expect(
        try errorOfTargeting(loop.path).description
          == "\(loop.path): is locked by \(holder.words)")
    }
    #expect(throws: Never.self) { _ = try FileTarget(path: FilePath(loop.path)) }
  }

  @Test(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
  func `a device that another process has for itself is refused, and says who has it open`() throws
  {
    let loop = try LoopDevice(over: directory.write(pattern(65_536), to: "disk"))
    let holder = try Holder(.exclusive, of: loop.path)
    #expect(
      try errorOfTargeting(loop.path).description
        == "\(loop.path): is in use: open in \(holder.words)")
    withExtendedLifetime(holder) {}
  }
}
