internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// The superblock, group descriptors, and the bitmaps that descriptors have checksums of.
struct Ext4GroupEvidence {
  let homes: Ext4Homes
  let volume: Ext4Volume
  let origin: any BlockSource

  func place(_ claims: inout Ext4Claims) throws(BlockIOError) {
    try placeSuperblock(&claims)
    try homes.claim(homes.versions(.descriptors, claims) { $0 }, .ext4Group, &claims)
    try placeBitmaps(&claims)
  }

  /// Places the superblock of a file system that was unmounted, or frozen, which no journal has.
  private func placeSuperblock(_ claims: inout Ext4Claims) throws(BlockIOError) {
    let block = volume.superblockBlock
    let chunk = volume.chunk(of: block)
    guard !claims.isKnown(chunk),
      let bytes = try origin.whole(
        at: volume.start + UInt64(Ext4Superblock.byteOffset), count: Ext4Superblock.byteCount),
      let now = Ext4Superblock(decoding: bytes.span)
    else { return }
    let found = homes.versions(.superblock, claims) { written in
      homes.mayBe(written: written, origin: now.kilobytesWritten) ? block : nil
    }[block, default: []]
    guard found.count == 1, claims.isCertain(found[0]), !claims.placed.contains(found[0]) else {
      return
    }
    let fit = try claims.fit(found[0], chunk)
    guard fit.isPossible, fit.unknownCount == 0 || homes.isDecided else { return }
    claims.claim(found[0], chunk, .ext4Group)
  }

  /// Places bitmaps.
  ///
  /// The rest of a bitmap's block is ones, as Linux and mke2fs fill it.
  private func placeBitmaps(_ claims: inout Ext4Claims) throws(BlockIOError) {
    let superblock = volume.superblock
    let blocks = Bitmap(bitCount: superblock.clustersPerGroup, volume)
    let inodes = Bitmap(bitCount: superblock.inodesPerGroup, volume)
    var (blockBitmaps, inodeBitmaps): ([UInt32: [UInt64]], [UInt32: [UInt64]]) = ([:], [:])
    for (index, group) in volume.groups.enumerated() where group.hasWholeChecksums {
      let perBlock = volume.blockByteCount / superblock.descriptorByteCount
      // The descriptor must be the snapshot's.
      guard let block = superblock.block(ofDescriptors: UInt64(index / perBlock)),
        claims.scene.isMapped(volume.chunk(of: block))
      else { continue }
      if !group.isBlockBitmapUnused {
        blockBitmaps[blocks.content(group.blockBitmapChecksum), default: []]
          .append(group.blockBitmap)
      }
      if !group.isInodeTableUnused {
        inodeBitmaps[inodes.content(group.inodeBitmapChecksum), default: []]
          .append(group.inodeBitmap)
      }
    }
    let lost = [blockBitmaps, inodeBitmaps].joined().flatMap(\.value).count {
      !claims.isKnown(volume.chunk(of: $0))
    }
    // A bitmap has nothing but its checksum.
    let limit: Evidence.Strength = claims.isRare(lost) ? .proven : .likely
    for bitmaps in [blockBitmaps, inodeBitmaps] {
      var versions: [UInt64: [Int]] = [:]
      for (content, homes) in bitmaps where homes.count == 1 {
        let found = claims.orphans.places(of: content).filter {
          claims.orphans.blocks[$0].role == .other
            && $0 % volume.blocksPerChunk == volume.index(of: homes[0])
        }
        if !found.isEmpty { versions[homes[0]] = found.map { $0 / volume.blocksPerChunk } }
      }
      try homes.claim(versions, .ext4Group, atMost: limit, &claims)
    }
  }

  /// The register of a block with a bitmap, by the checksum of the bitmap.
  private struct Bitmap {
    private let seedPart: UInt32
    private let rest: [UInt8]

    init(bitCount: UInt32, _ volume: Ext4Volume) {
      let count = min(Int(bitCount + 7) / 8, volume.blockByteCount)
      var seed = CRC32C(register: volume.superblock.seed)
      seed.addZeroes(count)
      seedPart = seed.register
      rest = Array(repeating: 0xff, count: volume.blockByteCount - count)
    }

    /// The register that the block leads to from zero.
    func content(_ checksum: UInt32) -> UInt32 {
      var block = CRC32C(register: checksum ^ seedPart)
      block.add(rest.span)
      return block.register
    }
  }
}
