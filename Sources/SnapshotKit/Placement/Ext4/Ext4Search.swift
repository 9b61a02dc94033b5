internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// Finds the places of an ext4's metadata, by its checksums.
///
/// A checksum proves a block's identity, not its place: the journal has copies that pass every
/// check. So the journal comes first. Its own blocks are placed by its structure, and it gives the
/// last content of others.
struct Ext4Search: EvidenceSearch {
  private let volume: Ext4Volume
  private let place: Ext4JournalPlace?
  private var orphans: Ext4OrphanBlocks
  /// The last result, and the relevant proofs at the time of that search.
  private var last: (evidence: [Evidence], proven: OrphanPlaces)?
  /// The journal as it was last read, and the part of it that was proven then.
  private var lastLog: (log: Ext4Log, proven: OrphanPlaces)?
  /// Blocks written since a transaction, by the origin's journal.
  private var rewritten: (sequence: UInt32, blocks: Ext4Rewritten)?
  /// The blocks of orphans that were compared, and whether they are the same.
  private var sameContents: [UInt32: Bool] = [:]

  /// A search in the file system that begins at a byte of the snapshot; nil unless that is an ext4
  /// whose metadata has checksums.
  init?(_ view: SnapshotView, start: UInt64 = 0) throws(BlockIOError) {
    guard let volume = try Ext4Volume(view, start: start) else { return nil }
    self.volume = volume
    place = try Ext4JournalPlace(volume, view.origin)
    orphans = Ext4OrphanBlocks(volume, place?.superblock.layout)
  }

  mutating func reserve(orphanCount: Int) { orphans.reserve(orphanCount) }

  mutating func look(at new: UInt64, _ content: Span<UInt8>) { orphans.add(new, content) }

  mutating func evidence(in scene: PlacementScene) throws(BlockIOError) -> [Evidence] {
    orphans.prepare()
    guard let place, !orphans.chunks.isEmpty else { return [] }
    let proven = scene.proven.filtered(isOfInterest)
    if let last, last.proven == proven { return last.evidence }
    var claims = Ext4Claims(volume, orphans, scene)
    claims.sameContents = sameContents
    let log = try log(of: place, scene)
    try search(log, place, &claims)
    if claims.hasDoubts || !claims.isComplete || !claims.isIntact {
      claims.level = .likely
      try search(log, place, &claims)
    }
    sameContents = claims.sameContents
    last = (claims.evidence, proven)
    return claims.evidence
  }

  /// Whether a proof may lead to others: it is of a chunk of this file system, or refutes an
  /// apparent structure of it.
  private func isOfInterest(_ new: UInt64, _ old: UInt64) -> Bool {
    if (0..<volume.blocksPerChunk).contains(where: { volume.block($0, of: old) != nil }) {
      return true
    }
    guard let orphan = orphans.index(of: new) else { return false }
    let first = orphan * volume.blocksPerChunk
    return orphans.blocks[first..<first + volume.blocksPerChunk].contains {
      $0.role != .other && $0.role != .zero
    }
  }

  /// The journal as the view has it, read only if more of it was proven since.
  private mutating func log(
    of place: Ext4JournalPlace, _ scene: PlacementScene
  ) throws(BlockIOError) -> Ext4Log {
    let proven = scene.proven.filtered { _, old in
      (0..<volume.blocksPerChunk).contains { index in
        volume.block(index, of: old).map { place.position(of: $0) != nil } ?? false
      }
    }
    if let lastLog, lastLog.proven == proven { return lastLog.log }
    let log = try Ext4Log(place, volume, scene.view) { scene.isMapped(volume.chunk(of: $0)) }
    lastLog = (log, proven)
    return log
  }

  /// Looks for proofs, or for likely evidence.
  private mutating func search(
    _ log: Ext4Log, _ place: Ext4JournalPlace, _ claims: inout Ext4Claims
  ) throws(BlockIOError) {
    let (scene, reasons) = (claims.scene, claims.reasons)
    var log = log
    claims.attested = [:]
    let history = Ext4History(log, place, orphans, reasons, scene)
    if log.superblock == nil, let (orphan, superblock) = try history.superblock(volume, scene.store)
    {
      log.take(superblock)
      let block = orphan * volume.blocksPerChunk + volume.index(of: place.block(0))
      claims.attested[place.block(0)] = orphans.blocks[block].content
      claims.claim(orphan, volume.chunk(of: place.block(0)), .ext4Journal)
    }
    if history.direction == .old, let superblock = log.superblock {
      log.takeOrigin(before: superblock.sequence)
    }
    let perChunk = volume.blocksPerChunk
    // Chunks after the table's end give the journal's control blocks only if all of them are there,
    // and nothing else; otherwise they may be another store's, and conclusions from them are
    // likely.
    let mayLayEnd = claims.level == .likely || claims.isComplete
    let deduction = Ext4LogDeduction(
      log, orphans, blockByteCount: volume.blockByteCount,
      isBeside: { [isSure = claims.level == .likely || claims.isIntact, claims] in
        isSure
          || $1 + $2 >= 0
            && claims.isBeside($0, place.block($1), place.block($1 + $2), step: $2, $3)
      },
      mayStructure: { [orphans] in
        // Placed blocks are already in the log.
        reasons[$0 / perChunk] != .leaked && reasons[$0 / perChunk] != .inFlight
          && scene.proven[orphans.chunks[$0 / perChunk]] == nil
      },
      mayLay: { mayLayEnd || reasons[$0 / perChunk] == .exceptionLost },
      isFromLostEnd: {
        reasons[$0 / perChunk] == .endLost || reasons[$0 / perChunk] == .endInDoubt
      })
    let journal = Ext4JournalEvidence(volume, deduction)
    try journal.placeJournal(&claims)
    let attested = journal.attestHomes()
    claims.attested.merge(attested.mapValues(\.content)) { known, _ in known }
    try journal.placeHomes(attested, &claims)
    let homes = try Ext4Homes(volume, history, journal, claims) {
      sequence throws(BlockIOError) in
      if let rewritten, rewritten.sequence == sequence { return rewritten.blocks }
      let blocks = try Ext4Rewritten(place, volume, scene.origin, since: sequence)
      rewritten = (sequence, blocks)
      return blocks
    }
    let now = try volume.with(groupsOf: scene.view)
    try Ext4GroupEvidence(homes: homes, volume: now, origin: scene.origin).place(&claims)
    try Ext4InodeEvidence(
      homes: homes, volume: now, scene: scene,
      lastCommit: log.superblock.flatMap { log.commitTime(before: $0.sequence) }
    ).place(&claims)
    try Ext4DirectoryEvidence(homes: homes, volume: now, view: scene.view).place(&claims)
    // Likely places come last, so that they prove nothing.
    if homes.isOverlay { try Ext4NewestInodes(homes, now, scene).place(&claims) }
  }
}
