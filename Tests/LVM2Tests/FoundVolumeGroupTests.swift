import BlockIO
import SystemPackage
import TestSupport
import Testing

@testable import LVM2

/// Older versions of a group, and what became of the extents that a volume had in them.
@Suite struct FoundVolumeGroupTests {
  private func linear(_ name: String, _ id: Character, _ extent: Int, _ extentCount: Int = 8)
    -> String
  {
    SampleText.volume(
      name, segment: "type = \"linear\" stripe_count = 1 stripes = [\"pv0\", \(extent)]",
      extentCount: extentCount
    ).replacing("llllll", with: String(repeating: id, count: 6))
  }

  private func text(_ seqno: Int, _ volumes: String...) -> String {
    SampleText.group(seqno: seqno, volumes: volumes.joined())
  }

  /// Versions 5 to 8: "snap" at 10 is removed, then "new" gets a part of its room, and loses it.
  private var texts: [String] {
    [
      text(5, linear("root", "r", 0), linear("snap", "s", 10)), text(6, linear("root", "r", 0)),
      text(7, linear("root", "r", 0), linear("new", "n", 16, 6)),
      text(8, linear("root", "r", 0), linear("last", "l", 12, 2)),
    ]
  }

  private func found(_ texts: [String], file: String? = nil) throws -> FoundVolumeGroup {
    var disk = DiskBuilder(0)
    for text in texts { disk.area.write(text) }
    let files = try file.map { [try VolumeGroup($0)] } ?? []
    return try #require(try VolumeCatalog([disk], texts: files).groups.first)
  }

  @Test func `all versions that are left, the newest first, each once`() throws {
    let group = try found(texts)
    #expect(try group.history().map(\.seqno) == [8, 7, 6, 5])
    var other = DiskBuilder(1)
    for text in texts.prefix(2) { other.area.write(text) }
    var disk = DiskBuilder(0)
    for text in texts.dropFirst() { disk.area.write(text) }
    let both = try #require(try VolumeCatalog([disk, other]).groups.first)
    #expect(try both.history().map(\.seqno) == [8, 7, 6, 5])
  }

  @Test func `versions of a group to which the disk belonged before are not its own`() throws {
    let old = texts[0].replacing("gggggg", with: "hhhhhh")
    #expect(try found([old] + texts.dropFirst()).history().map(\.seqno) == [8, 7, 6])
  }

  @Test func `a version by its number`() throws {
    let group = try found(texts)
    #expect(try group.version(nil).seqno == 8)
    #expect(try group.version(8).seqno == 8)
    #expect(try group.version(5).logicalVolumes.map(\.name) == ["root", "snap"])
    let error = try #require(throws: VolumeError.self) { _ = try group.version(4) }
    #expect(error.description == "vg0: there is no version 4 of the metadata, only 8, 7, 6, 5")
  }

  private func words(_ reuses: [FoundVolumeGroup.Reuse]) -> [String] {
    reuses.map { "\($0.physicalVolume.name) \($0.extents) \($0.owner) \($0.seqno)" }
  }

  @Test func `extents that others have, or had in between`() throws {
    let group = try found(texts)
    #expect(
      try words(group.reuse(of: "snap", in: group.version(5)))
        == ["pv0 12..<14 last 8", "pv0 16..<18 new 7"])
    #expect(try group.reuse(of: "root", in: group.version(5)).isEmpty)
    #expect(try group.reuse(of: "root", in: group.version(8)).isEmpty)
    #expect(try group.reuse(of: "snap", in: group.version(6)).isEmpty)
  }

  @Test func `extents that stay with a volume that was renamed, or that it gave back`() throws {
    let group = try found([
      text(5, linear("snap", "s", 10)), text(6, linear("renamed", "s", 10)),
      text(7, linear("renamed", "s", 10, 4)),
    ])
    #expect(try group.reuse(of: "snap", in: group.version(5)).isEmpty)
  }

  @Test func `a text from a file is as old as it is, though it takes the place of the newest`()
    throws
  {
    let group = try found(Array(texts.dropFirst()), file: texts[0])
    let version = try group.version(nil)
    #expect((version.seqno, group.group.seqno) == (5, 8))
    #expect(
      try words(group.reuse(of: "snap", in: version))
        == ["pv0 12..<14 last 8", "pv0 16..<18 new 7"])
    #expect(try group.version(7).seqno == 7)
  }

  @Test func `a disk that fails in another way than a medium does`() throws {
    var disk = DiskBuilder(0)
    for text in texts { disk.area.write(text) }
    let source = disk.source("disk0")
    let catalog = try VolumeCatalog(PhysicalVolumeSearch([source]).found)
    let group = try #require(catalog.groups.first)
    source.unreadable = [0..<8192]
    source.failure = .system(.noMemory)
    #expect(throws: VolumeError.self) { try group.version(5) }
  }
}
