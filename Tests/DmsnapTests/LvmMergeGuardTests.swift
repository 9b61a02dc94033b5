import Foundation
import TestSupport
import Testing

/// Ways around the refusals of a merge in place, each of which is refused as well.
@Suite struct LvmMergeGuardTests {
  private let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  private func expectRefusal(
    _ volumes: Volumes, _ arguments: [String], naming part: String,
    _ location: SourceLocation = #_sourceLocation
  ) throws {
    let outcome = try dmsnap.run(["merge"] + arguments + volumes.options)
    #expect(outcome.status == 4, "\(outcome)", sourceLocation: location)
    #expect(
      outcome.errorLines.last?.contains(part) == true, "\(outcome)", sourceLocation: location)
    #expect(try volumes.areUntouched(), sourceLocation: location)
  }

  /// The text of the newest version, with other words in it, as a file.
  private func backup(
    _ volumes: Volumes, seqno: Int, _ changes: [(String, String)]
  ) throws -> String {
    var text = try volumes.text(ofVersion: seqno)
    for (old, new) in changes {
      #expect(text.contains(old))
      text = text.replacing(old, with: new)
    }
    return try directory.write(Array(text.utf8), to: "backup")
  }

  @Test func `other snapshots are those of the group as it is, whatever the store is`() throws {
    let volumes = try Volumes("two-snapshots", in: directory)
    let (late, undo) = ("vg/late would show", directory.path("undo"))
    try expectRefusal(volumes, ["vg/early", "--undo", undo], naming: late)
    try expectRefusal(volumes, ["vg/early", "--seqno", "4", "--undo", undo], naming: late)
    let store = directory.path("early.cow")
    #expect(try volumes.run("salvage", "vg/early", "--to", store).status == 0)
    try expectRefusal(volumes, [store, "--origin", "vg/origin", "--undo", undo], naming: late)
    try expectRefusal(
      volumes, [store, "--origin", "vg/late", "--undo", undo], naming: "is a snapshot")
  }

  @Test func `an undo is held to the same: other snapshots may have been taken since`() throws {
    let volumes = try Volumes("two-snapshots", in: directory)
    let undo = directory.path("undo")
    let merged = try volumes.run(
      "merge", "vg/early", "--undo", undo, "--accept", "other-snapshots")
    #expect(merged.status == 0, "\(merged)")
    let after = try volumes.bytes()
    let refused = try volumes.run("merge", undo, "--origin", "vg/origin", "--no-undo")
    #expect(refused.status == 4 && refused.errors.contains("vg/late would show"), "\(refused)")
    #expect(try volumes.bytes() == after)
    let line = try #require(merged.outputLines.first { $0.hasPrefix("to undo") })
    #expect(line.hasSuffix(" --accept other-snapshots"), "\(merged)")
    let back = try volumes.run(
      "merge", undo, "--origin", "vg/origin", "--no-undo", "--accept", "other-snapshots")
    #expect(back.status == 0 && back.output.contains(" restored ("), "\(back)")
    #expect(try volumes.areUntouched())
  }

  @Test(arguments: [7, 9])
  func `a file of another line of versions is no newer than the disks`(seqno: Int) throws {
    let volumes = try Volumes("removed-reused", in: directory)
    let file = try backup(volumes, seqno: 4, [("seqno = 4\n", "seqno = \(seqno)\n")])
    try expectRefusal(
      volumes, ["vg/snap", "--vgcfg", file, "--no-undo", "--reading", "salvage"],
      naming: "were reallocated to vg/new")
  }

  @Test func `a disk that another group has by now is not written`() throws {
    let volumes = try Volumes("linear", in: directory)
    let uuid = volumes.facts.groups[0].uuid
    let file = try backup(
      volumes, seqno: 4, [("vg {\n", "old {\n"), (uuid, "Z" + uuid.dropFirst())])
    try expectRefusal(
      volumes, ["old/snap", "--vgcfg", file, "--no-undo"], naming: "in use by the group vg")
  }

  @Test func `a volume that lies elsewhere by a file is not written there`() throws {
    let volumes = try Volumes("linear", in: directory)
    let store = directory.path("store.cow")
    #expect(try volumes.run("salvage", "vg/snap", "--to", store).status == 0)
    let file = try backup(volumes, seqno: 4, [("pe_start = 2048", "pe_start = 2176")])
    try expectRefusal(
      volumes,
      [
        store, "--origin", "vg/origin", "--vgcfg", file, "--no-undo", "--accept",
        "unrelated-origin",
      ], naming: "vg/origin: has moved")
  }

  @Test func `one leg of several is not saved for all`() throws {
    let volumes = try Volumes("raid1-degraded", in: directory)
    try expectRefusal(
      volumes, ["vg/snap", "--leg", "0", "--undo", directory.path("undo")], naming: "has copies")
  }

  @Test func `a disk that is too short is not merged into in part`() throws {
    let volumes = try Volumes("linear", in: directory)
    let store = directory.path("store.cow")
    #expect(try volumes.run("salvage", "vg/snap", "--to", store).status == 0)
    let byteCount: UInt64 = 1_662_976
    try Files.truncate(volumes.paths[0], to: byteCount)
    let before = try FileState(volumes.paths[0])
    let outcome = try volumes.run(
      "merge", store, "--origin", "vg/origin", "--no-undo", "--accept", "unrelated-origin")
    #expect(outcome.status == 4 && outcome.errors.contains("past the end"), "\(outcome)")
    #expect(try FileState(volumes.paths[0]) == before)
  }

  @Test func `metadata with a wrong checksum is not written by`() throws {
    let volumes = try Volumes("raid0", in: directory)
    for path in volumes.paths {
      var bytes = try Files.bytes(path)
      let text = "\nseqno = \(volumes.facts.groups[0].seqno)\n"
      for start in stride(from: 0, to: min(bytes.count, 2 << 20), by: 512)
      where String(decoding: bytes[start..<start + 200], as: UTF8.self).contains(text) {
        bytes.put([UInt8(ascii: "#")], at: start + 3)
      }
      try directory.write(bytes, to: (path as NSString).lastPathComponent)
    }
    let before = try volumes.bytes()
    let outcome = try volumes.run("merge", "vg/snap", "--no-undo")
    #expect(outcome.status != 0, "\(outcome)")
    #expect(try volumes.bytes() == before)
    let listed = try volumes.run("lvm", "list")
    #expect(listed.status == 1 && listed.output.contains("PROBLEM"), "\(listed)")
  }
}
