import BlockIO
import TestSupport
import Testing

@testable import LVM2

/// What is put together of the physical volumes that were found, and what is said of it.
@Suite struct VolumeCatalogTests {
  /// A version of the group of two disks, of which none was ever missing.
  private func text(_ seqno: Int) -> String {
    SampleText.group(seqno: seqno, volumes: "").replacing(#""MISSING""#, with: "")
  }

  private func uuid(_ number: Int) throws -> LVMIdentifier {
    try VolumeGroup(SampleText.small).physicalVolumes[number].uuid
  }

  @Test func `a group whose disks are all there`() throws {
    let catalog = try VolumeCatalog([DiskBuilder(0, text(6), text(7)), DiskBuilder(1, text(7))])
    let group = try #require(catalog.groups.first)
    #expect((catalog.groups.count, catalog.orphans.count) == (1, 0))
    #expect(group.group.seqno == 7)
    #expect(group.problems == [])
    #expect(group.missing(in: group.group).isEmpty)
    #expect(try group.member(uuid(1))?.source.name == "disk1")
  }

  @Test func `a disk without metadata areas is known from the others`() throws {
    var second = DiskBuilder(1)
    second.label.metadataAreas = []
    let catalog = try VolumeCatalog([second, DiskBuilder(0, text(7))])
    #expect(catalog.groups.first?.problems == [])
    #expect(catalog.orphans.isEmpty)
  }

  @Test func `two groups, and a disk that is in none`() throws {
    let other = text(3).replacing("gggggg", with: "hhhhhh").replacing("pppppp", with: "qqqqqq")
      .replacing("vg0 {", with: "av {")
    var third = DiskBuilder(0, other)
    third.label.uuid = "qqqqqq00000000000000000000000000"[...]
    var orphan = DiskBuilder(0)
    orphan.label.uuid = "oooooo00000000000000000000000000"[...]
    let catalog = try VolumeCatalog([
      DiskBuilder(1, text(7)), third, DiskBuilder(0, text(7)), orphan,
    ])
    #expect(catalog.groups.map(\.group.name) == ["av", "vg0"])
    #expect(catalog.groups.map(\.problems.count) == [1, 0])
    #expect(catalog.groups.first?.problems.first?.isLoss == true)
    #expect(catalog.orphans.map(\.source.name) == ["disk3"])
  }

  @Test func `a disk that is missing`() throws {
    let catalog = try VolumeCatalog([DiskBuilder(0, text(7))])
    let group = try #require(catalog.groups.first)
    #expect(group.problems == [.missing(group.group.physicalVolumes[1])])
    #expect(group.missing(in: group.group).map(\.name) == ["pv1"])
  }

  @Test func `a disk that lvm2 had to do without`() throws {
    let text = SampleText.group(volumes: "")
    let catalog = try VolumeCatalog([DiskBuilder(0, text), DiskBuilder(1, text)])
    let group = try #require(catalog.groups.first)
    #expect(group.problems == [.wasMissing(group.group.physicalVolumes[1], path: "disk1")])
  }

  @Test func `the newest version counts, wherever it is`() throws {
    for disks in [
      [DiskBuilder(0, text(5)), DiskBuilder(1, text(9))],
      [DiskBuilder(1, text(9)), DiskBuilder(0, text(5))],
    ] {
      let group = try #require(try VolumeCatalog(disks).groups.first)
      #expect(group.group.seqno == 9)
      let path = disks[0].label.uuid.hasPrefix("pppppp1") ? "disk1" : "disk0"
      #expect(group.problems == [.outdated(path: path, seqno: 5, newest: 9)])
    }
  }

  @Test func `of two disks of one UUID the one with the newer metadata is used`() throws {
    let catalog = try VolumeCatalog([
      DiskBuilder(0, text(7)), DiskBuilder(1, text(7)), DiskBuilder(0, text(9)),
    ])
    let group = try #require(catalog.groups.first)
    #expect(group.group.seqno == 9)
    #expect(group.problems.contains(.duplicate(try uuid(0), used: "disk2", ignored: "disk0")))
    #expect(catalog.orphans.isEmpty)
  }

  @Test func `a disk that left the group is said to have`() throws {
    let left = text(8).replacing("pv1 {", with: "pv1x {")
      .replacing("pppppp-1111", with: "zzzzzz-1111")
    let catalog = try VolumeCatalog([DiskBuilder(0, left), DiskBuilder(1, text(7))])
    let group = try #require(catalog.groups.first)
    #expect(group.problems.contains(.notMember(try uuid(1), path: "disk1")))
    #expect(catalog.orphans.isEmpty)
  }

  @Test func `a disk that is too short by a byte`() throws {
    var first = DiskBuilder(0, text(7))
    first.byteCount = (101 << 20) - 1
    let catalog = try VolumeCatalog([first, DiskBuilder(1, text(7))])
    let group = try #require(catalog.groups.first)
    #expect(
      group.problems == [
        .tooShort(
          group.group.physicalVolumes[0], path: "disk0", byteCount: (101 << 20) - 1,
          required: 101 << 20)
      ])
    #expect(group.problems.contains { !$0.isLoss } == false)
  }

  // MARK: - Damage

  /// A disk whose newest text lost its last line.
  private func damaged(_ number: Int, _ texts: String...) -> DiskBuilder {
    var disk = DiskBuilder(number)
    var start: UInt64 = 0
    for text in texts { start = disk.area.write(text) }
    disk.area.device[Int(start) + (texts.last?.utf8.count ?? 0) - 30] = 0
    return disk
  }

  @Test func `a damaged area beside a sound one is said, and no more`() throws {
    let catalog = try VolumeCatalog([damaged(0, text(6), text(7)), DiskBuilder(1, text(7))])
    let group = try #require(catalog.groups.first)
    #expect(group.group.seqno == 7)
    #expect(!group.problems.isEmpty)
    for problem in group.problems {
      guard case .area("disk0", _) = problem else {
        Issue.record("\(problem)")
        return
      }
    }
  }

  @Test func `where all areas are damaged, the newest text that is whole serves`() throws {
    let disks = [damaged(0, text(4), text(7)), damaged(1, text(4), text(5), text(7))]
    let group = try #require(try VolumeCatalog(disks).groups.first)
    #expect(group.group.seqno == 5)
    #expect(group.problems.contains(.fromRing(path: "disk1", seqno: 5)))
    #expect(group.problems.contains { if case .area = $0 { true } else { false } })
  }

  @Test func `an area that lost its header, and has no text, is said where others know the group`()
    throws
  {
    var second = DiskBuilder(1)
    second.area.device = Array(repeating: 0, count: 24 << 10)
    let group = try #require(
      try VolumeCatalog([DiskBuilder(0, text(7)), second]).groups.first)
    #expect(group.problems == [.area(path: "disk1", MetadataAreaProblem.noHeader.description)])
  }

  @Test func `a label with a wrong checksum is used, and said`() throws {
    let disk = DiskBuilder(0, text(7))
    var bytes = disk.bytes
    bytes[512 + 400] ^= 1
    let source = FaultySource(byteCount: 101 << 20, name: "disk0", pieces: [(0, bytes)])
    let found = try PhysicalVolumeSearch([source, DiskBuilder(1, text(7)).source("disk1")]).found
    #expect(
      try VolumeCatalog(found).groups.first?.problems
        == [.label(path: "disk0", "the label's checksum is wrong")])
  }

  // MARK: - Texts from files

  @Test func `a text from a file serves where the areas are lost`() throws {
    let file = try VolumeGroup(text(7))
    var disks = [DiskBuilder(0), DiskBuilder(1)]
    for index in disks.indices { disks[index].label.metadataAreas = [] }
    let catalog = try VolumeCatalog(disks, texts: [file])
    let group = try #require(catalog.groups.first)
    #expect(group.group.seqno == 7)
    #expect(group.problems == [])
    #expect(catalog.orphans.isEmpty)
    #expect(try VolumeCatalog(disks).orphans.count == 2)
  }

  @Test func `a text from a file takes the place of what the areas say, older or newer`() throws {
    let disks = [DiskBuilder(0, text(7)), DiskBuilder(1, text(7))]
    let older = try #require(
      try VolumeCatalog(disks, texts: [VolumeGroup(text(3))]).groups.first)
    #expect((try older.version(nil).seqno, older.group.seqno) == (3, 7))
    #expect(older.problems == [])
    let newer = try #require(
      try VolumeCatalog(disks, texts: [VolumeGroup(text(9))]).groups.first)
    #expect((try newer.version(nil).seqno, newer.group.seqno) == (9, 7))
    #expect(newer.problems.allSatisfy { !$0.isLoss })
  }

  @Test func `a text of a group of which nothing is there`() throws {
    let group = try #require(
      try VolumeCatalog([DiskBuilder](), texts: [VolumeGroup(text(3))]).groups.first)
    #expect(group.problems.map(\.isLoss) == [true, true])
  }
}
