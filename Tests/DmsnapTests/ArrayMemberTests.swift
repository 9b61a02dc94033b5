import Foundation
import TestSupport
import Testing

/// A physical volume in a member of an array is the array's: mirrors are read and written as one, others
/// are named.
@Suite struct ArrayMemberTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap
  private let volume: [UInt8]

  init() throws {
    directory = try TemporaryDirectory()
    let volumes = try Volumes("linear", in: directory)
    volume = try Files.bytes(volumes.paths[0])
  }

  private func member(_ role: UInt32, _ data: [UInt8], _ builder: ArrayBuilder) throws -> String {
    try directory.write(builder.member(role, data), to: "md\(role)")
  }

  @Test(arguments: ["0.90", "1.0", "1.1", "1.2"])
  func `a mirror with all its members is merged into on each, and taken back`(version: String)
    throws
  {
    var builder = ArrayBuilder()
    builder.version = version
    let members = try (0..<2).map { try member(UInt32($0), volume, builder) }
    let before = try members.map { try Files.bytes($0) }
    let options = members.flatMap { ["--pv", $0] }
    let listed = try dmsnap.run(["lvm", "list"] + options)
    #expect(listed.status == 0 && !listed.output.contains("PROBLEM"), "\(listed)")
    let undo = directory.path("undo")
    let there = try dmsnap.run(["merge", "vg/snap", "--undo", undo, "--verify"] + options)
    #expect(there.status == 0, "\(there)")
    let after = try members.map { try Files.bytes($0) }
    #expect(zip(after, before).allSatisfy { $0 != $1 })
    let line = try #require(there.outputLines.first { $0.hasPrefix("to undo") })
    let words = line.split(separator: ": ", maxSplits: 1)[1].dropFirst("dmsnap".count)
    let back = try #require(ToolRunner(named: "sh")).run(["-c", "\(dmsnap.path)\(words)"])
    #expect(back.status == 0, "\(back)")
    #expect(try members.map { try Files.bytes($0) } == before)
  }

  @Test func `a mirror without one of its members is read, and not written unasked`() throws {
    let path = try member(1, volume, ArrayBuilder())
    let before = try Files.bytes(path)
    let listed = try dmsnap.run(["lvm", "list", "--pv", path])
    #expect(listed.status == 1 && listed.output.contains("1 of the 2 members"), "\(listed)")
    let exported = try dmsnap.run([
      "lvm", "extract", "vg/snap", "--pv", path, "--to", directory.path("image"),
    ])
    #expect(exported.status == 1, "\(exported)")
    let merge = ["merge", "vg/snap", "--no-undo", "--pv", path]
    for arguments in [merge, merge + ["--dry-run"]] {
      let refused = try dmsnap.run(arguments)
      #expect(refused.status == 4 && refused.errors.contains("degraded-array"), "\(refused)")
      #expect(try Files.bytes(path) == before)
    }
    #expect(try dmsnap.run(merge + ["--accept", "degraded-array"]).status == 1)
    #expect(try Files.bytes(path) != before)
  }

  @Test func `of a mirror's members the one is read that was in use last`() throws {
    var builder = ArrayBuilder()
    builder.events = 10
    // The older one has nothing that could be taken for data.
    let old = try member(0, volume.map { _ in 0 }, builder)
    builder.events = 14
    let new = try member(1, volume, builder)
    let options = ["--pv", old, "--pv", new]
    let listed = try dmsnap.run(["lvm", "list"] + options)
    #expect(listed.output.contains("\(old) is out of date"), "\(listed)")
    #expect(listed.status == 1 && listed.output.contains("snap"))
    let before = try Files.bytes(old)
    let refused = try dmsnap.run(["merge", "vg/snap", "--no-undo"] + options)
    #expect(refused.status == 4, "\(refused)")
    let merged = try dmsnap.run(
      ["merge", "vg/snap", "--no-undo", "--accept", "degraded-array"] + options)
    #expect(merged.status == 1, "\(merged)")
    #expect(try Files.bytes(old) == before)
  }

  @Test(arguments: ["0.90", "1.2"])
  func `a member that the newest one counts as failed is not read`(version: String) throws {
    var builder = ArrayBuilder()
    (builder.version, builder.events) = (version, 10)
    let old = try member(0, volume.map { _ in 0 }, builder)
    (builder.events, builder.failed) = (11, 0)
    let new = try member(1, volume, builder)
    let listed = try dmsnap.run(["lvm", "list", "--pv", old, "--pv", new])
    #expect(listed.status == 1 && listed.output.contains("1 of the 2 members"), "\(listed)")
    let refused = try dmsnap.run(["merge", "vg/snap", "--no-undo", "--pv", old, "--pv", new])
    #expect(refused.status == 4, "\(refused)")
  }

  @Test func `a member, or a physical volume, is no raw origin`() throws {
    let store = try directory.write(
      StoreBuilder(chunkSectors: 8).copying(300..<310).image(), to: "store")
    let md = try member(0, volume, ArrayBuilder())
    let pv = try directory.write(volume, to: "pv")
    for (path, risk) in [(md, "degraded-array"), (pv, "unrelated-origin")] {
      let before = try Files.bytes(path)
      let refused = try dmsnap.run(["merge", store, "--origin", path, "--no-undo"])
      #expect(refused.status == 4 && refused.errors.contains("--accept \(risk)"), "\(refused)")
      #expect(try Files.bytes(path) == before)
    }
  }

  @Test(arguments: [Int32(0), 4, 5, 6, 10, -1])
  func `a member of any other array is named, and not read as a volume`(level: Int32) throws {
    var builder = ArrayBuilder()
    (builder.level, builder.version) = (level, "1.0")
    let path = try member(0, volume, builder)
    let name = level == -1 ? "linear" : "raid\(level)"
    for arguments in [
      ["lvm", "list"], ["inspect", "vg/snap"], ["merge", "vg/snap", "--no-undo"],
      ["lvm", "extract", "vg/snap", "--to", directory.path("image")],
    ] {
      let outcome = try dmsnap.run(arguments + ["--pv", path])
      #expect(outcome.status == 5 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.errors.contains("member 0 of 2 of the \(name) array any:0"), "\(outcome)")
    }
    let identified = try dmsnap.run(["identify", path])
    #expect(identified.output.contains("member 0 of 2 of the \(name) array any:0"), "\(identified)")
  }

  @Test func `a member given twice is one, and the other one is missing`() throws {
    let path = try member(0, volume, ArrayBuilder())
    let copy = try directory.copy(path, to: "copy")
    let before = try Files.bytes(path)
    for options in [["--pv", path, "--pv", path], ["--pv", path, "--pv", copy]] {
      let refused = try dmsnap.run(["merge", "vg/snap", "--no-undo"] + options)
      #expect(refused.status == 4 && refused.errors.contains("1 of the 2 members"), "\(refused)")
      #expect(try Files.bytes(path) == before && Files.bytes(copy) == before)
    }
  }

  @Test func `a superblock at the end of a disk is its last partition's`() throws {
    // Two disks, the last partition of each in one mirror, and on one of them a physical volume before it.
    var builder = ArrayBuilder()
    builder.version = "0.90"
    let size = volume.count
    func disk(_ role: UInt32, _ first: [UInt8]) throws -> String {
      let last = builder.member(role, [UInt8](repeating: 0, count: 1 << 20))
      var bytes = [UInt8](repeating: 0, count: 1 << 20) + first + last
      for (index, part) in [(1 << 20, size), (1 << 20 + size, last.count)].enumerated() {
        bytes.put(
          [0, 0, 0, 0, 0x83, 0, 0, 0] + UInt32(part.0 / 512).littleEndianBytes
            + UInt32(part.1 / 512).littleEndianBytes, at: 446 + 16 * index)
      }
      bytes.put([0x55, 0xaa], at: 510)
      return try directory.write(bytes, to: "disk\(role)")
    }
    try #require(size % 65_536 == 0)
    let disks = [
      try disk(0, volume), try disk(1, [UInt8](repeating: 0x77, count: size)),
    ]
    let other = try Files.bytes(disks[1])
    let merged = try dmsnap.run(
      ["merge", "vg/snap", "--no-undo"] + disks.flatMap { ["--pv", $0] })
    #expect(merged.status == 0, "\(merged)")
    #expect(try Files.bytes(disks[1]) == other)
  }

  @Test func `what overlaps is not written`() throws {
    let pv = try directory.write(volume, to: "pv")
    let listed = try dmsnap.run([
      "merge", "vg/snap", "--no-undo", "--pv", pv, "--pv", "\(pv),offset=0,length=\(volume.count)",
    ])
    #expect(listed.status == 4, "\(listed)")
    #expect(try Files.bytes(pv) == volume)
  }
}
