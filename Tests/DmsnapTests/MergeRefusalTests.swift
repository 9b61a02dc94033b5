import Foundation
import SnapshotFormat
import TestSupport
import Testing

/// What speaks against an origin is told, and merged into only when the user says that it is right.
@Suite struct MergeRefusalTests {
  private static let uuids = [
    "11111111-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "22222222-bbbb-4bbb-8bbb-bbbbbbbbbbbb",
  ]
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap
  private let undo: String

  init() throws {
    directory = try TemporaryDirectory()
    undo = directory.path("undo")
  }

  /// An image of a file system with that UUID.
  private func make(_ type: String, _ index: Int) throws -> String {
    let byteCount: UInt64 = type == "xfs" ? 300 << 20 : 16 << 20
    let path = try directory.write(sparse: byteCount, [], to: "\(type)-\(index)")
    guard let mkfs = ToolRunner(named: "mkfs.\(type)") else {
      try Test.cancel("mkfs.\(type) is needed")
    }
    let uuid = Self.uuids[index]
    try mkfs.succeed(
      type == "xfs" ? ["-q", "-m", "uuid=\(uuid)", path] : ["-q", "-b", "4096", "-U", uuid, path])
    return path
  }

  /// A store with those chunks of 4 KiB as they are in a file.
  private func store(_ olds: [Int], of path: String) throws -> String {
    let builder = StoreBuilder().copying(olds)
    var bytes = builder.image()
    let file = try FileHandle(forReadingFrom: URL(filePath: path))
    for exception in builder.exceptions {
      try file.seek(toOffset: exception.old * 4096)
      bytes.put(Array(try file.read(upToCount: 4096) ?? Data()), at: Int(exception.new) * 4096)
    }
    return try directory.write(bytes, to: "store")
  }

  @Test(arguments: ["ext4", "xfs"])
  func `an origin with another UUID than the store's superblock is refused, with both`(
    type: String
  ) throws {
    let (left, right) = (try make(type, 0), try make(type, 1))
    let store = try store([0, 1, 5], of: left)
    let before = try FileState(right)
    for way in [
      ["--undo", undo], ["--no-undo"], ["--dry-run"], ["--plan", directory.path("plan")],
      ["--skip-identical", "--no-undo"],
    ] {
      let outcome = try dmsnap.run(["merge", store, "--origin", right] + way)
      #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.complaint(naming: right) == nil)
      for uuid in Self.uuids { #expect(outcome.errors.contains("\(type) with UUID \(uuid)")) }
      #expect(outcome.errors.contains("--accept unrelated-origin"))
      #expect(try FileState(right) == before)
      #expect(try directory.names() == ["store", "\(type)-0", "\(type)-1"].sorted())
    }
    let accepted = try dmsnap.run(
      ["merge", store, "--origin", right, "--undo", undo, "--accept", "unrelated-origin"])
    #expect(accepted.status == 0 && accepted.errors.isEmpty, "\(accepted)")
    // Its undo store has the other superblock now, and knows its origin.
    let back = try dmsnap.run(["merge", undo, "--origin", right, "--no-undo"])
    #expect(back.status == 0 && back.errors.isEmpty, "\(back)")
    #expect(try Files.areEqual(right, make(type, 1)) || type == "ext4")
    #expect(try dmsnap.run(["merge", store, "--origin", left, "--no-undo"]).status == 0)
  }

  @Test func `a store that goes to another file is not refused for it, but warned of`() throws {
    let store = try store([0, 1, 5], of: make("ext4", 0))
    let (image, origin) = (directory.path("image"), try make("ext4", 1))
    let outcome = try dmsnap.run(["merge", store, "--origin", origin, "--to", image])
    #expect(outcome.status == 1 && outcome.output.contains(image), "\(outcome)")
    #expect(outcome.complaint(naming: origin) == nil && outcome.errors.contains(Self.uuids[0]))
  }

  @Test func `data without any relation to the origin's file system is refused`() throws {
    let origin = try make("ext4", 1)
    try Files.overwrite(origin, at: 8 << 20, Stamp.sectors(16_384..<24_576, by: "another"))
    let store = try directory.write(
      StoreBuilder().copying(2048..<2148).image(), to: "store")
    let before = try Files.sha256(origin)
    let outcome = try dmsnap.run(["merge", store, "--origin", origin, "--undo", undo])
    #expect(outcome.status == 4 && outcome.complaint(naming: origin) == nil, "\(outcome)")
    #expect(outcome.errors.contains("with 100 chunks"), "\(outcome)")
    #expect(try Files.sha256(origin) == before && !Files.exist(undo))
    let merge = [
      "merge", store, "--origin", origin, "--undo", undo, "--accept", "unrelated-origin",
    ]
    #expect(try dmsnap.run(merge).status == 0)
    #expect(try dmsnap.run(["merge", undo, "--origin", origin, "--no-undo"]).status == 0)
    #expect(try Files.sha256(origin) == before)
  }

  @Test func `an origin that is smaller than the table is refused, unless that is right`() throws {
    let builder = StoreBuilder(chunkSectors: 1, chunkCount: 60).copying([1, 2, 3, 40, 41, 5])
    let store = try directory.write(builder.image(.headerZeroed), to: "store")
    let bytes = Stamp.origin(byteCount: 20 * 512)
    let origin = try directory.write(bytes, to: "origin")
    let merge = ["merge", store, "--origin", origin, "--reading", "salvage"]
    for way in [["--undo", undo], ["--no-undo"], ["--dry-run"]] {
      let outcome = try dmsnap.run(merge + way)
      #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.complaint(naming: origin) == nil)
      #expect(outcome.errors.contains("2 exceptions") && outcome.errors.contains("small-origin"))
    }
    #expect(try Files.bytes(origin) == bytes && !Files.exist(undo))
    let accepted = try dmsnap.run(merge + ["--undo", undo, "--accept", "small-origin"])
    #expect(accepted.status == 2 && accepted.output.contains("merged"), "\(accepted)")
    let changed = try Files.bytes(origin)
    let sectors = (0..<20).filter {
      changed[$0 * 512..<$0 * 512 + 512] != bytes[$0 * 512..<$0 * 512 + 512]
    }
    #expect(sectors == [1, 2, 3, 5])
  }

  @Test func `an exception that no device can have is damage, and no matter of the origin`() throws
  {
    let builder = StoreBuilder(chunkSectors: 8, chunkCount: 8)
    let origin = try directory.write(Stamp.origin(byteCount: 1 << 20), to: "origin")
    for old in [UInt64(500), 1 << 55] {
      let store = try directory.write(builder.adding((1, 2), (old, 3)).image(), to: "store")
      let outcome = try dmsnap.run(["merge", store, "--origin", origin, "--no-undo"])
      #expect(outcome.status == 4, "\(outcome)")
      #expect(outcome.errors.contains("name the right origin") == (old == 500), "\(outcome)")
      #expect(outcome.errors.contains("--reading salvage"), "\(outcome)")
    }
  }

  @Test func `a risk that nobody knows is wrong usage`() throws {
    let outcome = try dmsnap.run(["merge", "s", "--origin", "o", "--no-undo", "--accept", "all"])
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
  }
}
