import Blkid
import BlockIO
import SystemPackage
import Testing

/// The partitions of whole disks, held against sfdisk(8), and what lies in them against blkid(8).
///
/// - Every partition is listed where its table says, and looked into as far as it exists.
/// - A frame of logical partitions is listed, and not looked into.
@Suite struct PartitionTableTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private static let tables = [
    """
    label: gpt
    start=2048, size=32768, name="first one"
    start=34816, size=32768, type=S, name="swap"
    start=67584, size=2048
    """,
    """
    label: dos
    start=2048, size=32768, type=83
    start=34816, size=90000, type=5
    start=36864, size=32768, type=82
    start=71680, size=2048, type=83
    start=75776, size=32768, type=8e
    """,
  ]

  /// A disk of 64 MiB; the first partition holds ext4, the next two swap and a COW store.
  private func disk(_ table: String) throws -> (path: String, truth: Oracle.Table) {
    let image = try scratch.file("disk", byteCount: 64 << 20)
    try Tool.run("sfdisk", ["--quiet", image], input: table)
    let truth = try Oracle.sfdisk(image)
    let content = truth.partitions.filter { $0.type != "5" }
    let ext4 = try scratch.file("ext4", byteCount: content[0].size * 512)
    try Tool.run("mkfs.ext4", ["-q", "-L", "root", ext4])
    try patch(image, at: content[0].start * 512, bytes(of: ext4, at: 0, count: 1 << 20))
    let swap = try scratch.file("swap", byteCount: content[1].size * 512)
    try Tool.run("mkswap", ["-L", "pages", swap])
    try patch(image, at: content[1].start * 512, bytes(of: swap, at: 0, count: 4096))
    try patch(image, at: content[2].start * 512, Images.storeHeader(chunkSectors: 8))
    return (image, truth)
  }

  @Test(arguments: tables)
  func `partitions are where sfdisk says, and hold what blkid says`(_ table: String) throws {
    let (image, truth) = try disk(table)
    let identity = try Probe.identify(FileSource(path: FilePath(image)))
    let found = try #require(identity.partitionTable)
    #expect(identity.signatures.isEmpty)
    #expect(found.type == truth.label)
    #expect(found.sectorByteCount == 512)
    #expect(found.identifier?.lowercased() == truth.id.lowercased().replacing("0x", with: ""))
    #expect(found.partitions.count == truth.partitions.count)
    for (ours, theirs) in zip(found.partitions, truth.partitions) {
      #expect(ours.byteOffset == theirs.start * 512)
      #expect(ours.byteCount == theirs.size * 512)
      #expect(ours.type.replacing("0x", with: "").uppercased() == theirs.type.uppercased())
      #expect(ours.name == theirs.name)
      if let uuid = theirs.uuid { #expect(ours.uuid?.uppercased() == uuid) }
      guard theirs.type != "5" else {
        #expect(ours.isExtended)
        #expect(ours.content == nil)
        continue
      }
      let content = try #require(ours.content)
      let said = try Oracle.blkid(image, offset: ours.byteOffset)
      #expect(content.signatures.first?.type == said?["TYPE"])
      #expect(content.signatures.first?.label == said?["LABEL"])
      #expect(content.signatures.first?.uuid == said?["UUID"])
    }
    let types = found.partitions.map { $0.content?.signatures.first?.type }
    #expect(types.compactMap(\.self) == ["ext4", "swap", "DM_snapshot_cow"])
    let source = OpaqueSource(try FileSource(path: FilePath(image)))
    #expect(try Probe.identify(source) == identity, "the same through a copy in memory")
  }

  @Test func `a GPT with sectors of 4096 bytes is found in an image`() throws {
    let image = try scratch.file("disk", byteCount: 64 << 20)
    try Tool.run(
      "fdisk", ["--sector-size", "4096", image], input: "g\nn\n1\n256\n+10M\nw\n")
    let table = try #require(
      try Probe.identify(FileSource(path: FilePath(image))).partitionTable)
    #expect(table.type == "gpt")
    #expect(table.sectorByteCount == 4096)
    #expect(table.partitions.map(\.byteOffset) == [256 * 4096])
    #expect(table.partitions.map(\.byteCount) == [10 << 20])
  }

  @Test func `what is left of a GPT is a fence without partitions`() throws {
    let (image, _) = try disk(Self.tables[0])
    try patch(image, at: 512, [UInt8](repeating: 0, count: 512))
    try patch(image, at: 64 << 20 - 512, [UInt8](repeating: 0, count: 512))
    let identity = try Probe.identify(FileSource(path: FilePath(image)))
    #expect(identity.partitionTable == PartitionTable(type: "PMBR"))
  }

  @Test func `of a truncated disk each partition is looked into as far as it is there`() throws {
    let (image, truth) = try disk(Self.tables[1])
    let whole = try FileSource(path: FilePath(image))
    // Cut inside the second logical partition.
    let end = (truth.partitions[3].start + 100) * 512
    let found = try #require(try Probe.identify(whole, range: 0..<end).partitionTable)
    let types = found.partitions.map { $0.content?.signatures.map(\.type) }
    #expect(types == [["ext4"], nil, ["swap"], ["DM_snapshot_cow"]], "the chain ends there too")
    let cut = try #require(
      try Probe.identify(whole, range: 0..<truth.partitions[2].start * 512).partitionTable)
    #expect(cut.partitions.last?.content == nil)
  }

  @Test func `a table inside a partition is listed, and looked into no further`() throws {
    let outer = try scratch.file("outer", byteCount: 80 << 20)
    try Tool.run("sfdisk", ["--quiet", outer], input: "label: gpt\nstart=2048, size=140000\n")
    let (inner, _) = try disk(Self.tables[0])
    try patch(outer, at: 1 << 20, bytes(of: inner, at: 0, count: 64 << 20))
    let identity = try Probe.identify(FileSource(path: FilePath(outer)))
    let content = try #require(identity.partitionTable?.partitions.first?.content)
    #expect(content.partitionTable?.partitions.count == 3)
    #expect(content.partitionTable?.partitions.allSatisfy { $0.content == nil } == true)
  }
}
