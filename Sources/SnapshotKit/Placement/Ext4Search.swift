internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// Finds the places of an ext4's metadata, by its checksums.
///
/// A checksum proves what a block is, and not that it lies there: the journal has copies that pass
/// every check. So the journal comes first. Its own blocks are placed by its structure, and what it
/// says of the last content of blocks is content that they have.
struct Ext4Search: EvidenceSearch {
  private let volume: Ext4Volume
  private let place: Ext4JournalPlace?
  private var orphans: Ext4OrphanBlocks

  /// A search in the file system that begins at a byte of the snapshot; nil unless that is an ext4
  /// whose metadata has checksums.
  init?(_ view: SnapshotView, start: UInt64 = 0) throws(BlockIOError) {
    guard let volume = try Ext4Volume(view, start: start) else { return nil }
    self.volume = volume
    place = try Ext4JournalPlace(volume, view.origin)
    orphans = Ext4OrphanBlocks(volume, place?.superblock.layout)
  }

  mutating func look(at new: UInt64, _ content: Span<UInt8>) { orphans.add(new, content) }

  mutating func evidence(in scene: PlacementScene) throws(BlockIOError) -> [Evidence] {
    orphans.prepare()
    guard let place, !orphans.chunks.isEmpty else { return [] }
    let reasons = reasons(in: scene)
    var claims = Ext4Claims(volume, orphans, scene)
    var log = try Ext4Log(place, volume, scene.view) { scene.isMapped(volume.chunk(of: $0)) }
    let history = Ext4History(log, place, orphans, reasons, scene)
    if log.superblock == nil, let (orphan, superblock) = try history.superblock(volume, scene.store)
    {
      log.take(superblock)
      claims.attested[place.block(0)] = orphans.blocks[
        orphan * volume.blocksPerChunk + volume.index(of: place.block(0))
      ].content
      claims.claim(orphan, volume.chunk(of: place.block(0)), .ext4Journal)
    }
    if history.direction == .old, let superblock = log.superblock {
      log.takeOrigin(before: superblock.sequence)
    }
    let perChunk = volume.blocksPerChunk
    let deduction = Ext4LogDeduction(
      log, orphans, blockByteCount: volume.blockByteCount,
      mayStructure: { reasons[$0 / perChunk] != .leaked && reasons[$0 / perChunk] != .inFlight },
      isFromLostEnd: { reasons[$0 / perChunk] == .endLost })
    let journal = Ext4JournalEvidence(volume, deduction)
    try journal.placeJournal(&claims)
    claims.attested.merge(journal.attestHomes()) { known, _ in known }
    try journal.placeHomes(&claims, isJournalFilled: false)
    let homes = try Ext4Homes(volume, history, journal, claims, reasons, scene.origin)
    let now = try volume.with(groupsOf: scene.view)
    try Ext4GroupEvidence(homes: homes, volume: now, origin: scene.origin).place(&claims)
    try Ext4InodeEvidence(homes: homes, volume: now, scene: scene).place(&claims)
    try Ext4DirectoryEvidence(homes: homes, volume: now, view: scene.view).place(&claims)
    return claims.evidence
  }

  /// Why each orphan has no name.
  private func reasons(in scene: PlacementScene) -> [Orphan.Reason] {
    var reasons: [Orphan.Reason] = []
    var index = 0
    for new in orphans.chunks {
      while index < scene.orphans.count,
        scene.orphans[index].new + scene.orphans[index].count <= new
      { index += 1 }
      reasons.append(index < scene.orphans.count ? scene.orphans[index].reason : .leaked)
    }
    return reasons
  }
}
