import Foundation
import Glibc
import TestSupport
import Testing

/// A merge into a volume of a group is refused before anything is written, or done right.
@Suite struct LvmMergeRefusalTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  private var undo: String { directory.path("undo") }

  /// Refused, with one line, and nothing written.
  private func expectRefusal(
    _ outcome: ToolOutcome, of volumes: Volumes, naming text: String, status: Int32 = 4,
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    #expect(
      outcome.status == status && outcome.output.isEmpty, "\(outcome)", sourceLocation: location)
    #expect(outcome.errorLines.last?.contains(text) == true, "\(outcome)", sourceLocation: location)
    #expect(try volumes.areUntouched(), sourceLocation: location)
    #expect(!Files.exist(undo), sourceLocation: location)
  }

  @Test(
    arguments: [
      ("raid4", 4, "not written"), ("raid5", 4, "not written"), ("raid6", 4, "not written"),
      ("virtual-origin", 4, "not written"), ("raid5-degraded", 4, "missing"),
      ("thin", 5, "not supported: thin"), ("overflow", 4, "marked invalid"),
      ("shortened", 4, "past the end"),
    ] as [(String, Int32, String)])
  func `what cannot be written, or would not be merged by Linux, is refused`(
    name: String, status: Int32, message: String
  ) throws {
    let volumes = try Volumes(name, in: directory)
    let path = try volumes.snapshot.path
    try expectRefusal(
      volumes.run("merge", path, "--undo", undo), of: volumes, naming: message, status: status)
    try expectRefusal(
      volumes.run("merge", path, "--no-undo"), of: volumes, naming: message, status: status)
  }

  @Test(arguments: ["raid1", "mirror-core", "raid10", "striped"])
  func `without one of its physical volumes an origin is not written`(name: String) throws {
    let volumes = try Volumes(name, in: directory)
    // The last has a leg or a stripe of the origin, and of the store at most a stripe.
    let options = volumes.paths.dropLast().flatMap { ["--pv", $0] }
    let outcome = try dmsnap.run(["merge", "vg/snap", "--undo", undo] + options)
    #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
    #expect(try volumes.areUntouched() && !Files.exist(undo))
  }

  @Test func `a physical volume is no undo file`() throws {
    let volumes = try Volumes("mirror-disk", in: directory)
    try FileManager.default.linkItem(
      atPath: volumes.paths[1], toPath: directory.path("link"))
    for path in volumes.paths + [directory.path("link")] {
      try expectRefusal(
        volumes.run("merge", "vg/snap", "--undo", path), of: volumes, naming: path)
    }
  }

  @Test func `copies are not compared by one of them`() throws {
    let volumes = try Volumes("raid1", in: directory)
    try expectRefusal(
      volumes.run("merge", "vg/snap", "--no-undo", "--skip-identical"), of: volumes,
      naming: "has copies")
    // Of what has none, what is there already is left alone.
    let linear = try Volumes("linear", in: directory, as: "linear")
    #expect(
      try linear.run("merge", "vg/snap", "--undo", undo, "--skip-identical").status == 0)
    #expect(try linear.extract("vg/origin")?.sha256 == linear.snapshot.sha256)
    #expect(try linear.run("merge", undo, "--origin", "vg/origin", "--no-undo").status == 0)
    #expect(try linear.areUntouched())
  }

  @Test func `another volume than the one that was merged into is no origin of the undo`() throws {
    let volumes = try Volumes("linear", in: directory)
    #expect(try volumes.run("merge", "vg/snap", "--undo", undo).status == 0)
    // Of the same length, but other data: the origin lies from 1 MiB on.
    let others = try Volumes("groups", in: directory, as: "other")
    for path in others.paths.prefix(2) {
      let strangers = Stamp.origin(byteCount: 1 << 20, by: "another")
      try Files.overwrite(path, at: 1 << 20, strangers)
    }
    let before = try others.states()
    for way in [["--no-undo"], ["--dry-run"], ["--undo", directory.path("redo")]] {
      let outcome = try dmsnap.run(
        ["merge", undo, "--origin", "other/origin"] + way + others.options)
      #expect(outcome.status == 4 && outcome.complaint(naming: undo) == nil, "\(outcome)")
    }
    #expect(try others.states() == before)
  }

  @Test func `a locked physical volume is refused`() throws {
    let volumes = try Volumes("raid1", in: directory)
    let descriptor = unsafe open(volumes.paths[1], O_RDONLY | O_CLOEXEC)
    try #require(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    let outcome = try volumes.run("merge", "vg/snap", "--undo", undo)
    try #require(flock(descriptor, LOCK_UN) == 0)
    close(descriptor)
    try expectRefusal(outcome, of: volumes, naming: "is locked by")
  }
}
