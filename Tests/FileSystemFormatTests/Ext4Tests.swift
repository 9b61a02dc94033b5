import FileSystemFormat
import Foundation
import TestSupport
import Testing

/// The codecs of ext4 on what mke2fs writes, on journals made by hand, and on anything.
struct Ext4Tests {
  /// A small file system of mke2fs, some files in it.
  private struct Image {
    let bytes: [UInt8]
    let superblock: Ext4Superblock

    init(_ options: [String] = []) throws {
      let bytes = try Self.make(options)
      let superblock = Array(bytes[1024..<2048]).superblock
      (self.bytes, self.superblock) = (bytes, try #require(superblock))
    }

    private static func make(_ options: [String]) throws -> [UInt8] {
      let directory = try TemporaryDirectory()
      let path = directory.path("image")
      try FileManager.default.createDirectory(
        atPath: directory.path("files/folder"), withIntermediateDirectories: true)
      try directory.write([1], to: "files/one")
      try directory.write([2], to: "files/folder/two")
      try #require(ToolRunner(named: "mke2fs")).succeed(
        ["-q", "-F", "-t", "ext4", "-O", "metadata_csum,64bit", "-b", "1024", "-I", "256"]
          + options + ["-d", directory.path("files"), path, "16M"])
      return try Array(Data(contentsOf: URL(filePath: path)))
    }

    /// The bytes of a block.
    func block(_ number: UInt64) -> [UInt8] {
      let size = superblock.blockByteCount
      return Array(bytes[Int(number) * size..<(Int(number) + 1) * size])
    }

    /// A group's descriptor, as bytes.
    func descriptor(_ group: Int) throws -> [UInt8] {
      let start = Int(try #require(superblock.block(ofDescriptors: 0))) * superblock.blockByteCount
      let size = superblock.descriptorByteCount
      return Array(bytes[start + group * size..<start + (group + 1) * size])
    }

    /// An inode of the first group, as bytes.
    func inode(_ number: Int) throws -> [UInt8] {
      let descriptor = try descriptor(0)
      let table = Ext4GroupDescriptor(decoding: descriptor.span).inodeTable
      let start = Int(table) * superblock.blockByteCount + (number - 1) * 256
      return Array(bytes[start..<start + 256])
    }
  }

  private static let hasTool = ToolRunner(named: "mke2fs") != nil

  @Test(.enabled(if: hasTool, "mke2fs must be installed"))
  func `a superblock gives the geometry`() throws {
    let image = try Image(["-N", "2048"])
    let superblock = image.superblock
    #expect(superblock.blockByteCount == 1024)
    #expect(superblock.blockCount == 16 << 10)
    #expect(superblock.inodeCount == 2048)
    #expect(superblock.groupCount == 2)
    #expect(superblock.descriptorByteCount == 64)
    #expect(superblock.group == 0)
    #expect(superblock.journalInode == 8)
    #expect(!superblock.needsRecovery)
    let copy = try #require(image.block(8193).superblock)
    #expect(copy.group == 1 && copy.uuid == superblock.uuid)
    var changed = image.block(1)
    changed[0x30] ^= 1
    #expect(changed.superblock == nil)
  }

  @Test(.enabled(if: hasTool, "mke2fs must be installed"))
  func `descriptors and bitmaps have their checksums`() throws {
    let image = try Image()
    let seed = image.superblock.seed
    let bytes = try image.descriptor(0)
    #expect(bytes.isDescriptor(of: 0, seed: seed))
    #expect(!bytes.isDescriptor(of: 1, seed: seed))
    let descriptor = Ext4GroupDescriptor(decoding: bytes.span)
    var blocks = CRC32C(register: seed)
    blocks.add(image.block(descriptor.blockBitmap).span)
    #expect(blocks.register == descriptor.blockBitmapChecksum)
    var inodes = CRC32C(register: seed)
    inodes.add(
      image.block(descriptor.inodeBitmap).span
        .extracting(0..<Int(image.superblock.inodesPerGroup) / 8))
    #expect(inodes.register == descriptor.inodeBitmapChecksum)
  }

  @Test(
    .enabled(if: hasTool, "mke2fs must be installed"),
    arguments: [[], ["-O", "metadata_csum_seed"]])
  func `an inode's number follows from its checksum`(options: [String]) throws {
    let image = try Image(options)
    for number in [2, 8, 11, 12, 13, 14] {
      let inode = try image.inode(number)
      #expect(inode.number(seed: image.superblock.seed) == UInt32(number))
      #expect(
        inode.isInode(UInt32(number), seed: image.superblock.seed))
      #expect(!inode.isInode(99, seed: image.superblock.seed))
    }
    #expect(try image.inode(100).allSatisfy { $0 == 0 })
  }

  @Test(.enabled(if: hasTool, "mke2fs must be installed"))
  func `a directory's block belongs to its inode`() throws {
    let image = try Image()
    let bytes = try image.inode(2)
    let inode = Ext4Inode(decoding: bytes.span)
    #expect(inode.kind == .directory && inode.isInUse && inode.byteCount == 1024)
    let map = Array(bytes[Ext4Inode.map])
    let header = try #require(map.extentHeader)
    #expect(header.count == 1 && header.depth == 0)
    let extent = header.extent(0, of: map.span)
    #expect(extent.logical == 0 && extent.count == 1 && extent.isWritten)
    let register = Ext4Inode.register(
      number: 2, generation: inode.generation, seed: image.superblock.seed)
    let block = image.block(extent.physical)
    #expect(block.directoryRegister == register)
    #expect(block.hashTreeRegister == nil)
  }

  @Test func `an extent block and attributes are found by the way back`() {
    var block = [UInt8](repeating: 0, count: 1024)
    block.put([0x0a, 0xf3, 1, 0, 84, 0], at: 0)
    let register = Ext4Inode.register(number: 77, generation: 5, seed: 123)
    var checksum = CRC32C(register: register)
    checksum.add(block.span.extracting(0..<12 + 84 * 12))
    block.put(checksum.register.littleBytes, at: 12 + 84 * 12)
    #expect(block.extentsRegister == register)

    block = (0..<1024).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    block.put([0, 0, 2, 0xea], at: 0)
    block.put([0, 0, 0, 0], at: 0x10)
    checksum = CRC32C(register: 9)
    checksum.add(4711)
    checksum.add(0)
    checksum.add(block.span)
    block.put(checksum.register.littleBytes, at: 0x10)
    #expect(block.attributesNumber(seed: 9) == 4711)
  }

  @Test func `a descriptor of a journal names the blocks after it`() throws {
    let layout = Ext4JournalLayout(isVersion3: true, has64Bits: true, seed: 3)
    var block = [UInt8](repeating: 0, count: 1024)
    block.put([0xc0, 0x3b, 0x39, 0x98, 0, 0, 0, 1, 0, 0, 0, 7], at: 0)
    block.put([0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 3, 4], at: 12)  // and sixteen of a UUID
    block.put([0, 0, 1, 1, 0, 0, 0, 0xb, 0, 0, 0, 0, 5, 6, 7, 8], at: 44)
    #expect(block.tags(layout) == nil)
    var checksum = CRC32C(register: 3)
    checksum.add(block.span)
    block.put(checksum.register.littleBytes.reversed(), at: 1020)
    #expect(
      block.tags(layout) == [
        Ext4JournalTag(block: 2 << 32 | 0x100, checksum: 0x0102_0304, isEscaped: false),
        Ext4JournalTag(block: 0x101, checksum: 0x0506_0708, isEscaped: true),
      ])
    let header = try #require(block.journalHeader)
    #expect(header.kind == .descriptor && header.sequence == 7)
  }

  @Test func `a shift and what bytes lead to from zero give their checksum`() {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var content = CRC32C(register: 0)
    content.add(bytes.span)
    var whole = CRC32C(register: 0xabcd_1234)
    whole.add(bytes.span)
    #expect(CRC32CShift(byteCount: 1000)(0xabcd_1234) ^ content.register == whole.register)
    var four = CRC32C(register: 1)
    four.add(99)
    #expect(CRC32C.integer(from: 1, to: four.register) == 99)
  }

  @Test func `no bytes cause a trap`() {
    var random = SplitMix64(seed: 6)
    for _ in 0..<2000 {
      var block = (0..<1024).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      block.put([0x53, 0xef], at: 0x38)
      var checksum = CRC32C()
      checksum.add(block.span.extracting(0..<0x3fc))
      block.put(checksum.register.littleBytes, at: 0x3fc)
      _ = Ext4Superblock(decoding: block.span)
      block.put([0x0a, 0xf3], at: 0)
      _ = Ext4Block.register(ofExtents: block.span)
      block.put([0xc0, 0x3b, 0x39, 0x98], at: 0)
      _ = Ext4JournalSuperblock(decoding: block.span)
      let layout = Ext4JournalLayout(isVersion3: random.next() & 1 == 0, has64Bits: true, seed: 0)
      var tail = CRC32C(register: 0)
      tail.add(block.span.extracting(0..<1020))
      tail.addZeroes(4)
      block.put(tail.register.littleBytes.reversed(), at: 1020)
      #expect(block.tags(layout) != nil)
      #expect(block.revoked(layout) != nil)
    }
  }
}

// What the macros cannot expand are spans: the codecs by arrays.
extension [UInt8] {
  fileprivate var superblock: Ext4Superblock? { Ext4Superblock(decoding: span) }
  fileprivate var extentHeader: Ext4ExtentHeader? { Ext4ExtentHeader(decoding: span) }
  fileprivate var journalHeader: Ext4JournalHeader? { Ext4JournalHeader(decoding: span) }
  fileprivate var directoryRegister: UInt32? { Ext4Block.register(ofDirectory: span) }
  fileprivate var hashTreeRegister: UInt32? { Ext4Block.register(ofHashTree: span) }
  fileprivate var extentsRegister: UInt32? { Ext4Block.register(ofExtents: span) }

  fileprivate func attributesNumber(seed: UInt32) -> UInt32? {
    Ext4Block.number(ofAttributes: span, seed: seed)
  }

  fileprivate func isDescriptor(of group: UInt32, seed: UInt32) -> Bool {
    Ext4GroupDescriptor.isRight(span, group: group, seed: seed)
  }

  fileprivate func number(seed: UInt32) -> UInt32? { Ext4Inode.number(of: span, seed: seed) }

  fileprivate func isInode(_ number: UInt32, seed: UInt32) -> Bool {
    Ext4Inode.isRight(span, number: number, seed: seed)
  }

  fileprivate func tags(_ layout: Ext4JournalLayout) -> [Ext4JournalTag]? {
    layout.tags(of: span)
  }

  fileprivate func revoked(_ layout: Ext4JournalLayout) -> [UInt64]? { layout.revoked(by: span) }

  /// Puts bytes in a place.
  fileprivate mutating func put(_ bytes: some Collection<UInt8>, at byteOffset: Int) {
    replaceSubrange(byteOffset..<byteOffset + bytes.count, with: bytes)
  }
}

extension UInt32 {
  /// Its bytes, the lowest first.
  fileprivate var littleBytes: [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: self >> UInt32(8 * $0)) }
  }
}
