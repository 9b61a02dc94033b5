import FileSystemFormat
import TestSupport
import Testing

/// What XFS says of itself, and that no bytes lead to a trap.
struct XFSTests {
  private static let xfs = XFSBuilder()

  // Spans cannot be within the macros.

  private static func decoded(_ bytes: [UInt8]) -> XFSGeometry? { XFSGeometry(bytes.span) }

  private static func geometry(directoryBlockBits: UInt8 = 0) throws -> XFSGeometry {
    try #require(decoded(xfs.superblock(directoryBlockBits: directoryBlockBits)))
  }

  private static func beginning(_ bytes: [UInt8], bits: UInt8) throws -> XFSBlock? {
    XFSBlock(beginning: bytes.span, of: try geometry(directoryBlockBits: bits))
  }

  private static func recognised(_ bytes: [UInt8]) throws -> XFSBlock? {
    XFSBlock(recognising: bytes.span, of: try geometry())
  }

  private static func record(_ bytes: [UInt8]) throws -> XFSLogRecord? {
    XFSLogRecord(bytes.span, of: try geometry())
  }

  @Test func `the superblock has the geometry`() throws {
    let geometry = try Self.geometry()
    #expect(geometry.blockByteCount == 4096)
    #expect(geometry.byteCount == 524_288)
    #expect(geometry.log == 131_072..<196_608)
    #expect(geometry.byteOffset(ofGroup: 1) == 262_144)
    #expect(geometry.byteOffset(ofGroup: 2) == nil)
    #expect(geometry.byteOffset(ofBlock: 64 + 5) == 262_144 + 20480)
    #expect(geometry.byteOffset(ofInode: (64 + 5) * 8 + 3) == 262_144 + 20480 + 1536)
    #expect(geometry.byteOffset(ofInode: .max) == nil)
  }

  @Test func `a superblock with a wrong checksum, or cut, is none`() {
    let bytes = Self.xfs.superblock()
    for index in stride(from: 0, to: 512, by: 7) {
      var broken = bytes
      broken[index] ^= 0x10
      #expect(Self.decoded(broken) == nil)
    }
    #expect(Self.decoded(Array(bytes[..<511])) == nil)
    #expect(Self.decoded([]) == nil)
  }

  @Test(
    arguments: [
      (0x4142_3342, XFSBuilder.Layout.short, XFSBlock.Kind.freeByBlock),
      (0x4142_3343, .short, .freeByCount), (0x524d_4233, .short, .reverseMap),
      (0x5233_4643, .short, .referenceCounts), (0x4941_4233, .short, .inodes),
      (0x4649_4233, .short, .freeInodes), (0x424d_4133, .long, .extents),
      (0x5844_4233, .directory, .directory), (0x5844_4433, .directory, .directoryData),
      (0x5844_4633, .directory, .directoryFree), (0x3ebe, .node, .node),
      (0x3bee, .node, .attributeLeaf), (0x3df1, .node, .directoryLeaf),
      (0x3dff, .node, .directoryLeaf), (0x5841_524d, .remote, .attributeValue),
      (0x5853_4c4d, .remote, .symbolicLink),
    ] as [(UInt64, XFSBuilder.Layout, XFSBlock.Kind)])
  func `a block has its address`(
    magic: UInt64, layout: XFSBuilder.Layout, kind: XFSBlock.Kind
  ) throws {
    let bytes = Self.xfs.block(magic, block: 70, owner: 9, layout)
    let block = try #require(try Self.recognised(bytes))
    #expect(block.kind == kind)
    #expect(block.address == 70 * 4096)
    #expect(block.owner == 9)
    #expect(block.lsn == 0x2222_2222_2222_2222)
    var broken = bytes
    broken[4000] ^= 1
    #expect(try Self.recognised(broken) == nil)
    let other = XFSBuilder(identifier: 8).block(magic, block: 70, layout)
    #expect(try Self.recognised(other) == nil)
    #expect(try Self.recognised(Self.xfs.block(magic, block: 128, layout)) == nil)
    #expect(try Self.recognised(Array(bytes[..<2048])) == nil)
  }

  @Test func `the sectors of a group have its number`() throws {
    let freeSpace = Self.xfs.groupSector(0x5841_4746, number: 1, at: 8, uuid: 64, checksum: 216)
    let inodes = Self.xfs.groupSector(0x5841_4749, number: 1, at: 8, uuid: 296, checksum: 312)
    let list = Self.xfs.groupSector(0x5841_464c, number: 0, at: 4, uuid: 8, checksum: 32)
    #expect(try Self.recognised(freeSpace)?.address == 262_144 + 512)
    #expect(try Self.recognised(inodes)?.address == 262_144 + 1024)
    #expect(try Self.recognised(list)?.address == 1536)
    let beyond = Self.xfs.groupSector(0x5841_464c, number: 2, at: 4, uuid: 8, checksum: 32)
    #expect(try Self.recognised(beyond) == nil)
    #expect(try Self.recognised(Self.xfs.superblock())?.address == nil)
  }

  @Test func `an inode's number is its place`() throws {
    let inode = try #require(try Self.recognised(Self.xfs.inode(517, lsn: 77)))
    #expect(inode.kind == .inode)
    #expect(inode.address == 262_144 + 2560)
    #expect(inode.lsn == 77)
    #expect(try Self.recognised(Self.xfs.inode(1024)) == nil)
    #expect(try Self.recognised(Self.xfs.inode(.max)) == nil)
  }

  @Test func `blocks of directories can be larger`() throws {
    for (magic, layout) in [
      (0x5844_4433, XFSBuilder.Layout.directory), (0x3ebe, .node),
    ] as [(UInt64, XFSBuilder.Layout)] {
      let bytes = Self.xfs.block(magic, block: 8, byteCount: 16384, layout)
      let block = try #require(try Self.beginning(bytes, bits: 2))
      let whole = block.intactByteCount(bytes.span)
      let cut = block.intactByteCount(bytes.span.extracting(0..<4096))
      #expect(whole == 16384 && cut == nil)
    }
  }

  @Test func `a record of the log has its sector`() throws {
    let bytes = Self.xfs.record(sector: 20, dataSectorCount: 9)
    let record = try #require(try Self.record(bytes))
    #expect(record.sector == 20)
    #expect(record.sectorCount == 10)
    let isIntact = { (bytes: [UInt8]) in record.isIntact(bytes.span) }
    #expect(isIntact(bytes))
    #expect(!isIntact(Array(bytes[..<4096])))
    for index in [0, 4, 13, 300, 327, 512, 5119] {
      var broken = bytes
      broken[index] ^= 1
      #expect(!isIntact(broken))
    }
    let cleared = Self.xfs.clearedSector(127, cycle: 0)
    #expect(try Self.record(cleared)?.isCleared == true)
    #expect(try Self.record(Self.xfs.clearedSector(128, cycle: 0)) == nil)
    let other = XFSBuilder(identifier: 8).clearedSector(1, cycle: 0)
    #expect(try Self.record(other) == nil)
  }

  @Test func `no bytes lead to a trap`() throws {
    var random = SplitMix64(seed: 4)
    let geometry = try Self.geometry(directoryBlockBits: 2)
    let pieces = [
      Self.xfs.superblock(), Self.xfs.inode(5), Self.xfs.record(sector: 3, dataSectorCount: 2),
      Self.xfs.block(0x5844_4433, block: 8, .directory), Self.xfs.block(0x3ebe, block: 8, .node),
      Self.xfs.block(0x424d_4133, block: 8, .long),
    ]
    for round in 0..<6000 {
      var bytes = pieces[round % pieces.count]
      for _ in 0...random.below(6) {
        bytes[random.below(min(bytes.count, 330))] =
          [0, 0xff, 0x80, UInt8(random.below(256))][
            random.below(4)]
      }
      let cut = bytes.span.extracting(0..<random.below(bytes.count + 1))
      _ = XFSGeometry(cut)
      _ = XFSBlock(recognising: cut, of: geometry)
      if let record = XFSLogRecord(cut, of: geometry) { _ = record.isIntact(cut) }
    }
  }

  @Test func `no geometry leads to a trap`() throws {
    var random = SplitMix64(seed: 5)
    for _ in 0..<4000 {
      var bytes = Self.xfs.superblock()
      for _ in 0...random.below(4) {
        bytes[random.below(256)] = [0, 1, 0xff, UInt8(random.below(256))][random.below(4)]
      }
      guard let geometry = XFSGeometry(XFSBuilder.resealed(bytes).span) else { continue }
      _ = geometry.log
      for number in [0, 1, 63, 64, UInt64.max, random.next()] {
        _ = geometry.byteOffset(ofGroup: number)
        _ = geometry.byteOffset(ofBlock: number)
        _ = geometry.byteOffset(ofInode: number)
      }
      _ = XFSBlock(recognising: Self.xfs.inode(5).span, of: geometry)
      _ = XFSLogRecord(Self.xfs.clearedSector(5, cycle: 1).span, of: geometry)
    }
  }
}
