import FileSystemFormat
import TestSupport
import Testing

/// What a btrfs has on disk, built byte by byte; whatever the bytes are, nothing traps.
struct BtrfsTests {
  private static let builder = BtrfsBuilder()
  private static let systemKey: [UInt8] = [0, 1, 0, 0, 0, 0, 0, 0, 228, 0, 0, 16, 0, 0, 0, 0, 0]

  private static func superblock(checksumType: UInt16 = 0) -> [UInt8] {
    builder.superblock(
      generation: 9, root: 0x10_4000, chunkRoot: (0x10_0000, 5),
      systemChunks: systemKey
        + builder.chunk(byteCount: 1 << 18, type: 0x22, stripes: [1 << 20, 5 << 18]),
      checksumType: checksumType)
  }

  // MARK: - The superblock

  @Test func `a superblock says where its trees begin`() throws {
    let decodedSuperblock = BtrfsDiskSuperblock(decoding: Self.superblock().span)
    let superblock = try #require(decodedSuperblock)
    #expect(superblock.byteOffset == 65536)
    #expect(superblock.generation == 9)
    #expect(superblock.root == BtrfsPointer(address: 0x10_4000, generation: 9, level: 0))
    #expect(superblock.chunkRoot == BtrfsPointer(address: 0x10_0000, generation: 5, level: 0))
    #expect(superblock.logRoot == nil)
    #expect(superblock.nodeByteCount == 16384)
    #expect(superblock.sectorByteCount == 4096)
    let chunk = try #require(superblock.systemChunks.chunks.first)
    #expect(chunk.places(of: 0x10_4000, count: 16384, on: 1) == [0x10_4000, 0x14_4000])
    #expect(chunk.places(of: 0x10_4000, count: 16384, on: 2).isEmpty)
  }

  @Test func `a superblock of another checksum, or with a wrong one, is none`() {
    #expect(BtrfsDiskSuperblock(decoding: Self.superblock(checksumType: 1).span) == nil)
    var bytes = Self.superblock()
    bytes[0x48] ^= 1
    #expect(BtrfsDiskSuperblock(decoding: bytes.span) == nil)
    #expect(BtrfsDiskSuperblock(decoding: Self.superblock().span.extracting(0..<4095)) == nil)
  }

  @Test(arguments: UInt64(1)...200)
  func `no superblock traps`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var bytes = Self.superblock()
    for _ in 0..<8 {
      bytes[random.below(2) == 0 ? 0x90 + random.below(0x60) : 0x32b + random.below(200)] =
        UInt8(random.below(256))
    }
    guard let superblock = BtrfsDiskSuperblock(decoding: BtrfsBuilder.withChecksum(bytes).span)
    else {
      return
    }
    for chunk in superblock.systemChunks.chunks {
      for address in [0, chunk.logical, chunk.logical &+ chunk.byteCount &- 1, .max] {
        for count: UInt64 in [1, 4096, .max] {
          _ = chunk.places(of: address, count: count, on: superblock.device)
        }
      }
    }
  }

  // MARK: - Chunks

  @Test func `striped chunks are in pieces on their stripes`() throws {
    let decodedStriped = BtrfsChunk(
      decoding: Self.builder.chunk(byteCount: 1 << 20, type: 0x9, stripes: [1 << 20, 9 << 20])
        .span, logical: 1 << 30)
    let striped = try #require(decodedStriped)
    #expect(striped.places(of: (1 << 30) + 4096, count: 4096, on: 1) == [(1 << 20) + 4096])
    #expect(striped.places(of: (1 << 30) + 65536, count: 4096, on: 1) == [9 << 20])
    #expect(striped.places(of: (1 << 30) + 131072, count: 4096, on: 1) == [(1 << 20) + 65536])
    #expect(striped.places(of: (1 << 30) + 61440, count: 8192, on: 1).isEmpty)
    let decodedMirrored = BtrfsChunk(
      decoding: Self.builder.chunk(
        byteCount: 1 << 20, type: 0x41, stripes: [1 << 20, 2 << 20, 3 << 20, 4 << 20],
        subStripeCount: 2
      ).span, logical: 0)
    let mirrored = try #require(decodedMirrored)
    #expect(mirrored.places(of: 65536, count: 4096, on: 1) == [3 << 20, 4 << 20])
    #expect(mirrored.places(of: (1 << 20) - 4096, count: 8192, on: 1).isEmpty)
  }

  @Test func `chunks with parity, or without stripes, are none`() {
    for (type, stripes): (UInt64, [UInt64]) in [(0x81, [0, 1, 2]), (0x101, [0, 1, 2]), (1, [])] {
      let bytes = Self.builder.chunk(byteCount: 1 << 20, type: type, stripes: stripes)
      #expect(BtrfsChunk(decoding: bytes.span, logical: 0) == nil)
    }
    let bytes = Self.builder.chunk(byteCount: 1 << 20, type: 1, stripes: [0])
    #expect(BtrfsChunk(decoding: bytes.span, logical: .max) == nil)
    for count in 0..<bytes.count {
      #expect(BtrfsChunk(decoding: bytes.span.extracting(0..<count), logical: 0) == nil)
    }
  }

  @Test func `a chunk takes the place of those that it overlaps`() throws {
    func chunk(_ logical: UInt64, _ byteCount: UInt64) throws -> BtrfsChunk {
      let bytes = Self.builder.chunk(byteCount: byteCount, type: 1, stripes: [0])
      let decodedMade = BtrfsChunk(decoding: bytes.span, logical: logical)
      return try #require(decodedMade)
    }
    var map = BtrfsChunkMap([try chunk(200, 100), try chunk(0, 100), try chunk(100, 100)])
    #expect(map.chunks.map(\.logical) == [0, 100, 200])
    #expect(map.index(containing: 199) == 1)
    #expect(map.index(containing: 300) == nil)
    map.insert(try chunk(50, 100))
    #expect(map.chunks.map(\.logical) == [50, 200])
    #expect(map.index(containing: 49) == nil)
  }

  // MARK: - Nodes

  private static let leaf = builder.leaf(
    at: 0x10_0000, generation: 3,
    [
      (.init(7, 132, 0), builder.root(at: 0x20_0000, generation: 2)),
      (.init(256, 228, 1 << 20), builder.chunk(byteCount: 1 << 18, type: 2, stripes: [1 << 20])),
      (.init(.max - 9, 128, 1 << 21), [1, 0, 0, 0, 2, 0, 0, 0]),
    ])

  @Test func `a leaf has items`() throws {
    let node = try #require(BtrfsNode(checking: Self.leaf))
    #expect(node.header.fits(BtrfsPointer(address: 0x10_0000, generation: 3, level: 0)))
    #expect(node.firstKey == BtrfsKey(object: 7, type: BtrfsKey.rootItem, offset: 0))
    #expect(node.root(at: 0) == BtrfsPointer(address: 0x20_0000, generation: 2, level: 0))
    #expect(node.chunk(at: 1)?.logical == 1 << 20)
    #expect(node.dataChecksums(at: 2) == [1, 2])
    #expect(node.root(at: 2) == nil)
    #expect(node.chunk(at: 2) == nil)
  }

  @Test func `any other node points to nodes`() throws {
    let bytes = Self.builder.parent(
      at: 0x10_0000, generation: 3, level: 2,
      [(.init(1, 1, 1), 4096, 2), (.init(1, 1, 2), 8192, 3)])
    let node = try #require(BtrfsNode(checking: bytes))
    #expect(
      node.pointer(at: 1)
        == BtrfsPointer(
          address: 8192, generation: 3, level: 1,
          firstKey: BtrfsKey(object: 1, type: 1, offset: 2)))
  }

  @Test func `what is out of order is no node`() {
    let item: [UInt8] = [1, 2, 3]
    let disordered = Self.builder.leaf(
      at: 0, generation: 3, [(.init(2, 1, 0), item), (.init(1, 1, 0), item)])
    #expect(BtrfsNode(checking: disordered) == nil)
    var bytes = Self.leaf
    bytes[0x60] = 0xff
    #expect(BtrfsNode(checking: bytes) == nil)
    #expect(BtrfsNode(checking: BtrfsBuilder.withChecksum(bytes)) == nil)
    #expect(BtrfsNode(checking: []) == nil)
    #expect(BtrfsNode(checking: Array(Self.leaf[..<101])) == nil)
  }

  @Test(arguments: UInt64(1)...300)
  func `no node traps`(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var bytes = Self.leaf
    for _ in 0..<4 { bytes[0x50 + random.below(130)] = UInt8(random.below(256)) }
    if seed % 3 == 0 { bytes.removeLast(random.below(bytes.count - 101)) }
    guard let node = BtrfsNode(checking: BtrfsBuilder.withChecksum(bytes)) else { return }
    for index in 0..<node.header.itemCount {
      _ = node.header.level == 0 ? nil : node.pointer(at: index)
      guard node.header.level == 0 else { continue }
      _ = node.root(at: index)
      _ = node.chunk(at: index)
      _ = node.dataChecksums(at: index)
    }
  }

  // MARK: - Shifts

  @Test func `shifts are zeroes, and can be undone`() {
    for count in [0, 1, 7, 4096, 12288] {
      var checksum = CRC32C(register: 0x1234_5678)
      checksum.addZeroes(count)
      #expect(CRC32CShift(byteCount: count)(0x1234_5678) == checksum.register)
      #expect(CRC32CShift(undoing: count)(checksum.register) == 0x1234_5678)
    }
  }
}
