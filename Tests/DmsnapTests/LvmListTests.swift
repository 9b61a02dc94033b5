import Foundation
import TestSupport
import Testing

/// `lvm list`: what the groups have, and whether all of it is there.
@Suite struct LvmListTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  private struct Listing: Decodable {
    struct Orphan: Decodable {
      let path: String
      let uuid: String
    }
    struct Group: Decodable {
      let name: String
      let uuid: String
      let seqno: UInt64
      let missing: [String]
      let problems: [String]
      let physicalVolumes: [PhysicalVolume]
      let logicalVolumes: [Volume]
      let snapshots: [Snapshot]
      let history: [Version]?
    }
    struct PhysicalVolume: Decodable {
      let uuid: String
      let path: String?
    }
    struct Volume: Decodable, Equatable {
      let name: String
      let byteCount: UInt64
      let type: String
    }
    struct Snapshot: Decodable {
      let name: String
      let origin: String
      let chunkSectors: UInt64
      let merging: Bool
      let verdict: String
      let fill: Double?
    }
    struct Version: Decodable {
      struct Pair: Decodable, Equatable {
        let name: String
        let origin: String
      }
      let seqno: UInt64
      let description: String
      let time: String?
      let snapshots: [Pair]
    }

    let schema: String
    let orphans: [Orphan]
    let volumeGroups: [Group]
  }

  private func list(
    _ options: [String], status: Int32 = 0, _ location: SourceLocation = #_sourceLocation
  ) throws -> Listing {
    let outcome = try dmsnap.run(["lvm", "list", "--format", "json"] + options)
    #expect(outcome.status == status, "\(outcome)", sourceLocation: location)
    return try JSONDecoder().decode(Listing.self, from: Data(outcome.outputBytes))
  }

  /// Whether a volume is but a part of another, by its name.
  private func isPart(_ name: String) -> Bool {
    name.contains(/_[rmt](image|meta|data)(_[0-9]+)?$|_mlog$|_pmspare$|^pvmove[0-9]+$/)
  }

  // MARK: - What lvm2 says

  /// Of groups in which not all is well: a snapshot that overflowed or was cut, a chunk size that is
  /// not the metadata's, a physical volume that is none of the group's any more.
  private static let statuses: [String: Int32] = [
    "overflow": 2, "shortened": 2, "chunk-differs": 1, "outdated-pv": 1,
  ]

  @Test func `an overflowed snapshot is called so, with the next command`() throws {
    let volumes = try Volumes("overflow", in: directory)
    let outcome = try volumes.run("lvm", "list")
    #expect(outcome.status == 2 && outcome.output.contains("overflowed"), "\(outcome)")
    let next = "dmsnap inspect vg/snap" + volumes.options.map { " \($0)" }.joined()
    #expect(outcome.output.contains("next   \(next)"), "\(outcome)")
  }

  @Test(arguments: VolumeCorpus.names)
  func `groups, volumes and snapshots are those of lvs, and the images are only read`(
    name: String
  ) throws {
    let volumes = try Volumes(name, in: directory)
    for path in volumes.paths { Files.age(path) }
    let before = try volumes.states()
    let listing = try list(volumes.options + ["--history"], status: Self.statuses[name] ?? 0)
    #expect(listing.schema == "dmsnap.lvm-list.v1")
    #expect(listing.volumeGroups.map(\.name) == volumes.facts.groups.map(\.name))
    for (group, expected) in zip(listing.volumeGroups, volumes.facts.groups) {
      #expect(group.uuid == expected.uuid && group.seqno == expected.seqno)
      #expect(group.missing.isEmpty)
      #expect(group.problems.isEmpty || name == "outdated-pv")
      let own = volumes.facts.volumes.filter { $0.vg == group.name }
      #expect(
        group.logicalVolumes.sorted { $0.name < $1.name }
          == own.filter { !isPart($0.name) }.map {
            Listing.Volume(name: $0.name, byteCount: $0.byteCount, type: $0.segtype)
          }.sorted { $0.name < $1.name })
      try expect(group.snapshots, own.filter { $0.origin != nil })
      try expect(group.history, of: group)
    }
    #expect(try volumes.states() == before)
  }

  private func expect(_ found: [Listing.Snapshot], _ said: [VolumeCorpus.Volume]) throws {
    #expect(found.map(\.name).sorted() == said.map(\.name).sorted())
    for snapshot in found {
      let volume = try #require(said.first { $0.name == snapshot.name })
      #expect(snapshot.origin == volume.origin)
      #expect(snapshot.chunkSectors * 512 == volume.chunkByteCount)
      #expect(snapshot.merging == volume.isMerging)
      // lvs says nothing of what is being merged, and of others what Linux counts.
      guard let status = volume.status else { continue }
      let numbers = status.split { $0 == "/" || $0 == " " }.compactMap { Double($0) }
      if numbers.count == 3, numbers[0] <= numbers[1] {
        let fill = try #require(snapshot.fill)
        #expect(abs(fill - numbers[0] / numbers[1] * 100) < 0.01, "\(status)")
        #expect(["healthy", "usable"].contains(snapshot.verdict))
      } else {
        let verdict = status == "Invalid" ? "overflowed" : "damaged"
        #expect(snapshot.fill == nil && snapshot.verdict == verdict, "\(status)")
      }
    }
  }

  private func expect(_ history: [Listing.Version]?, of group: Listing.Group) throws {
    let history = try #require(history)
    #expect(history.first?.seqno == group.seqno)
    #expect(history.map(\.seqno) == history.map(\.seqno).sorted(by: >))
    #expect(Set(history.map(\.seqno)).count == history.count)
    #expect(
      history[0].snapshots == group.snapshots.map { .init(name: $0.name, origin: $0.origin) })
    for version in history {
      #expect(version.description.contains("Write"))
      #expect(try #require(version.time).wholeMatch(of: /2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)
    }
  }

  @Test(arguments: ["removed", "removed-reused", "merged", "split"])
  func `the history has the snapshot that the group has no more`(name: String) throws {
    let volumes = try Volumes(name, in: directory)
    let earlier = try #require(volumes.facts.before.first)
    let group = try #require(try list(volumes.options + ["--history"]).volumeGroups.first)
    #expect(group.snapshots.isEmpty)
    let version = try #require(group.history?.first { $0.seqno == earlier.seqno })
    #expect(version.snapshots == [.init(name: "snap", origin: "origin")])
    // The version itself shows it as a snapshot, with a verdict.
    let old = try #require(
      try list(volumes.options + ["--seqno", "\(earlier.seqno)"], status: 1).volumeGroups.first)
    #expect(old.seqno == earlier.seqno && old.history == nil)
    #expect(old.snapshots.map(\.name) == ["snap"])
  }

  @Test func `text has a line for each group, physical volume, volume and snapshot`() throws {
    let volumes = try Volumes("two-snapshots", in: directory)
    let outcome = try volumes.run("lvm", "list", "--history")
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    let lines = outcome.outputLines
    let group = volumes.facts.groups[0]
    #expect(lines.first == "group    vg, version \(group.seqno) (\(group.uuid))")
    #expect(lines.contains("  pv0    \(volumes.paths[0]) (\(volumes.facts.pvs[0].uuid ?? ""))"))
    #expect(lines.contains { $0.contains(/^  origin +linear +1 MiB$/) })
    #expect(lines.contains { $0.contains(/^  early +origin +4 KiB +14 % +healthy$/) })
    #expect(lines.contains { $0.contains(/^  late +origin +16 KiB +14 % +healthy$/) })
    #expect(lines.filter { $0.hasPrefix("  version ") }.count == Int(group.seqno))
    #expect(lines.contains { $0.contains(/^    snapshot +late of origin$/) })
  }

  // MARK: - What is not there

  @Test func `a physical volume in no group is an orphan`() throws {
    let volumes = try Volumes("groups", in: directory)
    let listing = try list(volumes.options)
    #expect(listing.orphans.map(\.path) == [volumes.paths[2]])
    #expect(listing.orphans.map(\.uuid) == [volumes.facts.pvs[2].uuid])
    let outcome = try volumes.run("lvm", "list")
    #expect(outcome.outputLines.last?.hasPrefix("orphan   \(volumes.paths[2]): ") == true)
    let alone = try list(["--pv", volumes.paths[2]])
    #expect(alone.volumeGroups.isEmpty && alone.orphans.count == 1)
  }

  @Test func `a physical volume that was taken out of the group is said to be, and no more`() throws
  {
    let volumes = try Volumes("outdated-pv", in: directory)
    let group = try #require(try list(volumes.options, status: 1).volumeGroups.first)
    #expect(group.physicalVolumes.map(\.path) == [volumes.paths[0]])
    #expect(group.problems.contains { $0.hasPrefix("\(volumes.paths[1]): the physical volume ") })
  }

  @Test func `of another group's physical volume nothing is mixed in`() throws {
    let volumes = try Volumes("groups", in: directory)
    let listing = try list(["--pv", volumes.paths[1], "--pv", volumes.paths[0]])
    #expect(listing.volumeGroups.map(\.physicalVolumes.count) == [1, 1])
    #expect(listing.volumeGroups[0].physicalVolumes[0].path == volumes.paths[1])
    #expect(listing.volumeGroups[1].physicalVolumes[0].path == volumes.paths[0])
  }

  @Test(arguments: ["raid1", "striped", "no-mda", "cow-segments"])
  func `a missing physical volume is named, with status 2`(name: String) throws {
    let volumes = try Volumes(name, in: directory)
    for (index, path) in volumes.paths.enumerated() {
      if name == "no-mda", index != 1 { continue }  // the metadata is on the second alone
      let group = try #require(try list(["--pv", path], status: 2).volumeGroups.first)
      let others = volumes.facts.pvs.compactMap(\.uuid).filter {
        $0 != volumes.facts.pvs[index].uuid
      }
      #expect(group.missing.sorted() == others.sorted())
      #expect(group.problems.count == others.count)
      let text = try dmsnap.run(["lvm", "list", "--pv", path])
      #expect(text.status == 2)
      for uuid in others {
        #expect(text.output.contains("MISSING (\(uuid))"), "\(text)")
      }
    }
  }

  @Test func `a path without a physical volume is said, and none at all is status 3`() throws {
    let volumes = try Volumes("linear", in: directory)
    let stranger = try directory.write([UInt8](repeating: 7, count: 1 << 20), to: "stranger")
    let both = try dmsnap.run(["lvm", "list", "--pv", stranger] + volumes.options)
    #expect(both.status == 1 && both.output.contains("group    vg"), "\(both)")
    #expect(both.complaint(naming: "\(stranger): no LVM2 physical volume here") == nil)
    for format in ["text", "json"] {
      let alone = try dmsnap.run(["lvm", "list", "--pv", stranger, "--format", format])
      #expect(alone.status == 3 && alone.output.isEmpty == (format == "text"), "\(alone)")
      #expect(alone.complaint(naming: stranger) == nil)
    }
  }

  @Test func `the same physical volume twice is a doubt, and used once`() throws {
    let volumes = try Volumes("linear", in: directory)
    let copy = try directory.copy(volumes.paths[0], to: "copy")
    let group = try #require(
      try list(volumes.options + ["--pv", copy], status: 1).volumeGroups.first)
    #expect(group.physicalVolumes.map(\.path) == [volumes.paths[0]])
    #expect(group.problems.contains { $0.hasPrefix("\(copy): ") })
  }

  @Test func `a version that there is not is status 3, with those that there are`() throws {
    let volumes = try Volumes("linear", in: directory)
    let outcome = try volumes.run("lvm", "list", "--seqno", "99")
    #expect(outcome.status == 3 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint(naming: "99 of the metadata, only 4, 3, 2, 1") == nil)
  }

  // MARK: - Lost metadata

  @Test func `lost metadata is no orphan's, and a file of vgcfgbackup takes its place`() throws {
    let volumes = try Volumes("two-mdas", in: directory)
    let backup = try LostMetadata(volumes, in: directory).backup
    let lost = try dmsnap.run(["lvm", "list"] + volumes.options)
    #expect(lost.status == 2, "\(lost)")
    for path in volumes.paths {
      #expect(lost.output.contains("PROBLEM  \(path): "), "\(lost)")
    }
    let orphans = try list(volumes.options, status: 2).orphans
    #expect(orphans.map(\.uuid) == volumes.facts.pvs.compactMap(\.uuid))
    let found = try list(volumes.options + ["--vgcfg", backup], status: 1)
    let group = try #require(found.volumeGroups.first)
    #expect(group.uuid == volumes.facts.groups[0].uuid && group.missing.isEmpty)
    #expect(group.snapshots.map(\.verdict) == ["usable"])
    let snapshot = try #require(volumes.facts.volume("snap")?.sha256)
    #expect(try volumes.extract("vg/snap", "--vgcfg", backup)?.sha256 == snapshot)
  }

  @Test(arguments: ["", "contents = 1\n", "vg {\n", "\u{0}"])
  func `what is no file of vgcfgbackup is status 5`(text: String) throws {
    let volumes = try Volumes("linear", in: directory)
    let file = try directory.write(Array(text.utf8), to: "backup")
    let outcome = try volumes.run("lvm", "list", "--vgcfg", file)
    #expect(outcome.status == 5 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.complaint(naming: file) == nil)
  }
}
