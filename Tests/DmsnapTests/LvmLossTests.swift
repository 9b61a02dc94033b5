import Foundation
import TestSupport
import Testing

/// What of a volume cannot be read becomes zeroes, is named, and is no success.
@Suite struct LvmLossTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  private func ranges(_ outcome: ToolOutcome) throws -> [Range<Int>] {
    let lost = try #require(try outcome.object()["lost"] as? [[String: Any]])
    return try lost.map {
      let start = try #require($0["byteOffset"] as? Int)
      return start..<start + (try #require($0["byteCount"] as? Int))
    }
  }

  @Test func `stripes of RAID 5 that only parity has are lost, named, and zeroes`() throws {
    let volumes = try Volumes("raid5-degraded", in: directory)
    let image = directory.path("image")
    let outcome = try volumes.run(
      "lvm", "extract", "vg/origin", "--to", image, "--format", "json")
    #expect(outcome.status == 2, "\(outcome)")
    let lost = try ranges(outcome)
    // Half of the stripes but for those where the leg would have the parity: of three legs' six
    // stripes two.
    let byteCount = lost.map(\.count).reduce(0, +)
    #expect(byteCount > 1 << 20 / 4 && byteCount < 1 << 20 / 2, "\(byteCount)")
    let bytes = try Files.bytes(image)
    for range in lost {
      #expect(range.lowerBound % 16384 == 0 && bytes[range].allSatisfy { $0 == 0 }, "\(range)")
    }
    // All else is what was written: a stamp that names its sector.
    for sector in 0..<bytes.count / 512 where !lost.contains(where: { $0.contains(sector * 512) }) {
      let text = String(decoding: bytes[sector * 512..<sector * 512 + 32], as: UTF8.self)
      #expect(Int(text.dropFirst(7).prefix(10)) == sector, "\(text)")
    }
    let snapshot = try volumes.run(
      "lvm", "extract", "vg/snap", "--to", directory.path("snapshot"))
    #expect(snapshot.status == 2 && snapshot.errors.contains("are lost"), "\(snapshot)")
  }

  @Test func `a bad sector map of an image names what is lost, with status 2`() throws {
    let volumes = try Volumes("linear", in: directory)
    let map = try directory.write(
      Array("0x0 ?\n0x0 0x110000 +\n0x110000 0x2000 -\n0x112000 0x4ee000 +\n".utf8), to: "map")
    let image = directory.path("image")
    let outcome = try dmsnap.run([
      "lvm", "extract", "vg/origin", "--pv", "\(volumes.paths[0]),map=\(map)", "--to", image,
    ])
    #expect(outcome.status == 2, "\(outcome)")
    // The physical volume's first extent is at 1 MiB, and so is the origin's.
    #expect(outcome.complaint(naming: "8192 bytes at byte 65536 are lost") == nil)
    var expected = try #require(try volumes.extract("vg/origin"))
    expected.put([UInt8](repeating: 0, count: 8192), at: 65536)
    #expect(try Files.bytes(image).firstDifference(from: expected) == nil)
    // `--map` is the map of the one image there is, and of several it is not known which.
    let same = try volumes.run("export", "vg/snap", "--map", map, "--to", directory.path("same"))
    #expect(same.status == 2 && same.errors.contains("8192 bytes at byte 65536"), "\(same)")
    let striped = try Volumes("striped", in: directory, as: "striped")
    let two = try striped.run("export", "vg/snap", "--map", map, "--to", directory.path("two"))
    #expect(two.status == 4 && two.complaint(naming: "map=MAPFILE") == nil, "\(two)")
  }

  @Test func `a missing physical volume leaves zeroes, or another leg`() throws {
    let striped = try Volumes("striped", in: directory)
    let whole = try #require(try striped.extract("vg/origin"))
    let image = directory.path("image")
    let half = try dmsnap.run([
      "lvm", "extract", "vg/origin", "--pv", striped.paths[0], "--to", image, "--format", "json",
    ])
    #expect(
      half.status == 2 && half.errorLines.first?.contains("no physical volume pv1") == true,
      "\(half)")
    var expected = whole
    for range in try ranges(half) {
      #expect(range.count == 16384)
      expected.put([UInt8](repeating: 0, count: range.count), at: range.lowerBound)
    }
    #expect(try Files.bytes(image).firstDifference(from: expected) == nil)
    #expect(expected != whole)
  }

  @Test(arguments: ["raid1", "mirror-core"])
  func `each leg of a mirror is the volume, and a leg alone says what is missing`(
    name: String
  ) throws {
    let volumes = try Volumes(name, in: directory)
    let sha256 = volumes.facts.volume("origin")?.sha256
    for leg in ["0", "1"] {
      #expect(try volumes.extract("vg/origin", "--leg", leg)?.sha256 == sha256)
    }
    let image = directory.path("image")
    let no = try volumes.run("lvm", "extract", "vg/origin", "--leg", "2", "--to", image)
    #expect(no.status == 5 && no.complaint(naming: "from 0 to 1") == nil, "\(no)")
    let alone = try dmsnap.run([
      "lvm", "extract", "vg/origin", "--pv", volumes.paths[0], "--to", image,
    ])
    #expect(alone.status == 1, "\(alone)")
    #expect(alone.complaint(naming: volumes.facts.pvs[1].uuid) == nil)
    #expect(try Files.sha256(image) == sha256)
  }

  @Test func `a leg that is out of date is read where nothing tells, which is said`() throws {
    let volumes = try Volumes("raid1-degraded", in: directory)
    let current = try #require(try volumes.extract("vg/origin"))
    #expect(try volumes.extract("vg/origin", "--leg", "1") == current)
    let stale = try #require(try volumes.extract("vg/origin", "--leg", "0"))
    #expect(stale != current)
    let image = directory.path("image")
    let alone = try dmsnap.run([
      "lvm", "extract", "vg/origin", "--pv", volumes.paths[0], "--to", image,
    ])
    #expect(alone.complaint(naming: "may be out of date") == nil)
    #expect(try Files.bytes(image) == stale)
  }

  @Test func `a store whose physical volume is missing is not merely no store`() throws {
    let volumes = try Volumes("raid1", in: directory)
    let image = directory.path("image")
    let outcome = try dmsnap.run([
      "lvm", "extract", "vg/snap", "--pv", volumes.paths[1], "--to", image,
    ])
    #expect(outcome.status == 2, "\(outcome)")
    #expect(outcome.errorLines.first?.contains("lvm.pv-missing") == true, "\(outcome)")
    #expect(!Files.exist(image))
  }
}
