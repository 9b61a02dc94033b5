import Glibc
import TestSupport
import Testing

/// A merge into a volume of a group that is killed anywhere is finished, or undone.
@Suite struct LvmCrashTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  private var undo: String { directory.path("undo") }

  /// Finishes a merge that was killed, and takes it back.
  private func finishAndUndo(_ volumes: Volumes, _ merged: String?) throws {
    let (path, origin, _) = try volumes.snapshot
    let again = try volumes.run("merge", path, "--undo", undo, "--verify")
    #expect(again.status == 0 && again.errors.isEmpty, "\(again)")
    for leg in ["0", "1"] where volumes.paths.count > 1 {
      #expect(try volumes.extract(origin, "--leg", leg)?.sha256 == merged)
    }
    #expect(try volumes.extract(origin)?.sha256 == merged)
    try takeBack(volumes, origin)
    _ = unsafe unlink(undo)
  }

  private func takeBack(_ volumes: Volumes, _ origin: String) throws {
    let back = try volumes.run("merge", undo, "--origin", origin, "--no-undo")
    #expect(back.status == 0, "\(back)")
    #expect(try volumes.areUntouched())
  }

  @Test func `a merge that fails at a certain byte of an image is finished, or undone at once`()
    throws
  {
    let volumes = try Volumes("linear", in: directory)
    let shell = try #require(ToolRunner(named: "bash"))
    let merged = try volumes.snapshot.sha256
    // No file may be written behind this many KiB: the origin lies from 1024 to 2048, and what the
    // merge writes of it begins at 1064, 1224, 1424, 1624 and 1824.
    for limit in [1100, 1500, 1700] {
      let outcome = try shell.run(
        ["-c", "ulimit -f \(limit) && exec \"$0\" \"$@\"", dmsnap.path, "merge", "vg/snap"]
          + ["--undo", undo] + volumes.options)
      #expect(outcome.status == 5 && outcome.errors.contains("File too large"), "\(outcome)")
      let half = try #require(try volumes.extract("vg/origin")).sha256
      #expect(try !volumes.areUntouched() && half != merged)
      if limit == 1500 { try takeBack(volumes, "vg/origin") }
      try finishAndUndo(volumes, merged)
    }
  }

  @Test(.enabled(if: Strace.tool != nil, "strace is not installed, or may not trace"))
  func `a merge killed at any write, between the legs of a mirror too, is finished and undone`()
    throws
  {
    let volumes = try Volumes("raid1", in: directory)
    let merged = try volumes.snapshot.sha256
    var killCount = 0
    for number in stride(from: 1, through: 40, by: 2) {
      let outcome = try Strace.run(
        ["merge", "vg/snap", "--undo", undo] + volumes.options,
        inject: "pwrite64:signal=SIGKILL:when=\(number)")
      if outcome.ending == .exited(0) {
        try finishAndUndo(volumes, merged)
        break
      }
      killCount += 1
      try finishAndUndo(volumes, merged)
    }
    #expect(killCount > 4)
  }
}
