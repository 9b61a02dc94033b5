import Foundation
import Glibc
import TestSupport
import Testing

/// A merge that is killed anywhere is finished by the same command, and undone like any other.
@Suite(.serialized) struct CrashTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  /// A store with 8192 scattered exceptions of 4 KiB, an origin for it, and what the merge makes.
  private struct Large {
    static let exceptionCount = 8192
    let store: String
    let origin: String
    let asItWas: String
    let merged: String

    init(in directory: TemporaryDirectory) throws {
      let olds = (0..<Self.exceptionCount).map {
        UInt64($0 * 3 % Self.exceptionCount * 2 + $0 % 2)  // scattered, and each of them once
      }
      store = try SparseStore(copying: olds, in: directory, as: "store").path
      let originChunks = Self.exceptionCount * 2
      origin = try directory.write(
        sparse: UInt64(originChunks) * 4096,
        stride(from: 0, to: originChunks, by: 2).map {
          (at: UInt64($0) * 4096, bytes: Array("chunk \($0) old\n".utf8))
        }, to: "origin")
      asItWas = try directory.copy(origin, to: "as-it-was")
      merged = directory.path("merged")
      let outcome = try ToolRunner.dmsnap.run([
        "export", store, "--origin", origin, "--to", merged,
      ])
      guard outcome.status == 0 else { throw ToolRunner.Failure(outcome) }
    }
  }

  /// What the undo store's manifest says: 1 saving, 2 saved, 3 finished; nil before that.
  private func state(_ undo: String) -> UInt8? {
    let descriptor = unsafe open(undo, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 32)
    guard unsafe pread(descriptor, &bytes, 32, 0) == 32 else { return nil }
    return bytes[28] == 0 ? nil : bytes[28]
  }

  private func arguments(_ large: Large, _ undo: String) -> [String] {
    [
      "merge", large.store, "--origin", large.origin, "--undo", undo, "--accept",
      "unrelated-origin",
    ]
  }

  /// Finishes a merge, checks the result, and takes it back.
  private func finishAndUndo(_ large: Large, _ undo: String) throws {
    let again = try dmsnap.run(arguments(large, undo) + ["--verify"])
    #expect(again.status == 0 && again.errors.isEmpty, "\(again)")
    #expect(try Files.areEqual(large.origin, large.merged))
    let back = try dmsnap.run(["merge", undo, "--origin", large.origin, "--no-undo"])
    #expect(back.status == 0, "\(back)")
    #expect(try Files.areEqual(large.origin, large.asItWas))
    _ = unsafe unlink(undo)
  }

  @Test
  func `a merge killed while it saves, or while it merges, is finished by the same command`()
    throws
  {
    let large = try Large(in: directory)
    let undo = directory.path("undo")
    // How long to wait after the undo file has come so far, in milliseconds.
    var killedIn: Set<UInt8> = []
    for (reached, delay) in [(UInt8(1), 0), (1, 5), (2, 0), (2, 3), (2, 10), (2, 30)] {
      let merge = try dmsnap.start(arguments(large, undo))
      while merge.isRunning, state(undo) ?? 0 < reached { usleep(100) }
      usleep(UInt32(delay) * 1000)
      let isKilled = merge.isRunning
      merge.signal(SIGKILL)
      let outcome = merge.wait()
      #expect(outcome.ending == (isKilled ? .killed(signal: SIGKILL) : outcome.ending))
      let state = state(undo) ?? 0
      if outcome.status == nil { killedIn.insert(state) }
      if state < 2 { #expect(try Files.areEqual(large.origin, large.asItWas)) }
      try finishAndUndo(large, undo)
    }
    #expect(killedIn.contains(2), "no merge was killed in the middle: \(killedIn)")
  }

  @Test(.enabled(if: Strace.tool != nil, "strace is not installed, or may not trace"))
  func `a merge that dies at a certain write to the origin is finished, or undone at once`() throws
  {
    let large = try Large(in: directory)
    let undo = directory.path("undo")
    for number in [2, 20] {
      let outcome = try Strace.run(
        arguments(large, undo), inject: "pwrite64:signal=SIGKILL:when=\(number)", on: [large.origin]
      )
      #expect(outcome.ending == .killed(signal: SIGKILL), "\(outcome)")
      #expect(state(undo) == 2)
      #expect(try !Files.areEqual(large.origin, large.asItWas))
      #expect(try !Files.areEqual(large.origin, large.merged))
      // What was saved gives the origin back from the middle as well.
      let half = try directory.copy(large.origin, to: "half-\(number)")
      let back = try dmsnap.run(["merge", undo, "--origin", half, "--no-undo"])
      #expect(back.status == 0, "\(back)")
      #expect(try Files.areEqual(half, large.asItWas))
      try finishAndUndo(large, undo)
    }
  }

  @Test func `a limit on the length of files is an error, and the same command goes on`() throws {
    let large = try Large(in: directory)
    let undo = directory.path("undo")
    let shell = try #require(ToolRunner(named: "bash"))
    // In KiB: nothing can be looked at with less than the origin's 64 MiB, as libblkid reads a copy in
    // memory; and the undo store has 33.
    for limit in [20_000, 60_000] {
      let limited = ["-c", "ulimit -f \(limit) && exec \"$0\" \"$@\"", dmsnap.path]
      let outcome = try shell.run(limited + arguments(large, undo))
      #expect(outcome.status == 5 && outcome.errors.contains("File too large"), "\(outcome)")
      #expect(try Files.areEqual(large.origin, large.asItWas))
    }
    try finishAndUndo(large, undo)
  }

  @Test func `an undo store that was never completed undoes nothing, and says so`() throws {
    let large = try Large(in: directory)
    let undo = directory.path("undo")
    let merge = try dmsnap.start(arguments(large, undo))
    while merge.isRunning, state(undo) == nil { usleep(50) }
    merge.signal(SIGKILL)
    _ = merge.wait()
    try #require(state(undo) == 1, "the merge was too fast to be killed while it saved")
    let outcome = try dmsnap.run(["merge", undo, "--origin", large.origin, "--no-undo"])
    #expect(outcome.status == 4 && outcome.complaint(naming: undo) == nil, "\(outcome)")
    #expect(outcome.errors.contains("the merge did not start"), "\(outcome)")
    #expect(try Files.areEqual(large.origin, large.asItWas))
    try finishAndUndo(large, undo)
  }

  @Test(.enabled(if: Strace.tool != nil, "strace is not installed, or may not trace"))
  func `a crash of the undo is no harm either`() throws {
    let large = try Large(in: directory)
    let undo = directory.path("undo")
    #expect(try dmsnap.run(arguments(large, undo)).status == 0)
    let outcome = try Strace.run(
      ["merge", undo, "--origin", large.origin, "--no-undo"],
      inject: "pwrite64:signal=SIGKILL:when=9", on: [large.origin])
    #expect(outcome.ending == .killed(signal: SIGKILL), "\(outcome)")
    #expect(try !Files.areEqual(large.origin, large.asItWas))
    #expect(try dmsnap.run(["merge", undo, "--origin", large.origin, "--no-undo"]).status == 0)
    #expect(try Files.areEqual(large.origin, large.asItWas))
  }
}
