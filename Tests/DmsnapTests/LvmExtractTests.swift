import Foundation
import TestSupport
import Testing

/// `lvm extract`: a volume as its device would show it, without a kernel.
@Suite struct LvmExtractTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  /// Volumes that are not extracted as the kernel shows them, and what happens instead.
  private static let exceptions: [String: [String: Int32]] = [
    // A thin pool is read by nobody but thin-provisioning-tools.
    "thin": ["vg/origin": 5, "vg/pool": 5, "vg/snap": 5],
    // What would have to be computed from parity is lost.
    "raid5-degraded": ["vg/origin": 2, "vg/snap": 2],
  ]

  // MARK: - What the kernel shows

  @Test(arguments: VolumeCorpus.names)
  func `volumes, snapshots and stores are what the kernel showed, and the images only read`(
    name: String
  ) throws {
    let volumes = try Volumes(name, in: directory)
    for path in volumes.paths { Files.age(path) }
    let before = try volumes.states()
    let exceptions = Self.exceptions[name] ?? [:]
    for volume in volumes.facts.volumes {
      // Two groups of a case may have volumes of the same name, but not the same name.
      let path = "\(volume.vg)/\(volume.name)"
      if let sha256 = volume.sha256, exceptions[path] == nil {
        #expect(try volumes.extract(path)?.sha256 == sha256, "\(path)")
      }
      if let sha256 = volume.cowSha256 {
        #expect(try volumes.extract("\(path)-cow")?.sha256 == sha256, "\(path)-cow")
      }
    }
    #expect(try volumes.states() == before)
    #expect(try volumes.areUntouched())
  }

  @Test(
    arguments: VolumeCorpus.names.filter {
      // Of an overflowed store the kernel showed nothing even then; a part of the other's extents
      // was overwritten since, which is tested below.
      $0 != "overflow" && $0 != "removed-reused"
        && (try? VolumeCorpus.read($0).before.isEmpty) != true
    })
  func `snapshots that were removed or merged since are as they were`(name: String) throws {
    let volumes = try Volumes(name, in: directory)
    for earlier in volumes.facts.before {
      #expect(
        try volumes.extract(earlier.volume, "--seqno", "\(earlier.seqno)")?.sha256
          == earlier.sha256, "\(earlier)")
    }
  }

  @Test func `a store is found by its group's UUID as well, and the origin beneath its snapshots`()
    throws
  {
    let volumes = try Volumes("merge-pending", in: directory)
    let shown = try #require(try volumes.extract("vg/origin"))
    #expect(try volumes.extract("\(volumes.facts.groups[0].uuid)/origin") == shown)
    // What the merge has not done yet is not on the origin's own device.
    #expect(try volumes.extract("vg/origin-real") != shown)
    #expect(try volumes.extract("vg/snap") == shown)
  }

  @Test func `two groups of one name are told apart by their UUIDs`() throws {
    let one = try Volumes("linear", in: directory)
    let two = try Volumes("striped", in: directory, as: "striped")
    let options = one.options + two.options
    func extract(_ volume: String) throws -> ToolOutcome {
      try dmsnap.run(["lvm", "extract", volume, "--to", directory.path("image")] + options)
    }
    let refused = try extract("vg/snap")
    #expect(refused.status == 4 && refused.complaint(naming: "2 groups") == nil, "\(refused)")
    for group in [one, two] {
      #expect(refused.errors.contains(group.facts.groups[0].uuid))
    }
    #expect(try extract("\(two.facts.groups[0].uuid)/origin").status == 0)
    #expect(try Files.sha256(directory.path("image")) == two.facts.volume("origin")?.sha256)
  }

  // MARK: - What is not read

  @Test(arguments: ["origin", "pool", "snap"])
  func `what lies in a thin pool is not supported, and says so`(name: String) throws {
    let volumes = try Volumes("thin", in: directory)
    let outcome = try volumes.run("lvm", "extract", "vg/\(name)", "--to", directory.path("image"))
    #expect(outcome.status == 5 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint(naming: "not supported: thin") == nil)
    #expect(!Files.exist(directory.path("image")))
  }

  @Test func `of a store whose extents were reused, what the others wrote is in the image`() throws
  {
    let volumes = try Volumes("removed-reused", in: directory)
    let image = directory.path("image")
    let earlier = volumes.facts.before[0]
    let outcome = try volumes.run(
      "lvm", "extract", earlier.volume, "--seqno", "\(earlier.seqno)", "--to", image)
    #expect(outcome.errors.contains("lvm.extents-reused"), "\(outcome)")
    #expect(outcome.errors.contains("extents 18 to 19 of pv0"), "\(outcome)")
    // Nothing but the two extents of 64 KiB is wrong, less the chunk of their metadata.
    let bytes = try Files.bytes(image)
    let foreign = bytes.count(ofSectorsWith: "new gen 1")
    #expect(foreign > 0 && foreign <= 2 * 128, "\(foreign)")
    #expect(bytes.count(ofSectorsWith: "snap gen 1") == 800 - foreign)
  }

  // MARK: - What is refused

  @Test func `an output that exists is refused`() throws {
    let volumes = try Volumes("linear", in: directory)
    for target in [volumes.paths[0], try directory.write([1], to: "precious")] {
      let before = try FileState(target)
      for name in ["origin", "snap", "snap-cow"] {
        let outcome = try volumes.run("lvm", "extract", "vg/\(name)", "--to", target)
        #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.complaint(naming: target) == nil)
      }
      #expect(try FileState(target) == before)
    }
  }

  @Test(
    arguments: [
      ("vg/nope", "it has origin, snap"), ("vg/", "it has origin, snap"),
      ("nope/snap", "use vg/LV"),
      ("snap", "use vg/LV"), ("/vg/snap", "use vg/LV"),
    ])
  func `an unknown volume or group is status 3, with those that there are`(
    volume: String, message: String
  ) throws {
    let volumes = try Volumes("linear", in: directory)
    let image = directory.path("image")
    let outcome = try volumes.run("lvm", "extract", volume, "--to", image)
    #expect(outcome.status == 3 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint(naming: message) == nil)
    #expect(!Files.exist(image))
  }

  @Test(arguments: [[], ["--to", "-"], ["--to", ""]])
  func `wrong usage is 64`(arguments: [String]) throws {
    let outcome = try dmsnap.run(["lvm", "extract", "vg/lv", "--pv", "p"] + arguments)
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(try dmsnap.run(["lvm", "extract", "vg/lv", "--to", "x"]).status == 64)
  }
}
