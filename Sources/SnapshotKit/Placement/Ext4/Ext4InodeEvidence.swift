internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// Blocks of inode tables, whose inodes' checksums identify the blocks.
struct Ext4InodeEvidence {
  let homes: Ext4Homes
  let volume: Ext4Volume
  let scene: PlacementScene
  /// When the last transaction before the snapshot was committed, in nanoseconds since 1970.
  let lastCommit: UInt64?

  func place(_ claims: inout Ext4Claims) throws(BlockIOError) {
    let versions = homes.versions(.inodes, claims) { $0 }
    if homes.isDecided { try homes.claim(versions, .ext4Inode, &claims) }
    guard let rewritten = homes.rewritten else { return }
    guard let time = try snapshotTime(claims) ?? lastCommit else { return }
    for (block, orphans) in versions.sorted(by: { $0.key < $1.key }) {
      let chunk = volume.chunk(of: block)
      guard !claims.isKnown(chunk), try rewritten.has(block, claims.originContent(block)) else {
        continue
      }
      var possible: [Int] = []
      var certain: Int?
      for orphan in orphans
      where !claims.placed.contains(orphan) && claims.reasons[orphan] != .leaked {
        let fit = try claims.fit(orphan, chunk)
        guard fit.isPossible, try mayBeOfSnapshot(orphan, chunk, time, claims) else { continue }
        possible.append(orphan)
        let unused = try unusedCount(orphan, chunk, rewritten, &claims)
        if fit.unknownCount == unused, claims.isCertain(orphan) { certain = certain ?? orphan }
      }
      guard let certain, try claims.areSame(possible) else { continue }
      // An older version in the journal passes as well, if all that changed since then changed once
      // more after the snapshot. It is the only one where the right one is lost.
      claims.claim(certain, chunk, .ext4Inode, .likely)
    }
    try placeUnused(rewritten, Set(versions.keys), &claims)
  }

  /// Places zeroes where an inode table was not in use when the snapshot was taken, and has been
  /// overwritten since.
  ///
  /// - Parameter versions: The blocks that any orphan is a version of: they were in use.
  private func placeUnused(
    _ rewritten: Ext4Rewritten, _ versions: Set<UInt64>, _ claims: inout Ext4Claims
  ) throws(BlockIOError) {
    let perChunk = volume.blocksPerChunk
    let zeroes = claims.orphans.chunks.indices.filter {
      claims.isCertain($0) && !claims.placed.contains($0) && claims.orphans.isZero($0)
    }
    var next = zeroes.startIndex
    for block in rewritten.blocks where next < zeroes.endIndex {
      let chunk = volume.chunk(of: block)
      guard !claims.isKnown(chunk) else { continue }
      var canBe = try rewritten.has(block, claims.originContent(block))
      for index in 0..<perChunk where canBe {
        guard let part = volume.block(index, of: chunk), !versions.contains(part) else {
          canBe = false
          break
        }
        canBe = isUnused(part, rewritten, claims)
      }
      guard canBe else { continue }
      claims.claim(zeroes[next], chunk, .ext4Inode)
      next += 1
    }
  }

  /// The number of blocks of an orphan that are zeroes where an inode table was not in use, and is
  /// now.
  private func unusedCount(
    _ orphan: Int, _ chunk: UInt64, _ rewritten: Ext4Rewritten, _ claims: inout Ext4Claims
  ) throws(BlockIOError) -> Int {
    var count = 0
    for index in 0..<volume.blocksPerChunk {
      guard claims.orphans.blocks[orphan * volume.blocksPerChunk + index].role == .zero,
        let home = volume.block(index, of: chunk), isUnused(home, rewritten, claims)
      else { continue }
      if try claims.originContent(home) != 0 { count += 1 }
    }
    return count
  }

  /// Whether a block of an inode table was never used, according to the snapshot's descriptor of
  /// its group, and is all zeroes.
  private func isUnused(
    _ block: UInt64, _ rewritten: Ext4Rewritten, _ claims: Ext4Claims
  ) -> Bool {
    let superblock = volume.superblock
    guard
      let index = volume.groups.firstIndex(where: {
        block >= $0.inodeTable && block - $0.inodeTable < superblock.tableBlockCount
      })
    else { return false }
    let perBlock = superblock.blockByteCount / superblock.descriptorByteCount
    guard let home = superblock.block(ofDescriptors: UInt64(index / perBlock)),
      scene.isMapped(volume.chunk(of: home)) || !rewritten.isNamed(home)
    else { return false }
    let group = volume.groups[index]
    let used = UInt64(superblock.inodesPerGroup) - UInt64(group.unusedInodeCount)
    return group.isTableZeroed && group.unusedInodeCount <= superblock.inodesPerGroup
      && (block - group.inodeTable) * UInt64(superblock.inodesPerBlock) >= used
  }

  /// Whether inode tables in a chunk may be of the time at which the snapshot was taken.
  ///
  /// Inodes that differ in the origin were changed later, or read later and not changed. Older
  /// versions in the journal lack changes that were made before.
  private func mayBeOfSnapshot(
    _ orphan: Int, _ chunk: UInt64, _ time: UInt64, _ claims: Ext4Claims
  ) throws(BlockIOError) -> Bool {
    let size = volume.superblock.inodeByteCount
    for index in 0..<volume.blocksPerChunk {
      let place = orphan * volume.blocksPerChunk + index
      guard claims.orphans.blocks[place].role == .inodes, let home = volume.block(index, of: chunk)
      else { continue }
      guard let before = try claims.bytes(ofPlace: place),
        let now = try volume.read(home, of: scene.origin)
      else { return false }
      for slot in 0..<before.count / size {
        let bytes = slot * size..<(slot + 1) * size
        if before[bytes] == now[bytes] { continue }
        let inode = Ext4Inode(decoding: now.span.extracting(bytes))
        if inode.changeTime >= time { continue }
        let last = Ext4Inode(decoding: before.span.extracting(bytes)).changeTime
        if inode.changeTime != last || inode.accessTime < time { return false }
      }
    }
    return true
  }

  /// When the snapshot's superblock was written, in nanoseconds since 1970: nothing in the snapshot
  /// is much later, nothing that was changed since is earlier.
  private func snapshotTime(_ claims: Ext4Claims) throws(BlockIOError) -> UInt64? {
    guard claims.isKnown(volume.chunk(of: volume.superblockBlock)) else { return nil }
    let byteOffset = volume.start + UInt64(Ext4Superblock.byteOffset)
    let chunk = byteOffset / scene.chunkByteCount
    var bytes = try scene.view.whole(at: byteOffset, count: Ext4Superblock.byteCount)
    if let new = claims.new(for: chunk) {
      bytes = try scene.store.whole(
        at: new * scene.chunkByteCount + byteOffset % scene.chunkByteCount,
        count: Ext4Superblock.byteCount)
    }
    guard let bytes, let superblock = Ext4Superblock(decoding: bytes.span) else { return nil }
    return superblock.writeTime.multipliedReportingOverflow(by: 1_000_000_000).partialValue
  }
}
