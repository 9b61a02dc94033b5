internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// Blocks of directories and of extent trees, whose checksums identify their inode; their place in
/// it follows from the inode's map, if only one block of it is missing.
struct Ext4DirectoryEvidence {
  let homes: Ext4Homes
  let volume: Ext4Volume
  let view: SnapshotView

  /// An inode, and the register with which the checksums of its blocks begin.
  private struct Owner {
    let register: UInt32
    let inode: Ext4Inode
    let map: [UInt8]
    /// The block that has it.
    let home: UInt64
  }

  func place(_ claims: inout Ext4Claims) throws(BlockIOError) {
    var wanted: [UInt32: [Int]] = [:]
    let perChunk = volume.blocksPerChunk
    for (place, block) in claims.orphans.blocks.enumerated()
    where !claims.placed.contains(place / perChunk) {
      switch block.role {
      case .directory, .hashTree, .extents:
        wanted[UInt32(truncatingIfNeeded: block.value), default: []].append(place)
      default: break
      }
    }
    guard homes.limit != nil, !wanted.isEmpty else { return }
    for owner in try owners(Set(wanted.keys)) {
      try place(wanted[owner.register] ?? [], of: owner, &claims)
    }
  }

  private func place(
    _ places: [Int], of owner: Owner, _ claims: inout Ext4Claims
  ) throws(BlockIOError) {
    let tree = try volume.extents(owner.map, register: owner.register, of: view, limit: 1 << 14)
    // The known version of the inode must be the snapshot's.
    guard homes.isDecided || homes.isCurrent(owner.home, claims) else { return }
    let isTree: (Int) -> Bool = { [orphans = claims.orphans] in
      orphans.blocks[$0].role == .extents
    }
    try place(
      places.filter(isTree), tree.nodes.filter { $0 < volume.superblock.blockCount }, owner,
      .ext4Extent, &claims)
    guard owner.inode.kind == .directory, tree.isWhole,
      homes.isDecided || tree.nodes.allSatisfy({ homes.isCurrent($0, claims) })
    else { return }
    var blocks: [UInt64] = []
    for extent in tree.extents where extent.isWritten {
      guard blocks.count + Int(extent.count) <= 1 << 14 else { return }
      blocks += extent.physical..<extent.physical + UInt64(extent.count)
    }
    try place(places.filter { !isTree($0) }, blocks, owner, .ext4Directory, &claims)
  }

  /// Places the only orphan that is left of an inode's blocks in the only block that is missing.
  private func place(
    _ places: [Int], _ blocks: [UInt64], _ owner: Owner, _ kind: Evidence.Kind,
    _ claims: inout Ext4Claims
  ) throws(BlockIOError) {
    let perChunk = volume.blocksPerChunk
    let left = places.filter { !claims.placed.contains($0 / perChunk) }
    guard let first = left.first, try claims.areSame(left.map { $0 / perChunk }) else { return }
    var missing: [UInt64] = []
    for block in blocks where !claims.isKnown(volume.chunk(of: block)) {
      if let rewritten = homes.rewritten, homes.isWhole {
        if try rewritten.has(block, claims.originContent(block)) { missing.append(block) }
        continue
      }
      guard let bytes = try volume.read(block, of: view) else { continue }
      let registers = [
        Ext4Block.register(ofDirectory: bytes.span), Ext4Block.register(ofHashTree: bytes.span),
        Ext4Block.register(ofExtents: bytes.span),
      ]
      // The block may be an older version of the lost one, and then no other is.
      if registers.contains(owner.register), blocks.count > 1 { continue }
      missing.append(block)
    }
    guard missing.count == 1, volume.index(of: missing[0]) == first % perChunk else { return }
    try homes.claim([missing[0]: left.map { $0 / perChunk }], kind, &claims)
  }

  /// The inodes of the view with those registers.
  private func owners(_ registers: Set<UInt32>) throws(BlockIOError) -> [Owner] {
    var owners: [Owner] = []
    try volume.forEachInode(of: view) { number, bytes in
      let inode = Ext4Inode(decoding: bytes)
      let register = Ext4Inode.register(
        number: number, generation: inode.generation, seed: volume.superblock.seed)
      guard registers.contains(register), inode.hasExtents, owners.count < 1 << 16,
        Ext4Inode.isRight(bytes, number: number, seed: volume.superblock.seed)
      else { return }
      owners.append(
        Owner(
          register: register, inode: inode, map: Ext4Inode.map.map { bytes[$0] },
          home: volume.place(ofInode: number)?.block ?? 0))
    }
    return owners
  }
}
