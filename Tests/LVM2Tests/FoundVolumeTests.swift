import BlockIO
import Testing

@testable import LVM2

/// Volumes by the names that people give them.
@Suite struct FoundVolumeTests {
  private static let uuid = "gggggg-0000-0000-0000-0000-0000-000000"

  /// A group that was renamed: "old" in version 6, "vg0" since.
  private var renamed: VolumeCatalog {
    get throws {
      let old = SampleText.small.replacing("vg0 {", with: "old {")
        .replacing("seqno = 7", with: "seqno = 6")
      return try VolumeCatalog([DiskBuilder(0, old, SampleText.small)])
    }
  }

  @Test func `a group goes by its name, its UUID, and below /dev`() throws {
    let catalog = try renamed
    for name in ["vg0/root", "\(Self.uuid)/root", "/dev/vg0/root"] {
      let volume = try #require(try catalog.volume(named: name))
      #expect((volume.version.seqno, volume.name, volume.text) == (7, "root", "vg0/root"))
    }
    for name in ["root", "vg1/root", "old/root", "", "/", "/dev/vg0", "vg0"] {
      #expect(try catalog.volume(named: name) == nil, "\(name)")
    }
  }

  @Test func `an older version has the name of its time as well`() throws {
    let catalog = try renamed
    for name in ["old/root", "vg0/root"] {
      #expect(try catalog.volume(named: name, seqno: 6)?.text == "old/root")
    }
    let error = try #require(throws: VolumeError.self) {
      _ = try catalog.volume(named: "vg0/root", seqno: 5)
    }
    #expect(error.code == "lvm.no-version" && error.status == .noStore)
  }

  @Test func `two groups of one name are told apart by their UUIDs`() throws {
    var other = DiskBuilder(
      0,
      SampleText.small.replacing("gggggg", with: "hhhhhh").replacing("pppppp", with: "qqqqqq"))
    other.label.uuid = "qqqqqq00000000000000000000000000"[...]
    let catalog = try VolumeCatalog([DiskBuilder(0, SampleText.small), other])
    #expect(catalog.hasSameNames)
    let error = try #require(throws: VolumeError.self) {
      _ = try catalog.volume(named: "vg0/root")
    }
    #expect(error.status == .refused && error.code == "refused")
    #expect(
      error.description == "vg0: there are 2 groups of that name; use UUID/LV, with one of"
        + " \(Self.uuid), \(Self.uuid.replacing("gggggg", with: "hhhhhh"))")
    #expect(
      try catalog.volume(named: "\(Self.uuid)/root")?.group.group.uuid.description == Self.uuid)
    #expect(try !renamed.hasSameNames)
  }

  @Test func `a snapshot is a store, and its origin is none`() throws {
    let catalog = try renamed
    let snap = try #require(try catalog.volume(named: "vg0/snap"))
    #expect(snap.snapshot?.origin == "root" && snap.isStore && snap.shownSnapshot == snap.snapshot)
    let root = try #require(try catalog.volume(named: "vg0/root"))
    #expect(root.snapshot == nil && !root.isStore && root.shownSnapshot == nil)
  }

  @Test func `an origin shows the snapshot that is being merged into it`() throws {
    let text = SampleText.small.replacing("cow_store = \"snap\"", with: "merging_store = \"snap\"")
    let catalog = try VolumeCatalog([DiskBuilder(0, text)])
    let root = try #require(try catalog.volume(named: "vg0/root"))
    #expect(root.shownSnapshot?.store == "snap")
  }

  @Test(
    arguments: [
      ("snap-cow", "snap"), ("root-real", "root"), ("root", "root"), ("snap", "snap"),
      ("root-cow", "root-cow"), ("none", "none"),
    ])
  func `-cow and -real name what the device mapper calls that`(name: String, beneath: String) throws
  {
    let volume = try #require(try renamed.volume(named: "vg0/\(name)"))
    #expect(volume.beneath.name == beneath)
  }

  @Test func `a volume that is called like one of those is itself`() throws {
    let text = SampleText.small.replacing("snap", with: "x").replacing("root", with: "x-cow")
    let catalog = try VolumeCatalog([DiskBuilder(0, text)])
    #expect(try catalog.volume(named: "vg0/x-cow")?.beneath.name == "x-cow")
  }

  @Test func `a disk that is missing makes doubtful what lies on it`() throws {
    let doubts = try #require(try renamed.volume(named: "vg0/snap")).doubts()
    #expect(doubts.missing.map(\.name) == ["pv1"] && doubts.reuses.isEmpty && !doubts.isEmpty)
  }

  @Test func `a name that the group does not have is not found`() throws {
    let volume = try #require(try renamed.volume(named: "vg0/none"))
    let error = try #require(throws: VolumeError.self) { _ = try volume.source() }
    #expect(error.code == "lvm.no-volume" && error.status == .noStore && error.place == nil)
  }
}
