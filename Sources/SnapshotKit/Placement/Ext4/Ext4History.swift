internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// Whether a store has the written data, or the overwritten data.
///
/// In an overlay the snapshot is newer than its origin, and a block that is not in the table was
/// not written. In a snapshot of a volume that was written on, it is older.
struct Ext4History {
  /// The kind of data in a store.
  enum Direction {
    /// Written data: an overlay.
    case new
    /// Overwritten data.
    case old
  }

  /// The direction; nil if there is no evidence, or if it conflicts.
  private(set) var direction: Direction?
  private let place: Ext4JournalPlace
  private let orphans: Ext4OrphanBlocks
  private let reasons: [Orphan.Reason]
  private let newest: UInt32?

  init(
    _ log: Ext4Log, _ place: Ext4JournalPlace, _ orphans: Ext4OrphanBlocks,
    _ reasons: [Orphan.Reason], _ scene: PlacementScene
  ) {
    (self.place, self.orphans, self.reasons) = (place, orphans, reasons)
    newest = log.newestSequence
    var votes: Set<Direction> = []
    let origin = place.superblock.sequence
    if let newest, newest >= origin { votes.insert(.new) }
    if let snapshot = log.superblock {
      if snapshot.sequence > origin { votes.insert(.new) }
      if snapshot.sequence < origin { votes.insert(.old) }
    }
    for (place, block) in orphans.blocks.enumerated() where block.role == .journalSuperblock {
      guard reasons[place / orphans.blocksPerChunk] == .exceptionLost else { continue }
      if block.value > UInt64(origin) { votes.insert(.new) }
      if block.value < UInt64(origin) { votes.insert(.old) }
    }
    direction = votes.count == 1 ? votes.first : nil
  }

  /// The orphan that has the journal's superblock, if that is certain: there is only one, and it
  /// is of the time that it must be of.
  func superblock(
    _ volume: Ext4Volume, _ store: any BlockSource
  ) throws(BlockIOError) -> (orphan: Int, superblock: Ext4JournalSuperblock)? {
    let index = volume.index(of: place.block(0))
    let found = orphans.blocks.indices.filter {
      orphans.blocks[$0].role == .journalSuperblock && $0 % volume.blocksPerChunk == index
        && reasons[$0 / volume.blocksPerChunk] == .exceptionLost
    }
    guard found.count == 1, direction != nil else { return nil }
    let orphan = found[0] / volume.blocksPerChunk
    let size = UInt64(volume.blockByteCount)
    let byteOffset = (orphans.chunks[orphan] * UInt64(volume.blocksPerChunk) + UInt64(index)) * size
    guard let bytes = try store.whole(at: byteOffset, count: volume.blockByteCount),
      let superblock = Ext4JournalSuperblock(decoding: bytes.span)
    else { return nil }
    if direction == .new, let newest, superblock.sequence <= newest, superblock.start == 0 {
      return nil
    }
    return (orphan, superblock)
  }
}
