internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// Decides whether an orphan that a checksum proves to be a version of a block was at that block's
/// home, and not in the journal.
///
/// When all blocks written to the journal have their places, the remaining ones were at home. That
/// a block was copied at all is certain in an overlay, where the store has nothing else; in the
/// store of a volume that was written on, only if the origin's journal shows that it was
/// overwritten. The right version is among the orphans, if all are there: if there is no other, it
/// is likely that one, whatever the journal lacks. It may have been overwritten.
struct Ext4Homes {
  private let volume: Ext4Volume
  /// Blocks overwritten since the snapshot was taken; nil in an overlay.
  let rewritten: Ext4Rewritten?
  /// Whether the journal has all of its blocks.
  let isJournalFilled: Bool
  /// Whether the content of the lost homes is among the orphans, and can be read.
  let isWhole: Bool
  /// How far to trust that a version without a rival is at home; nil if nothing can be said.
  let limit: Evidence.Strength?
  private let direction: Ext4History.Direction?

  init(
    _ volume: Ext4Volume, _ history: Ext4History, _ journal: Ext4JournalEvidence,
    _ claims: Ext4Claims, readRewritten: (UInt32) throws(BlockIOError) -> Ext4Rewritten
  ) throws(BlockIOError) {
    self.volume = volume
    direction = history.direction
    let isDirectionKnown = history.direction != nil && journal.log.superblock != nil
    let (log, place) = (journal.log, journal.log.place)
    func isFilled(_ position: Int) -> Bool {
      log.isFilled(position) || claims.isKnown(volume.chunk(of: place.block(position)))
    }
    if history.direction == .old, let superblock = log.superblock {
      let rewritten = try readRewritten(superblock.sequence)
      self.rewritten = rewritten
      isJournalFilled = journal.isComplete && rewritten.positions.allSatisfy(isFilled)
    } else {
      rewritten = nil
      let end = (0..<place.blockCount).last {
        log.isCertain[$0] || claims.isKnown(volume.chunk(of: place.block($0)))
      }
      let start = log.startOverOrigin
      isJournalFilled =
        journal.isComplete && journal.isEndKnown && start != nil
        && ((start ?? 0)..<max((end ?? 0) + 1, start ?? 0)).allSatisfy(isFilled)
    }
    // Blocks that the log has yet to write home may or may not be there.
    let isClean = log.superblock?.start == 0
    let mayBeWiped = try claims.mayBeWiped()
    isWhole = isClean && claims.isAllSeen && !mayBeWiped
    if history.direction == .new, log.superblock == nil {
      // The only version that is left is the one at home, unless that one was wiped.
      limit = claims.isAllSeen ? .likely : nil
    } else if !isDirectionKnown {
      limit = nil
    } else if isJournalFilled, isClean || rewritten == nil {
      limit = .proven
    } else {
      limit = isWhole || rewritten != nil && claims.isAllSeen ? .likely : nil
    }
  }

  /// Whether the remaining blocks were at home, and are no copies in the journal.
  var isDecided: Bool { limit != nil && isJournalFilled }

  /// Whether the known version of a block is the snapshot's: it has not been overwritten since.
  func isCurrent(_ block: UInt64, _ claims: Ext4Claims) -> Bool {
    claims.scene.isMapped(volume.chunk(of: block)) || rewritten?.isNamed(block) == false
  }

  /// Whether the store has written data, and nothing else.
  var isOverlay: Bool { direction == .new }

  /// Whether a superblock that is left is of a time at which the snapshot was.
  func mayBe(written kilobytes: UInt64, origin: UInt64) -> Bool {
    switch direction {
    case .new: kilobytes > origin
    case .old: kilobytes < origin
    case nil: false
    }
  }

  /// How far to trust that an orphan is at a block's home; nil for not at all.
  func strength(
    _ orphan: Int, _ block: UInt64, _ claims: inout Ext4Claims
  ) throws(BlockIOError) -> Evidence.Strength? {
    let chunk = volume.chunk(of: block)
    guard let limit, block < volume.superblock.blockCount, !claims.isKnown(chunk),
      !claims.placed.contains(orphan)
    else { return nil }
    if let rewritten, try !rewritten.has(block, claims.originContent(block)) { return nil }
    guard try claims.fit(orphan, chunk).isPossible else { return nil }
    switch claims.reasons[orphan] {
    case .exceptionLost: return limit
    case .endLost, .endInDoubt: return .likely
    case .inFlight, .leaked: return nil
    }
  }

  /// Claims for each block the only orphan that is a version of it; several are none.
  ///
  /// - Parameter limit: How far any can be trusted.
  func claim(
    _ versions: [UInt64: [Int]], _ kind: Evidence.Kind, atMost limit: Evidence.Strength = .proven,
    _ claims: inout Ext4Claims
  ) throws(BlockIOError) {
    for (block, orphans) in versions.sorted(by: { $0.key < $1.key }) {
      let left = orphans.filter { !claims.placed.contains($0) }
      guard let orphan = left.first(where: claims.isCertain) ?? left.first,
        try claims.areSame(left), let strength = try strength(orphan, block, &claims)
      else { continue }
      claims.claim(orphan, volume.chunk(of: block), kind, min(strength, limit))
    }
  }

  /// The blocks of orphans of that role that are in the place in their chunk that `home` has, by
  /// that home.
  func versions(
    _ role: Ext4OrphanBlock.Role, _ claims: Ext4Claims, home: (UInt64) -> UInt64?
  ) -> [UInt64: [Int]] {
    var versions: [UInt64: [Int]] = [:]
    let perChunk = volume.blocksPerChunk
    for (place, block) in claims.orphans.blocks.enumerated() where block.role == role {
      guard let home = home(block.value), place % perChunk == volume.index(of: home) else {
        continue
      }
      versions[home, default: []].append(place / perChunk)
    }
    return versions
  }
}
