import Foundation
import TestSupport
import Testing

/// What is done with a store, done with a snapshot of a volume group, whose origin is found by
/// itself.
@Suite struct LvmSnapshotTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  /// Cases whose first snapshot the kernel showed, and that lies on what is read here.
  private static let shown = VolumeCorpus.names.filter { name in
    let volumes = try? VolumeCorpus.read(name).volumes
    return name != "thin" && name != "raid5-degraded"
      && volumes?.contains { $0.origin != nil && $0.sha256 != nil } == true
  }

  @Test(arguments: shown)
  func `an export is what the kernel showed, and the images only read`(name: String) throws {
    let volumes = try Volumes(name, in: directory)
    for path in volumes.paths { Files.age(path) }
    let before = try volumes.states()
    for volume in volumes.facts.volumes where volume.origin != nil && volume.sha256 != nil {
      let image = directory.path("\(volume.vg)-\(volume.name)")
      let outcome = try volumes.run("export", "\(volume.vg)/\(volume.name)", "--to", image)
      #expect(outcome.status == 0, "\(outcome)")
      #expect(try Files.sha256(image) == volume.sha256)
    }
    #expect(try volumes.states() == before)
  }

  @Test(arguments: ["linear", "striped", "raid10", "virtual-origin", "partitioned"])
  func `inspect, table, audit and diff say what lvs and the images do`(name: String) throws {
    let volumes = try Volumes(name, in: directory)
    let (path, origin, _) = try volumes.snapshot
    let facts = try #require(volumes.facts.volumes.first { $0.origin != nil })
    let inspect = try volumes.run("inspect", path, "--format", "json")
    #expect(inspect.status == 0 && inspect.errors.isEmpty, "\(inspect)")
    let kernel = try #require(try inspect.object()["kernel"] as? [String: Any])
    #expect(kernel["status"] as? String == facts.status)
    let text = try volumes.run("inspect", path)
    #expect(text.output.contains("volume   a snapshot of \(origin)"), "\(text)")
    #expect(try volumes.run("audit", path).status == 0)

    let own = try #require(try volumes.extract(origin))
    let shown = try #require(try volumes.extract(path))
    let differing = stride(from: 0, to: own.count, by: 512).filter {
      Data(own[$0..<$0 + 512]) != Data(shown[$0..<$0 + 512])
    }
    let diff = try volumes.run("diff", path, "--format", "json")
    let changed = try #require(try diff.object()["changed"] as? [[String: Int]])
    let ranges = try changed.map {
      let start = try #require($0["byteOffset"])
      return start..<start + (try #require($0["byteCount"]))
    }
    #expect(
      ranges.flatMap { Array(stride(from: $0.lowerBound, to: $0.upperBound, by: 512)) } == differing
    )

    // A run names all chunks that it maps, among them all that differ.
    let table = try volumes.run("table", path)
    let runs = table.outputLines.dropFirst().map { $0.split(separator: " ").compactMap { Int($0) } }
    #expect(table.status == 0 && runs.allSatisfy { $0.count == 3 }, "\(table)")
    let chunks = Set(runs.flatMap { $0[0]..<$0[0] + $0[2] })
    #expect(chunks.isSuperset(of: differing.map { $0 / Int(facts.chunkByteCount) }))
  }

  @Test(
    arguments: [
      ("linear", [], [], 0),
      ("chunk-differs", [], ["lvm.chunk-size"], 1),
      ("merge-pending", [], ["lvm.merging"], 0),
      ("merge-cut", [], ["lvm.merging", "merge.interrupted", "data.identical"], 0),
      ("overflow", [], ["header.invalid", "store.full", "context.origin-unknown"], 2),
      (
        "shortened", [], ["store.too-short", "exception.new-beyond-end", "lvm.store-shortened"], 2
      ),
      ("shortened", ["--seqno", "4"], ["lvm.older-version"], 1),
      ("removed", ["--seqno", "4"], ["lvm.older-version"], 1),
      ("removed-reused", ["--seqno", "4"], ["lvm.older-version", "lvm.extents-reused"], 1),
    ] as [(String, [String], Set<String>, Int32)])
  func `an audit finds what was done to the snapshot`(
    name: String, options: [String], codes: Set<String>, status: Int32
  ) throws {
    let volumes = try Volumes(name, in: directory)
    let outcome = try dmsnap.run(
      ["audit", "vg/snap", "--format", "json"] + options + volumes.options)
    #expect(outcome.status == status, "\(outcome)")
    let findings = try #require(try outcome.object()["findings"] as? [[String: Any]])
    #expect(Set(findings.compactMap { $0["code"] as? String }) == codes, "\(outcome)")
  }

  @Test(arguments: ["linear", "striped", "cow-segments", "mirror-disk"])
  func `a missing physical volume that the snapshot lies on is damage`(name: String) throws {
    let volumes = try Volumes(name, in: directory)
    for (index, path) in volumes.paths.enumerated() where name != "linear" {
      let others = volumes.paths.filter { $0 != path }.flatMap { ["--pv", $0] }
      let outcome = try dmsnap.run(["audit", "vg/snap"] + others)
      #expect(outcome.status == 2, "\(outcome)")
      #expect(outcome.output.contains("lvm.pv-missing"), "\(outcome)")
      #expect(outcome.output.contains("no physical volume pv\(index) "), "\(outcome)")
    }
    #expect(try volumes.run("audit", "vg/snap").status == 0)
  }

  @Test func `a snapshot that is not on any physical volume here is status 3`() throws {
    let volumes = try Volumes("linear", in: directory)
    for command in ["inspect", "table", "audit", "diff"] {
      let outcome = try volumes.run(command, "vg/nope")
      #expect(outcome.status == 3 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.complaint(naming: "vg/nope") == nil)
    }
  }

  @Test func `a volume that is no snapshot any more wants to be told its origin`() throws {
    let volumes = try Volumes("split", in: directory)
    let image = directory.path("image")
    let without = try volumes.run("export", "vg/snap", "--to", image)
    #expect(without.status == 5 && without.complaint(naming: "--origin") == nil, "\(without)")
    let with = try volumes.run("export", "vg/snap", "--origin", "vg/origin", "--to", image)
    #expect(with.status == 0, "\(with)")
    #expect(try Files.sha256(image) == volumes.facts.before[0].sha256)
  }

  @Test func `a store in a file goes with an origin in a group, and the other way round`() throws {
    let volumes = try Volumes("linear", in: directory)
    let (store, origin) = (directory.path("store"), directory.path("origin"))
    _ = try volumes.run("lvm", "extract", "vg/snap-cow", "--to", store)
    _ = try volumes.run("lvm", "extract", "vg/origin", "--to", origin)
    for (index, run) in [
      ["export", store, "--origin", "vg/origin"], ["export", "vg/snap", "--origin", origin],
    ].enumerated() {
      let image = directory.path("image-\(index)")
      let outcome = try dmsnap.run(run + ["--to", image] + volumes.options)
      #expect(outcome.status == 0, "\(outcome)")
      #expect(try Files.sha256(image) == volumes.snapshot.sha256)
    }
  }

  // MARK: - Salvage

  @Test func `of an overflowed snapshot everything that was copied is salvaged`() throws {
    let volumes = try Volumes("overflow", in: directory)
    let (store, image, salvaged) = (
      directory.path("store"), directory.path("image"), directory.path("salvaged")
    )
    let refused = try volumes.run("export", "vg/snap", "--to", image)
    #expect(refused.status == 4 && refused.complaint(naming: "salvage") == nil, "\(refused)")
    let salvage = try volumes.run("salvage", "vg/snap", "--to", store)
    #expect(salvage.status == 0 && salvage.output.contains("30 exceptions"), "\(salvage)")
    #expect(
      try volumes.run("export", store, "--origin", "vg/origin", "--to", salvaged).status == 0)
    let export = try volumes.run("export", "vg/snap", "--reading", "salvage", "--to", image)
    #expect(export.status == 1 && export.errors.contains("unknown; assume"), "\(export)")
    let bytes = try Files.bytes(image)
    #expect(try Files.areEqual(image, salvaged))
    // 160 sectors were written to the snapshot: 20 chunks. 10 of the 50 chunks that were written to
    // the origin were copied before the store was full.
    #expect(bytes.count(ofSectorsWith: "snap gen 1") == 160)
    #expect(bytes.count(ofSectorsWith: "origin gen 1") == (50 - 10) * 8)
    #expect(try volumes.areUntouched())
  }

  @Test(arguments: [0, 1])
  func `a store without its header is salvaged, by its areas or by lvm2's chunk size`(
    exceptionCount: Int
  ) throws {
    let volumes = try Volumes("linear", in: directory)
    var bytes = try Files.bytes(volumes.paths[0])
    let header = try volumes.headerByteOffset(in: bytes)
    bytes.put([UInt8](repeating: 0, count: 4096), at: header)
    if exceptionCount == 1 {
      // The first exception alone, and of others no data.
      bytes.put([UInt8](repeating: 0, count: 4096 - 16), at: header + 4096 + 16)
      bytes.put([UInt8](repeating: 0, count: 512 << 10 - 12288), at: header + 12288)
    }
    try directory.write(bytes, to: "pv0.img")
    let inspect = try volumes.run("inspect", "vg/snap")
    #expect(inspect.status == 2 && inspect.output.contains("WOULD FORMAT IT"), "\(inspect)")
    let (store, image, salvaged) = (
      directory.path("store"), directory.path("image"), directory.path("salvaged")
    )
    #expect(
      try volumes.run("export", "vg/snap", "--reading", "salvage", "--to", image).status == 0)
    #expect(try volumes.run("salvage", "vg/snap", "--to", store).status == 0)
    #expect(
      try volumes.run("export", store, "--origin", "vg/origin", "--to", salvaged).status == 0)
    #expect(try Files.areEqual(image, salvaged))
    if exceptionCount == 0 {
      #expect(try Files.sha256(image) == volumes.snapshot.sha256)
    } else {
      // The first eight sectors that were written to the snapshot, 80 to 87.
      #expect(try Files.bytes(image).count(ofSectorsWith: "snap gen 1") == 8)
    }
  }
}
