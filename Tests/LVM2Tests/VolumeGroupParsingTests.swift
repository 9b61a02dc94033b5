import Testing

@testable import LVM2

/// A text as a volume group: what its parts mean.
@Suite struct VolumeGroupParsingTests {
  @Test func `a small group, and all that is said of it`() throws {
    let group = try VolumeGroup(SampleText.small)
    #expect(group.name == "vg0")
    #expect(group.uuid.description == "gggggg-0000-0000-0000-0000-0000-000000")
    #expect(group.seqno == 7)
    #expect(group.status == ["RESIZEABLE", "READ", "WRITE"])
    #expect(group.extentByteCount == 1 << 20)
    #expect(group.description == "lvcreate")
    #expect(group.creationTime == 1_700_000_001)
    #expect(group.writer == "2.03.16(2) (2022-05-18)")

    #expect(group.physicalVolumes.map(\.name) == ["pv0", "pv1"])
    let second = try #require(group.physicalVolumes.last)
    #expect(second.uuid.description == "pppppp-1111-0000-0000-0000-0000-000000")
    #expect(second.device == "/dev/sdb")
    #expect((second.status, second.flags) == (["ALLOCATABLE"], ["MISSING"]))
    #expect(second.byteCount == 101 << 20)
    #expect((second.startByteOffset, second.extentCount) == (2 << 20, 99))

    #expect(group.logicalVolumes.map(\.name) == ["root", "snap"])
    let root = try #require(group.logicalVolumes.first)
    #expect((root.creationTime, root.extentCount, root.isVisible) == (1_700_000_000, 10, true))
    #expect(root.segments.map(\.extents) == [0..<6, 6..<10])
    #expect(
      root.segments.map(\.mapping) == [
        .striped([.physical("pv0", extent: 2)], stripeByteCount: 0),
        .striped(
          [.physical("pv0", extent: 20), .physical("pv1", extent: 0)], stripeByteCount: 65536),
      ])
    #expect(
      group.snapshots == [
        VolumeGroup.Snapshot(
          store: "snap", origin: "root", chunkSectors: 8, isMerging: false, extentCount: 10)
      ])
  }

  @Test func `a group that lvm2 wrote`() throws {
    let group = try VolumeGroup(SampleText.written)
    #expect(group.writer == "2.03.16(2) (2022-05-18)")
    #expect(group.description == "vgcfgbackup -f /lab/final.vg vg0")
    #expect(group.physicalVolumes.map(\.extentCount) == [99, 98, 99, 99])
    #expect(
      group.snapshots == [
        VolumeGroup.Snapshot(
          store: "rootsnap", origin: "root", chunkSectors: 16, isMerging: false, extentCount: 10),
        VolumeGroup.Snapshot(
          store: "rootsnap2", origin: "root", chunkSectors: 8, isMerging: true, extentCount: 10),
      ])
    func mapping(_ name: String) -> VolumeGroup.Mapping? {
      group.logicalVolumes.first { $0.name == name }?.segments.first?.mapping
    }
    #expect(
      mapping("r1")
        == .raid(
          VolumeGroup.Raid(
            type: "raid1",
            legs: [
              VolumeGroup.Raid.Leg(metadata: "r1_rmeta_0", data: "r1_rimage_0"),
              VolumeGroup.Raid.Leg(metadata: "r1_rmeta_1", data: "r1_rimage_1"),
            ], stripeByteCount: 0, dataCopies: 2)))
    #expect(
      mapping("m1")
        == .mirror(
          [.logical("m1_mimage_0", extent: 0), .logical("m1_mimage_1", extent: 0)],
          VolumeGroup.Mirror(log: "m1_mlog", extentsMoved: nil)))
    #expect(mapping("thin") == .unsupported(type: "thin"))
  }

  @Test(arguments: [
    (#"type = "zero""#, VolumeGroup.Mapping.zero), (#"type = "error""#, .error),
    (#"type = "error+X+Y""#, .error), (#"type = "vdo""#, .unsupported(type: "vdo")),
    (#"type = "integrity+NEW" origin = "no""#, .unsupported(type: "integrity")),
    (#"type = "raid99""#, .unsupported(type: "raid99")),
    (
      #"type = "striped+X" stripe_count = 1 stripes = ["pv1", 91]"#,
      .striped([.physical("pv1", extent: 91)], stripeByteCount: 0)
    ),
    (
      #"type = "striped" stripe_count = 1 stripe_size = 8 stripes = ["a", 1]"#,
      .striped([.logical("a", extent: 1)], stripeByteCount: 0)
    ),
    (
      #"type = "mirror" mirror_count = 2 extents_moved = 8 mirrors = ["pv0", 1, "pv1", 2]"#,
      .mirror(
        [.physical("pv0", extent: 1), .physical("pv1", extent: 2)],
        VolumeGroup.Mirror(log: nil, extentsMoved: 8))
    ),
    (
      #"type = "raid0" stripe_count = 2 stripe_size = 128 raid0_lvs = ["a", "b"]"#,
      .raid(
        VolumeGroup.Raid(
          type: "raid0",
          legs: [.init(metadata: nil, data: "a"), .init(metadata: nil, data: "b")],
          stripeByteCount: 65536, dataCopies: 2))
    ),
    (
      #"type = "raid10" device_count = 3 data_copies = 3 stripe_size = 1 raids = ["a", "b_rmeta_0", "b", "b"]"#,
      .raid(
        VolumeGroup.Raid(
          type: "raid10",
          legs: [
            .init(metadata: nil, data: "a"), .init(metadata: "b_rmeta_0", data: "b"),
            .init(metadata: nil, data: "b"),
          ], stripeByteCount: 512, dataCopies: 3))
    ),
    (
      #"type = "raid5_ls" device_count = 3 stripe_size = 128 reshape_count = 1 raids = ["x"]"#,
      .unsupported(type: "raid5_ls")
    ),
    (#"type = "raid5" data_offset = 2048"#, .unsupported(type: "raid5")),
  ])
  func `every mapping`(segment: String, mapping: VolumeGroup.Mapping) throws {
    let others = SampleText.volumes(["a", "b", "b_rmeta_0"])
    #expect(
      try VolumeGroup(SampleText.group(segment: segment, others: others)).firstMapping == mapping)
  }

  @Test func `segments may stand in any order, and a volume may have none`() throws {
    let text = SampleText.group(
      volumes: """
        lv { id = "llllll-0000-0000-0000-0000-0000-000000" segment_count = 2
        segment2 { start_extent = 5 extent_count = 1 type = "zero" }
        segment1 { start_extent = 0 extent_count = 5 type = "error" } }
        none { id = "llllll-0000-0000-0000-0000-0000-000000" segment_count = 0 }
        """)
    let group = try VolumeGroup(text)
    #expect(group.logicalVolumes.map(\.extentCount) == [6, 0])
    #expect(group.logicalVolumes.first?.segments.map(\.mapping) == [.error, .zero])
  }

  @Test func `a name of both kinds is that of the physical volume`() throws {
    let text = SampleText.group(
      segment: #"type = "striped" stripe_count = 1 stripes = ["pv0", 1]"#,
      others: SampleText.volumes(["pv0"]))
    #expect(
      try VolumeGroup(text).firstMapping
        == .striped([.physical("pv0", extent: 1)], stripeByteCount: 0))
  }

  @Test func `a group without volumes, and without what lvm2 added later`() throws {
    let text = SampleText.group(volumes: "")
      .replacing("logical_volumes {\n\n\n}", with: "")
      .replacing("dev_size = 206848\n", with: "")
      .replacing("creation_time = 1700000001", with: "")
      .replacing("# Generated by", with: "# By")
    let group = try VolumeGroup(text)
    #expect(group.logicalVolumes.isEmpty)
    #expect(group.physicalVolumes.map(\.byteCount) == [nil, nil])
    #expect((group.creationTime, group.writer) == (nil, nil))
  }
}
