import BlockIO
import SystemPackage
import TestSupport
import Testing

@testable import LVM2

/// Physical volumes are found on whole disks, in partitions, and in partitions of partitions.
@Suite struct PhysicalVolumeSearchTests {
  private let scratch: TemporaryDirectory

  init() throws { scratch = try TemporaryDirectory() }

  private static let text = SampleText.group(volumes: "")

  /// A partition table as sfdisk makes it on a disk of 64 MiB, with physical volumes at sectors.
  private func disk(
    _ table: String, _ volumes: [Int: DiskBuilder], name: String = "disk.img"
  ) throws -> FileSource {
    let path = try scratch.write(sparse: 64 << 20, [], to: name)
    try scratch.write(Array(table.utf8), to: "table")
    let shell = try #require(ToolRunner(named: "sh"))
    let command = #"PATH="$PATH:/usr/sbin:/sbin" sfdisk --quiet "$0" < "$1""#
    let outcome = try shell.run(["-c", command, path, scratch.path("table")])
    try #require(outcome.status == 0, "\(outcome)")
    for (sector, volume) in volumes {
      try Files.overwrite(path, at: UInt64(sector * 512), volume.bytes)
    }
    return try FileSource(path: FilePath(path))
  }

  @Test func `a whole disk, and one without anything`() throws {
    let search = try PhysicalVolumeSearch([
      MemorySource(Array(repeating: 0, count: 1 << 20)),
      DiskBuilder(0, Self.text).source("disk0"), MemorySource([]),
      MemorySource(Array(repeating: 0xff, count: 700)),
    ])
    #expect(search.withoutVolume == [0, 2, 3])
    let found = try #require(search.found.first)
    #expect((search.found.count, found.input, found.range) == (1, 1, 0..<101 << 20))
    #expect(found.areas.count == 1)
  }

  @Test func `partitions of a GPT`() throws {
    let source = try disk(
      "label: gpt\nstart=2048, size=32768\nstart=34816, size=32768\nstart=67584, size=40000\n",
      [34816: DiskBuilder(0, Self.text), 67584: DiskBuilder(1, Self.text)])
    let search = try PhysicalVolumeSearch([source])
    #expect(search.found.map(\.range.lowerBound) == [34816 * 512, 67584 * 512])
    #expect(search.found.map(\.range.count) == [16 << 20, 20_480_000])
    #expect(search.withoutVolume.isEmpty)
    let group = try #require(try VolumeCatalog(search.found).groups.first)
    #expect(group.missing(in: group.group).isEmpty)
  }

  @Test func `logical partitions`() throws {
    let source = try disk(
      """
      label: dos
      start=2048, size=32768, type=83
      start=34816, size=90000, type=5
      start=36864, size=32768, type=8e
      start=71680, size=32768, type=83
      """, [36864: DiskBuilder(0, Self.text), 71680: DiskBuilder(1, Self.text)])
    let search = try PhysicalVolumeSearch([source])
    #expect(search.found.map(\.range.lowerBound) == [36864 * 512, 71680 * 512])
  }

  @Test func `a table in a partition, as in the image of a virtual machine's disk`() throws {
    _ = try disk(
      "label: dos\nstart=2048, size=32768, type=8e\n", [2048: DiskBuilder(0, Self.text)],
      name: "inner.img")
    let outer = try disk("label: gpt\nstart=4096, size=100000\n", [:])
    let inner = try Files.bytes(scratch.path("inner.img")).prefix(2 << 20)
    try Files.overwrite(scratch.path("disk.img"), at: 4096 * 512, Array(inner))
    let search = try PhysicalVolumeSearch([outer])
    #expect(search.found.map(\.range.lowerBound) == [(4096 + 2048) * 512])
  }

  @Test func `bad sectors where the label is, or beside it`() throws {
    let disk = DiskBuilder(0, Self.text)
    let source = disk.source("disk0")
    for sector: UInt64 in [0, 2, 3] {
      source.unreadable = [sector * 512..<sector * 512 + 1]
      #expect(try PhysicalVolumeSearch([source]).found.count == 1, "sector \(sector)")
    }
    source.unreadable = [512..<513]
    #expect(try PhysicalVolumeSearch([source]).withoutVolume == [0])
  }

  @Test(.timeLimit(.minutes(1)))
  func `a table that names itself over and over is searched once`() throws {
    var sector = [UInt8](repeating: 0, count: 512)
    for entry in 0..<4 {
      sector.put([0, 0, 2, 0, 0x8e, 0, 0, 0], at: 446 + entry * 16)
      sector.put(UInt32(1).littleEndianBytes + UInt32(8000).littleEndianBytes, at: 454 + entry * 16)
    }
    sector.put([0x55, 0xaa], at: 510)
    let source = FaultySource(
      byteCount: 8 << 20, pieces: (0..<8).map { (UInt64($0 * 512), sector) })
    #expect(try PhysicalVolumeSearch([source]).found.isEmpty)
    #expect(source.reads.filter { $0.lowerBound == 0 }.count < 20)
    #expect(source.reads.filter { $0.lowerBound == 1024 }.count < 20)
  }
}
