import BlockIO
import SystemPackage
import Testing

@testable import Blkid

/// A source without a descriptor, looked at through an excerpt in memory.
///
/// - The answer is the one that libblkid gives of the file itself, although the excerpt is a
///   thousandth of it.
/// - What cannot be read is named, and hides nothing else.
@Suite struct ExcerptTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// The answers of the file, and of its excerpt, must be equal, and agree with blkid(8).
  private func expectSame(
    _ image: String, type: String?, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let file = try FileSource(path: FilePath(image))
    let truth = try #require(try Oracle.blkid(image))
    let identity = try Probe.identify(file)
    let virtual = try Probe.identify(OpaqueSource(file))
    #expect(virtual == identity, sourceLocation: sourceLocation)
    #expect(truth["TYPE"] == type, sourceLocation: sourceLocation)
    let signature = virtual.signatures.first
    #expect(signature?.type == truth["TYPE"], sourceLocation: sourceLocation)
    #expect(signature?.label == truth["LABEL"], sourceLocation: sourceLocation)
    #expect(signature?.uuid == truth["UUID"], sourceLocation: sourceLocation)
    #expect(virtual.partitionTable?.type == truth["PTTYPE"], sourceLocation: sourceLocation)
    #expect(try heldByteCount(Excerpt(of: OpaqueSource(file)).file) <= 7 << 20)
  }

  /// How much of a sparse file is there.
  private func heldByteCount(_ file: MemoryFile) throws -> UInt64 {
    var (sum, position) = (UInt64(0), UInt64(0))
    while let data = try file.nextData(from: position) {
      sum += UInt64(data.count)
      position = data.upperBound
    }
    return sum
  }

  @Test func `ext4 is seen in the head`() throws {
    let image = try scratch.file("image", byteCount: 8 << 30)
    try Tool.run("mkfs.ext4", ["-q", "-L", "large", image])
    try expectSame(image, type: "ext4")
  }

  @Test func `the label of FAT32 is seen in a root directory behind the head`() throws {
    let image = try Images.fat32(scratch, label: "FARAWAY")
    try expectSame(image, type: "vfat")
    #expect(try Oracle.blkid(image)?["LABEL"] == "FARAWAY")
    let directory = try #require(
      FarStructure(bootSector: try bytes(of: image, at: 0, count: 512)))
    #expect(directory.byteOffset > 4352 << 10)
  }

  @Test func `NTFS is seen with its master file table at 3 GiB`() throws {
    let image = try Images.ntfs(scratch, label: "Windows")
    try expectSame(image, type: "ntfs")
    #expect(try Oracle.blkid(image)?["LABEL"] == "Windows")
  }

  @Test func `a member of a RAID is seen by its last sectors`() throws {
    let image = try scratch.file("image", byteCount: 1 << 30)
    // Version 0.90 of md: the superblock is in the last 64 KiB that begin at a multiple of them.
    var superblock = [UInt8](repeating: 0, count: 4096)
    superblock.put(UInt32(0xa92b_4efc).bytes + UInt32(0).bytes + UInt32(90).bytes, at: 0)
    superblock.put(UInt32(0x1234_5678).bytes, at: 20)
    try patch(image, at: 1 << 30 - 65536, superblock)
    try expectSame(image, type: "linux_raid_member")
  }

  @Test func `logical partitions are followed wherever they lie`() throws {
    let image = try scratch.file("image", byteCount: 8 << 30)
    try Tool.run(
      "sfdisk", ["--quiet", image],
      input: "label: dos\n,1G\n,,5\n" + String(repeating: ",500M\n", count: 12))
    try expectSame(image, type: nil)
    let source = OpaqueSource(try FileSource(path: FilePath(image)))
    let partitions = try Probe.identify(source).partitionTable?.partitions
    #expect(partitions?.count == 14)
  }

  @Test func `a bad sector elsewhere is named and hides nothing`() throws {
    let image = try scratch.file("image", byteCount: 1 << 30)
    try Tool.run("mkfs.ext4", ["-q", image])
    let file = try FileSource(path: FilePath(image))
    let bad: [Range<UInt64>] = [600 << 10..<600 << 10 + 512, 1 << 30 - 1024..<1 << 30]
    for range in bad {
      let identity = try Probe.identify(OpaqueSource(file, bad: range))
      #expect(identity.unreadable == [range])
      #expect(identity.signatures.map(\.type) == ["ext4"])
    }
  }

  @Test func `a bad sector where the superblock was is named, and nothing is found`() throws {
    let image = try scratch.file("image", byteCount: 64 << 20)
    try Tool.run("mkfs.ext4", ["-q", image])
    let file = try FileSource(path: FilePath(image))
    let identity = try Probe.identify(OpaqueSource(file, bad: 1024..<1536))
    #expect(identity == Identity(unreadable: [1024..<1536]))
  }

  @Test(arguments: [0, 1, 511, 512, 4352 << 10, (6 << 20) + (256 << 10) + 1] as [UInt64])
  func `an excerpt is as long as its source`(_ byteCount: UInt64) throws {
    let source = try FileSource(path: FilePath(try scratch.file("image", byteCount: byteCount)))
    #expect(try Excerpt(of: source).file.byteCount == byteCount)
    #expect(try Probe.identify(OpaqueSource(source)).isEmpty)
  }
}
