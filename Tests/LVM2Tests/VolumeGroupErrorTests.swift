import LVM2
import Testing

/// What lvm2 would not map, and where it is said to be.
@Suite struct VolumeGroupErrorTests {
  @Test(arguments: [
    (
      #"contents = "Text"#, #"contents = "Other"#, "“Other Format Volume Group”",
      "“Text Format Volume Group”"
    ),
    ("version = 1\n", "version = 2\n", "2", "a number from 1 to 1"),
    ("extent_size = 2048\n", "", "no extent_size", "a number from 1 to 4294967295 of that name"),
    ("extent_size = 2048", "extent_size = 0", "0", "a number from 1"),
    ("extent_size = 2048", "extent_size = \"x\"", "“x”", "a number from 1"),
    ("extent_size = 2048", "extent_size = 4294967296", "4294967296", "a number from 1"),
    ("seqno = 7", "seqno = -7", "-7", "a number from 0"),
    ("seqno = 7", "seqno = 7.5", "a fraction", "a number from 0"),
    ("seqno = 7", "seqno { }", "a section", "a number from 0"),
    (#"id = "gggggg-"#, #"id = ""#, "“0000-0000-0000-0000-0000-000000”", "a UUID"),
    ("vg0 {", "\"v g\" {", "“v g”", "a name of at most 127 letters"),
    ("snap {", "\"sn\u{1b}\" {", "“sn\\x1b”", "a name of at most 127 letters"),
    ("pv0 {", "\"p|v\" {", "“p|v”", "a name of at most 127 letters"),
    ("pe_count = 99", "pe_count = \"99\"", "“99”", "a number from 0"),
    ("pe_start = 4096", "pe_start = 18014398509481983", "99", "a count of extents that end below"),
    ("pe_start = 4096", "pe_start = 18014398509481984", "18014398509481984", "a number from 0"),
    ("dev_size = 206848\npe_start = 4096", "dev_size = []\npe_start = 4096", "a list", "a number"),
    ("segment_count = 2", "segment_count = 1", "1", "2, the number of the segments,"),
    ("start_extent = 6", "start_extent = 7", "7", "6, where the segment before it ends,"),
    ("start_extent = 6", "start_extent = 5", "5", "6, where the segment before it ends,"),
    ("extent_count = 6", "extent_count = 0", "0", "a number from 1"),
    ("extent_count = 4", "extent_count = 3", "2", "a number of which 3 extents are a multiple"),
    ("stripe_count = 2", "stripe_count = 1", "a list", "a list of 1 names, each with an extent,"),
    ("stripe_count = 2", "stripe_count = 0", "0", "a number from 1"),
    ("stripe_size = 128", "stripe_size = 0", "0", "a number from 1"),
    (#""pv0", 2"#, #""pv0", 2, "pv1""#, "a list", "a list of 1 names"),
    (#""pv0", 2"#, #""pv9", 2"#, "“pv9”", "the name of a physical or logical volume"),
    (#""pv0", 2"#, #""snapshot0", 2"#, "“snapshot0”", "the name of a physical or logical volume"),
    (#""pv0", 2"#, #""pv0", -2"#, "-2", "the number of an extent"),
    (#""pv0", 2"#, #""pv0", "pv0""#, "“pv0”", "the number of an extent"),
    (#""pv0", 2"#, "2, \"pv0\"", "2", "a string"),
    (#"stripes = ["pv1", 10]"#, "", "no stripes", "a list of that name"),
    (#"origin = "root""#, #"origin = "no""#, "“no”", "the name of a logical volume"),
    (#"cow_store = "snap""#, #"cow_store = "no""#, "“no”", "the name of a logical volume"),
    (#"cow_store = "snap""#, "", "no cow_store", "a string of that name"),
    (
      #"cow_store = "snap""#, #"cow_store = "snap" merging_store = "snap""#,
      "both cow_store and merging_store", "one of the two"
    ),
    ("chunk_size = 8\n", "", "no chunk_size", "a number"),
    ("physical_volumes {", "other {", "no physical_volumes", "a section of that name"),
    (#"["READ", "WRITE"]"#, #"["READ", 1]"#, "1", "a string"),
  ])
  func `what is wrong, and what is required`(
    old: String, new: String, found: String, required: String
  ) throws {
    #expect(SampleText.small.contains(old))
    let error = try #require(
      failure(of: SampleText.small.replacing(old, with: new, maxReplacements: 1)))
    #expect(error.found == found)
    #expect(error.required.hasPrefix(required))
  }

  @Test func `a value is wrong where it stands, and a missing one where its section begins`() throws
  {
    let wrong = SampleText.small.replacing("extent_size = 2048", with: "  extent_size = []")
    #expect(
      failure(of: wrong)?.description
        == "line 7, column 17: found a list, but a number from 1 to 4294967295 is required")
    let missing = SampleText.small.replacing("pe_count = 99", with: "")
    #expect((failure(of: missing)?.line, failure(of: missing)?.column) == (25, 1))
    #expect(failure(of: "contents = 1 a {")?.description.hasPrefix("line 1, column 17") == true)
    #expect(failure(of: "")?.found == "no contents")
    let empty = "contents = \"Text Format Volume Group\" version = 1"
    #expect(failure(of: empty)?.found == "no section")
  }

  @Test(arguments: [
    #"type = "raid1" device_count = 2 raids = ["a"]"#,
    #"type = "raid1" device_count = 1 raids = ["pv0"]"#,
    #"type = "raid1" device_count = 1 raids = ["a_rmeta_0"]"#,
    #"type = "raid1" device_count = 1 raids = [1]"#, #"type = "raid1" device_count = 0 raids = []"#,
    #"type = "raid5" device_count = 1 stripe_size = 1 raids = ["a"]"#,
    #"type = "raid6" device_count = 2 stripe_size = 1 raids = ["a", "b"]"#,
    #"type = "raid0" stripe_count = 1 stripe_size = 1 raids = ["a"]"#,
    #"type = "raid0" stripe_count = 1 raid0_lvs = ["a"]"#,
    #"type = "raid10" device_count = 2 data_copies = 3 stripe_size = 1 raids = ["a", "b"]"#,
    #"type = "mirror" mirror_count = 1 mirrors = ["a", 0] mirror_log = "pv0""#,
    #"type = "mirror" mirror_count = 1 mirrors = ["a", 0] extents_moved = 9"#,
    #"type = "mirror" mirrors = ["a", 0]"#, #"type = 1"#, "",
  ])
  func `a segment that is none`(segment: String) {
    let others = SampleText.volumes(["a", "b", "a_rmeta_0"])
    #expect(failure(of: SampleText.group(segment: segment, others: others)) != nil)
  }

  @Test func `no number is too large to be counted in bytes`() {
    let text = SampleText.group(volumes: SampleText.volumes(["a"]))
    #expect(failure(of: text) == nil)
    let large = text.replacing("extent_size = 2048", with: "extent_size = 4294967295")
    #expect(failure(of: large) == nil)
    #expect(failure(of: large.replacing("extent_count = 8", with: "extent_count = 4194304")) == nil)
    #expect(
      failure(of: large.replacing("extent_count = 8", with: "extent_count = 4294967295"))?.required
        == "a count of extents that end below byte 2^63")
    #expect(
      failure(of: large.replacing(#"["pv0", 0]"#, with: #"["pv0", 4294967295]"#))?.found
        == "4294967295")
  }

  @Test func `volumes that lie on themselves`() throws {
    func lying(_ name: String, on other: String) -> String {
      SampleText.volume(
        name, segment: "type = \"striped\" stripe_count = 1 stripes = [\"\(other)\", 0]")
    }
    let selfish = try #require(failure(of: SampleText.group(volumes: lying("a", on: "a"))))
    #expect(selfish.found == "volume “a”, which contains itself")
    let ring = lying("x", on: "a") + lying("a", on: "b") + lying("b", on: "c") + lying("c", on: "a")
    #expect(failure(of: SampleText.group(volumes: ring)) != nil)
    let raid = SampleText.volume("a", segment: #"type = "raid1" device_count = 1 raids = ["b"]"#)
    #expect(failure(of: SampleText.group(volumes: raid + lying("b", on: "a"))) != nil)
    let log = SampleText.volume(
      "a", segment: #"type = "mirror" mirror_count = 1 mirrors = ["pv0", 0] mirror_log = "a""#)
    #expect(failure(of: SampleText.group(volumes: log)) != nil)

    func tower(_ count: Int) -> String {
      lying("v0", on: "pv0") + (1..<count).map { lying("v\($0)", on: "v\($0 - 1)") }.joined()
    }
    #expect(failure(of: SampleText.group(volumes: tower(32))) == nil)
    #expect(failure(of: SampleText.group(volumes: tower(33))) != nil)
    #expect(failure(of: SampleText.group(volumes: tower(5000))) != nil)
  }
}
