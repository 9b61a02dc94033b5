internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// What the snapshot's journal says of its own blocks, and of their homes.
struct Ext4JournalEvidence {
  let log: Ext4Log
  private let deduction: Ext4LogDeduction
  private let volume: Ext4Volume

  init(_ volume: Ext4Volume, _ deduction: Ext4LogDeduction) {
    self.volume = volume
    self.deduction = deduction
    log = deduction.log
  }

  /// Whether everything that structures the journal has a place.
  var isComplete: Bool { deduction.isComplete }

  /// Whether the last transaction is one that the journal's superblock knows to be the last.
  var isEndKnown: Bool {
    guard let superblock = log.superblock else { return false }
    return superblock.start == 0 && !coveredSequences(superblock).isEmpty
  }

  /// Places the journal's own blocks that are lost.
  func placeJournal(_ claims: inout Ext4Claims) throws(BlockIOError) {
    for (position, content) in log.expected { claims.attested[log.place.block(position)] = content }
    var last = -1
    for position in log.expected.keys.sorted() where !log.isFilled(position) {
      let block = log.place.block(position)
      let chunk = volume.chunk(of: block)
      guard let content = log.expected[position], !claims.isKnown(chunk) else { continue }
      // Of several copies of the same content the log's own is the one after its last block.
      let candidates = try candidates(content, block, claims: &claims, mayBeUnknown: false)
      let next = candidates.first { $0 > last } ?? candidates.first
      guard let next else { continue }
      claims.claim(next, chunk, .ext4Journal)
      last = next
    }
  }

  /// Orphans that a block's content, and all that is around it in its chunk, fit; ascending.
  private func candidates(
    _ content: UInt32, _ block: UInt64, claims: inout Ext4Claims, mayBeUnknown: Bool
  ) throws(BlockIOError) -> [Int] {
    var found: [Int] = []
    let index = volume.index(of: block)
    for place in claims.orphans.places(of: content) {
      let orphan = claims.orphans.orphan(ofPlace: place)
      if place % volume.blocksPerChunk != index || claims.placed.contains(orphan) { continue }
      let fit = try claims.fit(orphan, volume.chunk(of: block))
      if fit.isPossible, mayBeUnknown || fit.unknownCount == 0 { found.append(orphan) }
      if found.count >= 64 { break }
    }
    return found
  }

  /// The content of blocks that were written home, by the last transaction that has them.
  ///
  /// Nothing is known without the journal's superblock, which says what was written home; nor of a
  /// block after whose transaction one is not known.
  func attestHomes() -> [UInt64: UInt32] {
    guard let superblock = log.superblock else { return [:] }
    let sequences = coveredSequences(superblock)
    var last: [UInt64: (sequence: UInt32, content: UInt32)] = [:]
    for sequence in sequences.sorted() {
      let controls = [.revocation, .descriptor].flatMap { kind in
        (log.positions[Ext4Log.Key(kind: kind, sequence: sequence)] ?? [])
          .compactMap { log.controls[$0] }
      }
      for control in controls {
        for block in control.revoked { last[block] = nil }
        for tag in control.tags {
          let content = log.content(of: tag, sequence: sequence)
          last[tag.block] = tag.isEscaped ? nil : (sequence, content)
        }
      }
    }
    // What the log still has to write home may be there or not.
    return last.filter { superblock.start == 0 || $0.value.sequence < superblock.sequence }
      .mapValues(\.content)
  }

  /// The transactions, from the newest down, that are known without a gap.
  private func coveredSequences(_ superblock: Ext4JournalSuperblock) -> [UInt32] {
    let committed = log.controls.values.lazy.filter { $0.kind == .commit }
    guard deduction.isComplete, var sequence = committed.map(\.sequence).max() else { return [] }
    if superblock.start == 0 {
      guard Ext4Log.steps.contains(superblock.sequence &- sequence) else { return [] }
    } else if sequence < superblock.sequence {
      return []
    }
    var covered: [UInt32] = []
    while sequence > 0 {
      guard let extent = log.extent(of: sequence) else { break }
      covered.append(sequence)
      if let before = log.controls[extent.start - 1], before.kind == .commit {
        sequence = before.sequence
      } else if extent.start == log.place.first,
        let step = Ext4Log.steps.first(where: { log.position(of: .commit, sequence &- $0) != nil })
      {
        sequence &-= step
      } else {
        break
      }
    }
    return covered
  }

  /// Places the homes of what the journal has.
  func placeHomes(
    _ claims: inout Ext4Claims, isJournalFilled: Bool
  ) throws(BlockIOError) {
    for (block, content) in claims.attested.sorted(by: { $0.key < $1.key })
    where log.place.position(of: block) == nil {
      let chunk = volume.chunk(of: block)
      guard block < volume.superblock.blockCount, !claims.isKnown(chunk),
        try claims.originContent(block) != content
      else { continue }
      let found = try candidates(content, block, claims: &claims, mayBeUnknown: isJournalFilled)
      if let orphan = found.first { claims.claim(orphan, chunk, .ext4Journal) }
    }
  }
}
