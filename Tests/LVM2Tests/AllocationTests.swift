import Testing

@testable import LVM2

/// Who has which extents.
@Suite struct AllocationTests {
  private func words(_ allocations: [Allocation]) -> [String] {
    allocations.map {
      "\($0.volume): \($0.physicalVolume.description.dropFirst(7).prefix(4)) \($0.extents)"
    }
  }

  @Test func `the extents of each volume, stripe by stripe`() throws {
    let group = try VolumeGroup(SampleText.small)
    #expect(
      words(group.allocations) == [
        "root: 0000 2..<8", "root: 0000 20..<22", "root: 1111 0..<2", "snap: 1111 10..<13",
      ])
    #expect(words(group.allocations(below: "snap")) == ["snap: 1111 10..<13"])
    #expect(group.allocations(below: "no").isEmpty)
    #expect(group.wholeVolumes.map(\.name) == ["root", "snap"])
    #expect(group.allocations.last?.volumeUUID.description.hasPrefix("ssssss") == true)
  }

  @Test func `what lies below a volume belongs to it, once`() throws {
    let others =
      SampleText.volumes(["x_rmeta_0", "x_rimage_0", "log", "other"])
      + SampleText.volume(
        "copy",
        segment: """
          type = "mirror" mirror_count = 2 mirrors = ["pv0", 5, "pv1", 6] mirror_log = "log"
          """)
    let text = SampleText.group(
      segment: #"type = "raid1" device_count = 2 raids = ["x_rmeta_0", "x_rimage_0", "copy"]"#,
      others: others)
    let group = try VolumeGroup(text)
    #expect(
      words(group.allocations(below: "lv")).sorted() == [
        "copy: 0000 5..<13", "copy: 1111 6..<14", "log: 0000 0..<8", "x_rimage_0: 0000 0..<8",
        "x_rmeta_0: 0000 0..<8",
      ])
    #expect(words(group.allocations).contains("other: 0000 0..<8"))
  }

  @Test func `zeroes, errors, and what is not read have none`() throws {
    for type in ["zero", "error", "thin"] {
      let group = try VolumeGroup(SampleText.group(segment: "type = \"\(type)\""))
      #expect(group.allocations.isEmpty)
    }
  }
}
