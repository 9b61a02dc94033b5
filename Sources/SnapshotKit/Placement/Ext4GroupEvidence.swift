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

  private func placeBitmaps(_ claims: inout Ext4Claims) throws(BlockIOError) {
    var homesOf: [UInt64: [UInt64]] = [:]
    for (index, group) in volume.groups.enumerated() where group.hasWholeChecksums {
      let perBlock = volume.blockByteCount / volume.superblock.descriptorByteCount
      // The descriptor must be the snapshot's.
      guard let block = volume.superblock.block(ofDescriptors: UInt64(index / perBlock)),
        claims.scene.isMapped(volume.chunk(of: block))
      else { continue }
      if !group.isBlockBitmapUnused {
        homesOf[UInt64(group.blockBitmapChecksum) << 32, default: []].append(group.blockBitmap)
      }
      if !group.isInodeTableUnused {
        homesOf[UInt64(group.inodeBitmapChecksum), default: []].append(group.inodeBitmap)
      }
    }
    let lost = homesOf.values.joined().count { !claims.isKnown(volume.chunk(of: $0)) }
    // A bitmap has nothing but its checksum.
    let limit: Evidence.Strength = claims.isRare(lost) ? .proven : .likely
    for mask in [0xffff_ffff << 32, 0xffff_ffff] as [UInt64] {
      let versions = homes.versions(.other, claims) { value in
        let found = homesOf[value & mask] ?? []
        return found.count == 1 ? found[0] : nil
      }
      try homes.claim(versions, .ext4Group, atMost: limit, &claims)
    }
  }
}
