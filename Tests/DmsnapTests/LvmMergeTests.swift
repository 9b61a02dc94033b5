import Foundation
import TestSupport
import Testing

/// A merge into a volume of a group writes the origin's extents in the images, and nothing else.
@Suite struct LvmMergeTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  private var undo: String { directory.path("undo") }

  /// Cases whose origin is written, and how many copies there are of each of its bytes.
  private static let written = [
    "linear": 1, "linear-6.12": 1, "striped": 1, "cow-segments": 1, "read-only": 1,
    "chunk-differs": 1, "renamed": 1, "raid1": 2, "mirror-core": 1, "mirror-disk": 2, "raid0": 1,
    "raid10": 2, "pvmove": 1, "two-mdas": 1, "no-mda": 1, "alignment": 1, "outdated-pv": 1,
    "groups": 1, "partitioned": 1,
  ]

  // MARK: - There and back

  @Test(arguments: written.keys.sorted())
  func `a merge writes just the sectors that differ, to every copy, and its undo all of them back`(
    name: String
  ) throws {
    let volumes = try Volumes(name, in: directory)
    let (path, origin, sha256) = try volumes.snapshot
    let before = try volumes.bytes()
    let old = try #require(try volumes.extract(origin))
    let new = try #require(try volumes.extract(path))
    #expect(new.sha256 == sha256)

    let there = try volumes.run("merge", path, "--undo", undo, "--verify")
    #expect(there.status == 0, "\(there)")
    #expect(there.outputLines.last?.hasSuffix(": lvremove \(path)") == true, "\(there)")
    #expect(try volumes.extract(origin)?.firstDifference(from: new) == nil)
    #expect(try volumes.extract(path)?.firstDifference(from: new) == nil)
    // Sectors of the images that were changed held the origin, and now hold the snapshot. All of
    // those are changed, as often as there are copies, and no byte elsewhere.
    let copyCount = Self.written[name] ?? 0
    let expected = SectorChange.count(from: [old], to: [new]).mapValues { $0 * copyCount }
    let isAsExpected = SectorChange.count(from: before, to: try volumes.bytes()) == expected
    #expect(isAsExpected)

    let back = try volumes.run("merge", undo, "--origin", origin, "--no-undo", "--verify")
    // Without a log nobody knows that the other leg is in step.
    let isNoted = name == "mirror-core"
    #expect(back.status == 0 && back.errors.contains("is not written") == isNoted, "\(back)")
    #expect(back.errorLines.count == (isNoted ? 1 : 0), "\(back)")
    #expect(try volumes.areUntouched())
  }

  @Test func `a merge tells how to undo it`() throws {
    let volumes = try Volumes("raid1", in: directory)
    let outcome = try volumes.run("merge", "vg/snap", "--undo", undo)
    let line = try #require(outcome.outputLines.first { $0.hasPrefix("to undo") })
    let words = line.split(separator: ": ", maxSplits: 1)[1].split(separator: " ").map(String.init)
    #expect(words.first == "dmsnap")
    #expect(try dmsnap.run(Array(words.dropFirst())).status == 0)
    #expect(try volumes.areUntouched())
  }

  @Test(arguments: ["merge-pending", "merge-cut"])
  func `a merge that lvm2 has begun ends as the kernel's would`(name: String) throws {
    let volumes = try Volumes(name, in: directory)
    let outcome = try volumes.run("merge", "vg/snap", "--undo", undo)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.outputLines.last?.contains("at the next activation") == true, "\(outcome)")
    let merged = volumes.facts.volume("origin")?.sha256
    #expect(try volumes.extract("vg/origin-real")?.sha256 == merged)
    #expect(try volumes.extract("vg/origin")?.sha256 == merged)
    #expect(try volumes.run("merge", undo, "--origin", "vg/origin", "--no-undo").status == 0)
    #expect(try volumes.areUntouched())
  }

  @Test(arguments: ["raid1-degraded", "raid1-rebuilding"])
  func `a leg that is out of date is left alone, and said to be`(name: String) throws {
    let volumes = try Volumes(name, in: directory)
    let new = try #require(try volumes.extract("vg/snap"))
    let stale = name == "raid1-degraded" ? 0 : 1
    let there = try volumes.run("merge", "vg/snap", "--undo", undo)
    #expect(there.status == 0 && there.errors.contains("a leg that is out of date"), "\(there)")
    #expect(try volumes.extract("vg/origin") == new)
    #expect(try Files.sha256(volumes.paths[stale]) == volumes.facts.pvs[stale].sha256)
    #expect(try volumes.run("merge", undo, "--origin", "vg/origin", "--no-undo").status == 0)
    #expect(try volumes.areUntouched())
  }

  @Test(arguments: ["raid1-degraded", "raid1-rebuilding"])
  func `all legs are written when that is asked for, and the other one's bytes are given back`(
    name: String
  ) throws {
    let volumes = try Volumes(name, in: directory)
    let old = try #require(try volumes.extract("vg/origin"))
    let new = try #require(try volumes.extract("vg/snap"))
    let current = name == "raid1-degraded" ? 1 : 0
    let there = try volumes.run("merge", "vg/snap", "--undo", undo, "--all-legs")
    #expect(there.status == 0 && there.errors.isEmpty, "\(there)")
    #expect(there.output.contains(" --no-undo --all-legs\n"), "\(there)")
    #expect(try volumes.extract("vg/origin") == new)
    let changed = stride(from: 0, to: old.count, by: 512).filter {
      Data(old[$0..<$0 + 512]) != Data(new[$0..<$0 + 512])
    }
    for leg in ["0", "1"] {
      let bytes = try #require(try volumes.extract("vg/origin", "--leg", leg))
      let areWritten = changed.allSatisfy {
        Data(bytes[$0..<$0 + 512]) == Data(new[$0..<$0 + 512])
      }
      #expect(areWritten, "leg \(leg)")
    }
    let back = try volumes.run(
      "merge", undo, "--origin", "vg/origin", "--no-undo", "--all-legs")
    #expect(back.status == 0, "\(back)")
    #expect(try volumes.extract("vg/origin") == old)
    #expect(try Files.sha256(volumes.paths[current]) == volumes.facts.pvs[current].sha256)
  }

  @Test func `a snapshot that was not merged as a whole is not to be removed`() throws {
    let volumes = try Volumes("overflow", in: directory)
    let path = try volumes.snapshot.path
    let outcome = try volumes.run("merge", path, "--undo", undo, "--reading", "salvage")
    #expect(outcome.status == 1 || outcome.status == 2, "\(outcome)")
    #expect(!outcome.output.contains("lvremove"), "\(outcome)")
    #expect(outcome.output.contains("still has \(path): keep it until"), "\(outcome)")
  }

  /// What a merge prints is what undoes it, and afterwards every byte of every disk is as it was.
  @Test(arguments: VolumeCorpus.names)
  func `a merge of any snapshot of any group is refused, or taken back to the last byte`(
    name: String
  ) throws {
    let volumes = try Volumes(name, in: directory)
    let listed = try volumes.run("lvm", "list", "--format", "json")
    let report = try JSONDecoder().decode(Listed.self, from: Data(listed.output.utf8))
    for group in report.volumeGroups {
      for snapshot in group.snapshots {
        let undo = directory.path("undo-\(snapshot.name)")
        let there = try volumes.run("merge", "\(group.name)/\(snapshot.name)", "--undo", undo)
        guard let status = there.status, status < 3 else {
          #expect(try volumes.areUntouched(), "\(there)")
          continue
        }
        let line = try #require(there.outputLines.first { $0.hasPrefix("to undo") }, "\(there)")
        let words = line.split(separator: ": ", maxSplits: 1)[1].dropFirst("dmsnap".count)
        let shell = try #require(ToolRunner(named: "sh"))
        let back = try shell.run(["-c", "\(dmsnap.path)\(words)"])
        #expect(back.status == 0, "\(back)")
        #expect(try volumes.areUntouched(), "\(there)")
      }
    }
  }

  private struct Listed: Decodable {
    struct Group: Decodable {
      let name: String
      let snapshots: [Snapshot]
    }
    struct Snapshot: Decodable { let name: String }
    let volumeGroups: [Group]
  }

  @Test func `a part of an image that the user names is written in place`() throws {
    let volumes = try Volumes("partitioned", in: directory)
    let options = zip(volumes.paths, volumes.facts.pvs).flatMap {
      ["--pv", "\($0),offset=\($1.byteOffset)"]
    }
    let new = try #require(try volumes.extract("vg/snap"))
    let there = try dmsnap.run(["merge", "vg/snap", "--undo", undo] + options)
    #expect(there.status == 0, "\(there)")
    #expect(try volumes.extract("vg/origin") == new)
    let back = try dmsnap.run(["merge", undo, "--origin", "vg/origin", "--no-undo"] + options)
    #expect(back.status == 0, "\(back)")
    #expect(try volumes.areUntouched())
  }

  @Test(arguments: [["--dry-run"], ["--dry-run", "--undo", "U"], ["--dry-run", "--no-undo"]])
  func `a dry run writes nothing, and --to a new image alone`(how: [String]) throws {
    let volumes = try Volumes("striped", in: directory)
    for path in volumes.paths { Files.age(path) }
    let before = try volumes.states()
    let how = how.map { $0 == "U" ? undo : $0 }
    let dry = try dmsnap.run(["merge", "vg/snap"] + how + volumes.options)
    #expect(dry.status == 0 && dry.output.contains("vg/snap → vg/origin"), "\(dry)")
    let image = directory.path("image")
    #expect(try volumes.run("merge", "vg/snap", "--to", image).status == 0)
    #expect(try Files.sha256(image) == volumes.snapshot.sha256)
    #expect(try volumes.states() == before)
    #expect(try directory.names() == ["image", "pv0.img", "pv1.img"])
  }

  // MARK: - Earlier versions

  @Test func `a removed snapshot is merged from an earlier version of the group`() throws {
    let volumes = try Volumes("removed", in: directory)
    let earlier = volumes.facts.before[0]
    let outcome = try volumes.run(
      "merge", "vg/snap", "--seqno", "\(earlier.seqno)", "--undo", undo)
    #expect(outcome.status == 0 && outcome.errors.contains("lvm.older-version"), "\(outcome)")
    #expect(!outcome.output.contains("lvremove"), "the group has no such snapshot: \(outcome)")
    #expect(try volumes.extract("vg/origin")?.sha256 == earlier.sha256)
    #expect(try volumes.run("merge", undo, "--origin", "vg/origin", "--no-undo").status == 0)
    #expect(try volumes.areUntouched())
  }

  @Test func `a store whose extents were given to others is not merged in place`() throws {
    let volumes = try Volumes("removed-reused", in: directory)
    let outcome = try volumes.run("merge", "vg/snap", "--seqno", "4", "--undo", undo)
    #expect(outcome.status == 4, "\(outcome)")
    #expect(outcome.errorLines.last?.contains("were reallocated to vg/new") == true, "\(outcome)")
    #expect(try volumes.areUntouched())
    let image = directory.path("image")
    #expect(try volumes.run("merge", "vg/snap", "--seqno", "4", "--to", image).status == 1)
  }

  // MARK: - Other snapshots

  @Test(arguments: [("early", "late"), ("late", "early")])
  func `what another snapshot shows through the origin is not overwritten unasked`(
    name: String, other: String
  ) throws {
    let volumes = try Volumes("two-snapshots", in: directory)
    for way in [["--undo", undo], ["--no-undo"], ["--no-undo", "--dry-run"]] {
      let refused = try dmsnap.run(["merge", "vg/\(name)"] + way + volumes.options)
      #expect(refused.status == 4 && refused.output.isEmpty, "\(refused)")
      #expect(refused.complaint(naming: "vg/\(other) would show") == nil)
    }
    #expect(try volumes.areUntouched() && !Files.exist(undo))
    let accepted = try volumes.run(
      "merge", "vg/\(name)", "--undo", undo, "--accept", "other-snapshots")
    #expect(accepted.status == 0, "\(accepted)")
    #expect(
      try volumes.extract("vg/origin")?.sha256 == volumes.facts.volume(name)?.sha256)
    // The undo gives the other snapshot back as well, which is to be said as it changes it again.
    let back = try volumes.run(
      "merge", undo, "--origin", "vg/origin", "--no-undo", "--accept", "other-snapshots")
    #expect(back.status == 0, "\(back)")
    #expect(try volumes.areUntouched())
  }
}
