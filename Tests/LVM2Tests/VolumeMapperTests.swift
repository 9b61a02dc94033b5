import BlockIO
import TestSupport
import Testing

@testable import LVM2

/// Every kind of segment is read where the kernel would read it, and nothing that is out of date.
@Suite struct VolumeMapperTests {
  /// Where an extent of a disk of ``SampleText`` is, in sectors.
  private static func sector(_ disk: Int, _ extent: Int) -> Int { (disk + 1 + extent) * 2048 }

  private static func stamp(_ disk: Int, _ extent: Int, _ sectorInExtent: Int = 0) -> String {
    "\(disk):\(sector(disk, extent) + sectorInExtent)"
  }

  /// Something that stands at the beginning of an extent.
  private typealias Piece = (disk: Int, extent: Int, bytes: [UInt8])

  private func mapper(
    _ text: String, leg: Int? = nil, missing: Set<Int> = [], _ pieces: [Piece] = []
  ) throws -> VolumeMapper {
    let group = try VolumeGroup(text)
    return VolumeMapper(group, leg: leg, includesStale: true) { uuid in
      guard let disk = group.physicalVolumes.firstIndex(where: { $0.uuid == uuid }),
        !missing.contains(disk)
      else { return nil }
      return StampedDisk(
        disk,
        pieces.filter { $0.disk == disk }.map {
          (UInt64(Self.sector(disk, $0.extent) * 512), $0.bytes)
        })
    }
  }

  private func source(
    _ segment: String, others: String = "", leg: Int? = nil, missing: Set<Int> = [],
    _ pieces: [Piece] = []
  ) throws -> VolumeSource {
    let text = SampleText.group(segment: segment, others: others)
    return try mapper(text, leg: leg, missing: missing, pieces).source(of: "lv")
  }

  private func linear(_ name: String, _ disk: Int, _ extent: Int, extentCount: Int = 8) -> String {
    SampleText.volume(
      name, segment: "type = \"striped\" stripe_count = 1 stripes = [\"pv\(disk)\", \(extent)]",
      extentCount: extentCount)
  }

  private func refusal(_ text: String, leg: Int? = nil, of name: String = "lv") throws -> String {
    let mapper = try mapper(text, leg: leg)
    return try #require(throws: VolumeError.self) { _ = try mapper.source(of: name) }.description
  }

  // MARK: - Segments

  @Test func `linear and striped segments one after another`() throws {
    let source = try mapper(SampleText.small).source(of: "root")
    #expect(source.name == "vg0/root")
    #expect(source.byteCount == 10 << 20)
    #expect(source.stamp(0) == Self.stamp(0, 2))
    #expect(source.stamp(6 * 2048 - 1) == Self.stamp(0, 7, 2047))
    for (index, expected) in [
      Self.stamp(0, 20), Self.stamp(1, 0), Self.stamp(0, 20, 128), Self.stamp(1, 0, 128),
    ].enumerated() {
      #expect(source.stamp(6 * 2048 + UInt64(index) * 128) == expected)
    }
    #expect(source.stamp(10 * 2048 - 1) == Self.stamp(1, 1, 2047))
  }

  @Test func `zeroes, errors, and what is not read`() throws {
    let zero = try source(#"type = "zero""#)
    #expect(zero.stamp(5) == "0:0")
    #expect(try zero.nextData(from: 0) == nil)
    let error = try source(#"type = "error""#)
    #expect(error.stamp(5) == "lost")
    #expect(error.knownUnreadable(in: 0..<8 << 20) == [0..<8 << 20])
    #expect(
      try refusal(SampleText.group(segment: #"type = "thin""#)) == "vg0/lv: not supported: thin")
    #expect(
      try refusal(SampleText.small, of: "no")
        == "vg0/no: vg0 has no such volume in version 7; it has root, snap")
  }

  @Test func `a part of another volume`() throws {
    let segment = #"type = "linear" stripe_count = 1 stripes = ["below", 3]"#
    let source = try source(segment, others: linear("below", 1, 40, extentCount: 11))
    #expect(source.stamp(0) == Self.stamp(1, 43))
    #expect(
      try refusal(SampleText.group(segment: segment, others: linear("below", 1, 40)))
        == "vg0/below: not supported: smaller than the part in use")
  }

  @Test func `a physical volume that is missing costs what lies there`() throws {
    let source = try mapper(SampleText.small, missing: [1]).source(of: "root")
    #expect(source.stamp(0) == Self.stamp(0, 2))
    #expect(source.stamp(6 * 2048 + 128) == "lost")
    #expect(source.knownUnreadable(in: 0..<source.byteCount).totalCount == 2 << 20)
  }

  // MARK: - Mirrors

  private static let mirror =
    #"type = "mirror" mirror_count = 2 mirrors = ["pv0", 1, "pv1", 2]"#

  /// A log of eight regions, of which those bits are set.
  private static func log(_ bits: UInt8) -> [UInt8] {
    Array("rRiM".utf8) + UInt32(2).littleEndianBytes + UInt64(8).littleEndianBytes
      + Array(repeating: 0, count: 1008) + [bits]
  }

  @Test func `of a mirror without a log on disk only the first leg is read`() throws {
    #expect(try source(Self.mirror).stamp(0) == Self.stamp(0, 1))
    #expect(try source(Self.mirror, missing: [1]).stamp(0) == Self.stamp(0, 1))
    #expect(try source(Self.mirror, missing: [0]).stamp(0) == "lost")
    #expect(try source(Self.mirror, leg: 1, missing: [0]).stamp(0) == Self.stamp(1, 2))
  }

  @Test func `of a mirror whose log is full every leg is`() throws {
    let segment = Self.mirror + #" mirror_log = "log""#
    let others = linear("log", 1, 50, extentCount: 1)
    func stamp(_ bits: UInt8?, leg: Int? = nil, missing: Set<Int>) throws -> String {
      let pieces = bits.map { [(1, 50, Self.log($0))] } ?? []
      return try source(segment, others: others, leg: leg, missing: missing, pieces).stamp(7)
    }
    #expect(try stamp(0xff, missing: []) == Self.stamp(0, 1, 7))
    #expect(try stamp(0xff, missing: [0]) == Self.stamp(1, 2, 7))
    #expect(try stamp(0x7f, missing: [0]) == "lost")
    #expect(try stamp(nil, missing: [0]) == "lost")
    #expect(try stamp(0xff, leg: 0, missing: [0]) == "lost")
  }

  @Test func `a leg that is asked for must be there`() throws {
    #expect(
      try refusal(SampleText.group(segment: Self.mirror), leg: 2)
        == "vg0/lv: has no leg 2: they are numbered from 0 to 1")
    #expect(throws: VolumeError.self) { try source(Self.mirror, leg: -1) }
    #expect(try mapper(SampleText.small, leg: 5).source(of: "root").stamp(0) == Self.stamp(0, 2))
  }

  @Test func `a pvmove is read from where all of it is`() throws {
    #expect(try source(Self.mirror + " extents_moved = 7").stamp(0) == Self.stamp(0, 1))
    #expect(try source(Self.mirror + " extents_moved = 8").stamp(0) == Self.stamp(1, 2))
  }

  // MARK: - md

  /// Legs of eight extents in turn on both disks, leg n at extent 10n, its superblock at 90 + n.
  private func legs(_ count: Int) -> (list: String, others: String) {
    let names = (0..<count).flatMap { ["\"x_rmeta_\($0)\"", "\"x_rimage_\($0)\""] }
    let others = (0..<count).map {
      linear("x_rmeta_\($0)", $0 % 2, 90 + $0, extentCount: 1)
        + linear("x_rimage_\($0)", $0 % 2, 10 * $0)
    }
    return ("raids = [\(names.joined(separator: ", "))]", others.joined())
  }

  private func raid(
    _ type: String, legCount: Int, extentCount: Int, words: String = "", leg: Int? = nil,
    missing: Set<Int> = [], superblocks: [Int: [UInt8]] = [:]
  ) throws -> VolumeSource {
    let legs = legs(legCount)
    let segment =
      "type = \"\(type)\" device_count = \(legCount) stripe_size = 128 \(words) \(legs.list)"
    let text = SampleText.group(
      volumes: SampleText.volume("lv", segment: segment, extentCount: extentCount) + legs.others)
    return try mapper(
      text, leg: leg, missing: missing, superblocks.map { ($0 % 2, 90 + $0, $1) }
    ).source(of: "lv")
  }

  private static func superblock(
    events: UInt64, failed: UInt64 = 0, recovered: UInt64 = .max
  ) -> [UInt8] {
    Array("DmRd".utf8) + UInt32(0).littleEndianBytes + UInt32(2).littleEndianBytes
      + UInt32(0).littleEndianBytes + events.littleEndianBytes + failed.littleEndianBytes
      + recovered.littleEndianBytes
  }

  /// The legs that stripes of 64 KiB lie on, one after another.
  private func legNumbers(_ source: VolumeSource, _ count: UInt64) -> [Int?] {
    (0..<count).map { turn in
      let parts = source.stamp(turn * 128).split(separator: ":").compactMap { Int($0) }
      guard parts.count == 2 else { return nil }
      return (parts[1] - (parts[0] + 1) * 2048) / 2048 / 10
    }
  }

  @Test(arguments: [
    ("raid0_meta", 3, 24, [0, 1, 2, 0, 1, 2]), ("raid4", 3, 16, [1, 2, 1, 2]),
    ("raid5", 3, 16, [0, 1, 2, 0, 1, 2]), ("raid5_ls", 3, 16, [0, 1, 2, 0, 1, 2]),
    ("raid5_la", 3, 16, [0, 1, 0, 2, 1, 2]), ("raid5_rs", 3, 16, [1, 2, 2, 0, 0, 1]),
    ("raid5_ra", 3, 16, [1, 2, 0, 2, 0, 1]), ("raid5_n", 3, 16, [0, 1, 0, 1]),
    ("raid6", 4, 16, [2, 3, 0, 3, 0, 1, 1, 2]), ("raid6_nr", 4, 16, [0, 1, 0, 3, 2, 3, 1, 2]),
    ("raid6_nc", 4, 16, [0, 1, 3, 0, 2, 3, 1, 2]), ("raid6_n_6", 4, 16, [0, 1, 0, 1]),
    ("raid6_ls_6", 4, 16, [0, 1, 2, 0, 1, 2]), ("raid10", 4, 16, [0, 2, 0, 2]),
    ("raid1", 2, 8, [0, 0, 0]),
  ])
  func `arrays lie as md lays them out`(
    type: String, legCount: Int, extentCount: Int, legs: [Int]
  ) throws {
    let source = try raid(type, legCount: legCount, extentCount: extentCount)
    #expect(legNumbers(source, UInt64(legs.count)) == legs)
    #expect(source.byteCount == UInt64(extentCount) << 20)
    // The last sector is the last of some leg.
    #expect(source.stamp(source.byteCount / 512 - 1).contains(":"))
  }

  @Test func `a leg is read where it is in step, by its superblock and by the newest`() throws {
    func stamp(
      _ first: [UInt8]?, _ second: [UInt8]?, leg: Int? = nil, missing: Set<Int> = []
    ) throws -> String {
      var superblocks: [Int: [UInt8]] = [:]
      (superblocks[0], superblocks[1]) = (first, second)
      return try raid(
        "raid1", legCount: 2, extentCount: 8, leg: leg, missing: missing, superblocks: superblocks
      ).stamp(0)
    }
    let (first, second) = (Self.stamp(0, 0), Self.stamp(1, 10))
    let new = Self.superblock(events: 9)
    #expect(try stamp(nil, nil) == first)
    #expect(try stamp(new, new) == first)
    #expect(try stamp(Self.superblock(events: 8), new) == first)
    #expect(try stamp(Self.superblock(events: 7), new) == second)
    #expect(try stamp(nil, new) == second)
    #expect(try stamp(Self.superblock(events: 9, recovered: 100), new) == second)
    #expect(try stamp(new, Self.superblock(events: 10, failed: 1)) == second)
    #expect(try stamp(new, Self.superblock(events: 9, failed: 2), missing: [0]) == "lost")
    // Nothing that is out of date is read in its place.
    #expect(try stamp(Self.superblock(events: 7), new, missing: [1]) == first)
    #expect(try stamp(new, Self.superblock(events: 7), leg: 1) == second)
    #expect(try stamp(new, Self.superblock(events: 7), missing: [0]) == second)
    #expect(try stamp(Self.superblock(events: 9, recovered: 0), nil) == "lost")
  }

  @Test func `a stale leg beside a fresh one that has a bad sector`() throws {
    let superblocks = [0: Self.superblock(events: 9), 1: Self.superblock(events: 7)]
    let source = try raid("raid1", legCount: 2, extentCount: 8, superblocks: superblocks)
    let layout = try #require(source.map.segments.first?.layout)
    guard case .copies(let legs, let currentCount) = layout else {
      Issue.record("no copies, but \(layout)")
      return
    }
    #expect((legs.count, currentCount) == (2, 1))
  }

  @Test func `a leg of parity that is out of date is lost, and the others are not`() throws {
    let new = Self.superblock(events: 9)
    let source = try raid(
      "raid5_ls", legCount: 3, extentCount: 16,
      superblocks: [0: new, 1: Self.superblock(events: 3), 2: new])
    #expect(legNumbers(source, 6) == [0, nil, 2, 0, nil, 2])
  }

  @Test func `arrays that cannot be laid out`() throws {
    #expect(throws: VolumeError.self) { try raid("raid10", legCount: 3, extentCount: 12) }
    #expect(throws: VolumeError.self) {
      try raid("raid10", legCount: 4, extentCount: 16, words: "data_copies = 3")
    }
    #expect(throws: VolumeError.self) { try raid("raid10_far", legCount: 4, extentCount: 16) }
    #expect(
      try raid(
        "raid10", legCount: 4, extentCount: 8, words: "data_copies = 4", missing: [0],
        superblocks: [1: Self.superblock(events: 9), 2: Self.superblock(events: 9)]
      ).stamp(0) == Self.stamp(1, 10))
  }

  // MARK: - What no lvm2 writes

  @Test(arguments: [
    ("raid1", 2, 9), ("raid0_meta", 2, 17), ("raid10", 4, 17), ("raid5", 3, 17), ("raid6", 4, 17),
    ("raid4", 2, 4_000_000),
  ])
  func `legs that are shorter than the array`(
    type: String, legCount: Int, extentCount: Int
  ) throws {
    #expect(throws: VolumeError.self) {
      try raid(type, legCount: legCount, extentCount: extentCount)
    }
  }

  @Test func `a leg without any segment`() throws {
    let none = #"none { id = "llllll-0000-0000-0000-0000-0000-000000" segment_count = 0 }"#
    for segment in [
      #"type = "raid1" device_count = 1 raids = ["none"]"#,
      #"type = "linear" stripe_count = 1 stripes = ["none", 0]"#,
    ] {
      #expect(throws: VolumeError.self) { try source(segment, others: none) }
    }
    let log = Self.mirror + #" mirror_log = "none""#
    #expect(try source(log, others: none).stamp(0) == Self.stamp(0, 1))
    let raid = #"type = "raid1" device_count = 1 raids = ["x_rmeta_0", "x"]"#
    let legs = none.replacing("none", with: "x_rmeta_0") + linear("x", 0, 3)
    #expect(try source(raid, others: legs).stamp(0) == Self.stamp(0, 3))
    #expect(try mapper(SampleText.group(volumes: none)).source(of: "none").byteCount == 0)
  }

  @Test(arguments: [
    "stripe_count = 1 stripes = [\"pv0\", 93]", "stripe_count = 1 stripes = [\"pv1\", 99]",
    "stripe_count = 1 stripes = [\"pv0\", 4294967295]",
    "stripe_count = 2 stripe_size = 8 stripes = [\"pv0\", 0, \"pv1\", 96]",
    // Linux refuses these as well: the last row would go beyond the extents.
    "stripe_count = 2 stripe_size = 24 stripes = [\"pv0\", 0, \"pv1\", 0]",
    "stripe_count = 2 stripe_size = 16384 stripes = [\"pv0\", 0, \"pv1\", 0]",
    "stripe_count = 2 stripe_size = 4294967295 stripes = [\"pv0\", 0, \"pv0\", 4]",
  ])
  func `segments that reach beyond what is theirs`(places: String) {
    #expect(throws: VolumeError.self) { try source("type = \"striped\" \(places)") }
  }

  @Test func `extents as large as can be`() throws {
    let text = SampleText.group(segment: #"type = "linear" stripe_count = 1 stripes = ["pv0", 0]"#)
      .replacing("extent_size = 2048", with: "extent_size = 4294967295")
    #expect(try mapper(text).source(of: "lv").stamp(0) == Self.stamp(0, 0))
    let far = text.replacing("pe_start = 2048", with: "pe_start = 18014398509481983")
    if failure(of: far) == nil {
      #expect(throws: VolumeError.self) { try mapper(far).map(of: "lv") }
    }
  }

  /// Each volume lies several times on the one below.
  private func tower(_ levels: Int, _ segments: (_ below: String, _ extents: Int) -> (String, Int))
    -> String
  {
    var (volumes, extents) = (linear("v0", 0, 0, extentCount: 1), 1)
    for level in 1...levels {
      let (made, count) = segments("v\(level - 1)", extents)
      volumes += """
        v\(level) { id = "llllll-0000-0000-0000-0000-0000-000000" segment_count = 1
        \(made) }

        """
      extents = count
    }
    return SampleText.group(volumes: volumes)
  }

  @Test(.timeLimit(.minutes(1)))
  func `volumes on which others lie again and again end with an error`() throws {
    let copies = tower(15) { below, extents in
      (
        """
        segment1 { start_extent = 0 extent_count = \(extents) type = "mirror" mirror_count = 4
        mirrors = ["\(below)", 0, "\(below)", 0, "\(below)", 0, "\(below)", 0] }
        """, extents
      )
    }
    #expect(try refusal(copies, of: "v15").contains("copies of each byte"))
    #expect(try mapper(copies).map(of: "v3").copyCount == 64)
    let rows = tower(15) { below, extents in
      let segments = (0..<4).map {
        """
        segment\($0) { start_extent = \($0 * extents) extent_count = \(extents) type = "linear"
        stripe_count = 1 stripes = ["\(below)", 0] }
        """
      }
      return (segments.joined(separator: "\n").replacing("segment0", with: "segment9"), 4 * extents)
    }.replacing("segment_count = 1\nsegment9", with: "segment_count = 4\nsegment9")
    #expect(try refusal(rows, of: "v15").contains("segments"))
    #expect(try mapper(rows).source(of: "v3").stamp(63 * 2048) == Self.stamp(0, 0))
  }
}
