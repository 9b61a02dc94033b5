internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// The newest versions of blocks of inode tables, where the journal does not show the last version
/// written home.
///
/// In an overlay, the version written home last is the newest of all, and its copies in the journal
/// are the same.
struct Ext4NewestInodes {
  private let homes: Ext4Homes
  private let volume: Ext4Volume
  private let scene: PlacementScene

  init(_ homes: Ext4Homes, _ volume: Ext4Volume, _ scene: PlacementScene) {
    (self.homes, self.volume, self.scene) = (homes, volume, scene)
  }

  /// The age of a version: the last change of any of its inodes, and the sum of all changes.
  private typealias Age = (last: UInt64, sum: UInt64, blockCount: UInt64)

  /// Claims for each chunk of inode tables that is lost the newest orphan that is a version of it.
  func place(_ claims: inout Ext4Claims) throws(BlockIOError) {
    var versions: [UInt64: Set<Int>] = [:]
    for (block, orphans) in homes.versions(.inodes, claims, home: { $0 }) {
      versions[volume.chunk(of: block), default: []].formUnion(orphans)
    }
    for (chunk, orphans) in versions.sorted(by: { $0.key < $1.key }) where !claims.isKnown(chunk) {
      var newest: [(orphan: Int, age: Age)] = []
      for orphan in orphans.sorted()
      where claims.reasons[orphan] == .exceptionLost && !claims.placed.contains(orphan) {
        guard isTable(orphan, chunk, claims), try claims.fit(orphan, chunk).isPossible,
          let age = try age(orphan, claims)
        else { continue }
        if let first = newest.first, first.age > age { continue }
        if let first = newest.first, first.age < age { newest = [] }
        newest.append((orphan, age))
      }
      guard let (orphan, _) = newest.first, try claims.areSame(newest.map(\.orphan)) else {
        continue
      }
      claims.claim(orphan, chunk, .ext4Inode, .likely)
    }
  }

  /// Whether each block of an orphan that is to be a block of an inode table is one, or zeroes.
  private func isTable(_ orphan: Int, _ chunk: UInt64, _ claims: Ext4Claims) -> Bool {
    (0..<volume.blocksPerChunk).allSatisfy { index in
      guard let home = volume.block(index, of: chunk) else { return false }
      let isInTable = volume.groups.contains {
        home >= $0.inodeTable && home - $0.inodeTable < volume.superblock.tableBlockCount
      }
      let block = claims.orphans.blocks[orphan * volume.blocksPerChunk + index]
      return !isInTable || block.role == .zero || block.role == .inodes
    }
  }

  private func age(_ orphan: Int, _ claims: Ext4Claims) throws(BlockIOError) -> Age? {
    let place = claims.new(orphan) * scene.chunkByteCount
    guard let bytes = try scene.store.whole(at: place, count: Int(scene.chunkByteCount)) else {
      return nil
    }
    var age: Age = (0, 0, 0)
    let (size, perChunk) = (volume.superblock.inodeByteCount, volume.blocksPerChunk)
    for index in 0..<perChunk
    where claims.orphans.blocks[orphan * perChunk + index].role == .inodes {
      for slot in 0..<volume.superblock.inodesPerBlock {
        let start = index * volume.blockByteCount + slot * size
        let inode = Ext4Inode(decoding: bytes.span.extracting(start..<start + size))
        age.last = max(age.last, inode.changeTime)
        age.sum &+= inode.changeTime >> 20
        age.blockCount &+= UInt64(inode.blockCount)
      }
    }
    return age
  }
}
