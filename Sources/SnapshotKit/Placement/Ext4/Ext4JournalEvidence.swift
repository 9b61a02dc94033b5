internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// The snapshot's journal's evidence about its own blocks, and about their homes.
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

  /// Whether the journal's superblock confirms the last transaction as the last.
  var isEndKnown: Bool {
    guard let superblock = log.superblock else { return false }
    return superblock.start == 0 && !coveredSequences(superblock).isEmpty
  }

  /// Places the journal's own blocks that are lost.
  func placeJournal(_ claims: inout Ext4Claims) throws(BlockIOError) {
    for (position, content) in log.expected { claims.attested[log.place.block(position)] = content }
    let lost = log.expected.keys.filter { [claims] position in
      !log.isFilled(position) && !claims.isKnown(volume.chunk(of: log.place.block(position)))
    }.sorted()
    let isRare = claims.isRare(lost.count)
    var last = -1
    for position in lost {
      let block = log.place.block(position)
      let chunk = volume.chunk(of: block)
      guard let content = log.expected[position], !claims.isKnown(chunk) else { continue }
      // Of several copies of the same content the log's own is the one after its last block.
      let found = try candidates(content, block, &claims)
      guard let next = found.first(where: { $0 > last }) ?? found.first,
        let trust = claims.trust(next)
      else { continue }
      // All versions of a superblock have the same checksum: one at home seems to be a copy.
      let isSuperblock =
        claims.orphans.blocks[next * volume.blocksPerChunk + volume.index(of: block)].role
        == .superblock
      let isSure =
        isSuperblock
        ? claims.isBetween(next, chunk) : isRare || claims.isInOrder(next, chunk)
      claims.claim(next, chunk, .ext4Journal, isSure ? trust : .likely)
      last = next
    }
  }

  /// Orphans that a block's content, and all that is around it in its chunk, fit; ascending, those
  /// that can be trusted most.
  ///
  /// If not all that fit are the same, only one that is in order on both sides is left: versions of
  /// a superblock have the same checksum, as it covers the one that they end in.
  private func candidates(
    _ content: UInt32, _ block: UInt64, _ claims: inout Ext4Claims
  ) throws(BlockIOError) -> [Int] {
    var found: [Int] = []
    let index = volume.index(of: block)
    for place in claims.orphans.places(of: content) {
      let orphan = claims.orphans.orphan(ofPlace: place)
      if place % volume.blocksPerChunk != index || claims.placed.contains(orphan)
        || claims.trust(orphan) == nil
      {
        continue
      }
      let fit = try claims.fit(orphan, volume.chunk(of: block))
      if fit.isPossible, fit.unknownCount == 0, fit.versionCount == 0 { found.append(orphan) }
      // The others have the same content, or all are compared as having it.
      if found.count >= Self.candidateCountMax { break }
    }
    if try !claims.areSame(found) {
      found = found.filter { [claims] in claims.isBetween($0, volume.chunk(of: block)) }
      if found.count > 1 { return [] }
    }
    let trust = found.compactMap { [claims] in claims.trust($0) }.max()
    return found.filter { [claims] in claims.trust($0) == trust }
  }

  private static let candidateCountMax = 64

  /// A block that was written home.
  struct Home {
    /// Its register, from zero.
    let content: UInt32
    /// The place of its copy in the journal.
    let copy: Int
  }

  /// The content of blocks that were written home, by the last transaction that has them.
  ///
  /// Nothing is known without the journal's superblock, which shows the blocks written home; nor of
  /// a block after whose transaction one is not known.
  func attestHomes() -> [UInt64: Home] {
    guard let superblock = log.superblock else { return [:] }
    let sequences = coveredSequences(superblock)
    var last: [UInt64: (sequence: UInt32, home: Home)] = [:]
    for sequence in sequences.sorted() {
      let positions = [.revocation, .descriptor].flatMap { kind in
        log.positions[Ext4Log.Key(kind: kind, sequence: sequence)] ?? []
      }
      for position in positions {
        guard let control = log.controls[position] else { continue }
        for block in control.revoked { last[block] = nil }
        for (index, tag) in control.tags.enumerated() {
          let home = Home(
            content: log.content(of: tag, sequence: sequence), copy: position + index + 1)
          last[tag.block] = tag.isEscaped ? nil : (sequence, home)
        }
      }
    }
    // Blocks that the log has yet to write home may or may not be there.
    return last.filter { superblock.start == 0 || $0.value.sequence < superblock.sequence }
      .mapValues(\.home)
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

  /// Places the homes of blocks in the journal.
  func placeHomes(
    _ homes: [UInt64: Home], _ claims: inout Ext4Claims
  ) throws(BlockIOError) {
    var lost: [(block: UInt64, home: Home)] = []
    for (block, home) in homes
    where log.place.position(of: block) == nil && block < volume.superblock.blockCount
      && !claims.isKnown(volume.chunk(of: block))
    {
      if try claims.originContent(block) != home.content { lost.append((block, home)) }
    }
    let isRare = claims.isRare(lost.count)
    for (block, home) in lost.sorted(by: { $0.block < $1.block }) {
      let chunk = volume.chunk(of: block)
      guard !claims.isKnown(chunk) else { continue }
      let found = try candidates(home.content, block, &claims)
      guard let orphan = found.first, let trust = claims.trust(orphan) else { continue }
      // A superblock may be of any version: only the journal's copy shows which is the last.
      var isSure =
        block != volume.superblockBlock && (isRare || claims.isInOrder(orphan, chunk))
      if !isSure { isSure = try isCopy(orphan, block, home, claims) }
      claims.claim(orphan, chunk, .ext4Journal, isSure ? trust : .likely)
    }
  }

  /// Whether more than a checksum shows that an orphan has the content that the journal wrote home:
  /// the orphan itself names its place, or it is the same as the journal's copy.
  private func isCopy(
    _ orphan: Int, _ block: UInt64, _ home: Home, _ claims: Ext4Claims
  ) throws(BlockIOError) -> Bool {
    let place = orphan * volume.blocksPerChunk + volume.index(of: block)
    let own = claims.orphans.blocks[place]
    if own.role == .inodes || own.role == .descriptors { return own.value == block }
    let copy = log.place.block(home.copy)
    guard let content = try claims.bytes(ofPlace: place) else { return false }
    if let new = claims.new(for: volume.chunk(of: copy)) {
      let byteOffset =
        new * claims.scene.chunkByteCount
        + UInt64(volume.index(of: copy) * volume.blockByteCount)
      return try claims.scene.store.whole(at: byteOffset, count: content.count) == content
    }
    guard log.isFilled(home.copy) else { return false }
    return try volume.read(copy, of: claims.scene.view) == content
  }
}
