import Foundation
import TestSupport
import Testing

/// Versions of a group's metadata: by number, from a file, under an older name.
@Suite struct LvmVersionTests {
  private let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  @Test func `a file that is older than the disks' metadata is an older version`() throws {
    let volumes = try Volumes("removed-reused", in: directory)
    let old = try directory.write(Array(volumes.text(ofVersion: 4).utf8), to: "backup")
    let inspected = try volumes.run("inspect", "vg/snap", "--vgcfg", old)
    #expect(inspected.status == 1 && inspected.output.contains("lvm.extents-reused"))
    let undo = directory.path("undo")
    let merged = try volumes.run("merge", "vg/snap", "--vgcfg", old, "--undo", undo)
    #expect(merged.status == 4, "\(merged)")
    #expect(try volumes.areUntouched())
    #expect(!Files.exist(undo))
  }

  @Test func `what the list says of a removed snapshot can be run`() throws {
    let volumes = try Volumes("removed", in: directory)
    let listed = try volumes.run("lvm", "list")
    #expect(listed.output.contains("(dmsnap inspect vg/snap --seqno 4 --pv ...)"), "\(listed)")
    #expect(try volumes.run("inspect", "vg/snap", "--seqno", "4").status == 1)
    let image = directory.path("image")
    #expect(try volumes.run("export", "vg/snap", "--seqno", "4", "--to", image).status == 0)
    #expect(try Files.sha256(image) == volumes.facts.before[0].sha256)
  }

  @Test(arguments: ["vg", "main-group"])
  func `a group is found by the name that it had`(name: String) throws {
    let volumes = try Volumes("renamed", in: directory)
    let image = directory.path("image")
    let outcome = try volumes.run("export", "\(name)/snap", "--seqno", "4", "--to", image)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(try Files.sha256(image) == volumes.facts.volume("snap-before-update")?.sha256)
  }

  @Test func `of copies of a disk the one with the newer metadata is read, and none written`()
    throws
  {
    let volumes = try Volumes("linear", in: directory)
    // The older copy: its metadata in use is that of version 3.
    var bytes = try volumes.bytes()[0]
    let header = try #require(
      stride(from: 0, to: bytes.count, by: 512).first {
        Array(bytes[$0 + 4..<$0 + 20]) == Array(" LVM2 x[5A%r0N*>".utf8)
      })
    bytes.put([UInt8](repeating: 0, count: 512), at: header)
    let copy = try directory.write(bytes, to: "copy")
    let options = ["--pv", copy, "--pv", volumes.paths[0]]
    let listed = try dmsnap.run(["lvm", "list"] + options)
    #expect(listed.status == 1 && listed.output.contains("\(copy): has the same UUID"), "\(listed)")
    let merged = try dmsnap.run(
      ["merge", "vg/snap", "--undo", directory.path("undo")] + options)
    #expect(merged.status == 4, "\(merged)")
    #expect(try volumes.areUntouched())
  }

  @Test func `a plan of volumes is applied from anywhere`() throws {
    let volumes = try Volumes("cow-segments", in: directory)
    let (plan, undo) = (directory.path("plan"), directory.path("undo"))
    let planned = try volumes.run("merge", "vg/snap", "--undo", undo, "--plan", plan)
    #expect(planned.status == 0, "\(planned)")
    #expect(try volumes.areUntouched())
    let applied = try dmsnap.run(["merge", "--apply", plan, "--verify"])
    #expect(applied.status == 0 && applied.output.contains("--pv"), "\(applied)")
    #expect(try volumes.extract("vg/origin")?.sha256 == volumes.snapshot.sha256)
    #expect(try dmsnap.run(["merge", "--apply", plan]).status == 0, "finished already")
  }
}
