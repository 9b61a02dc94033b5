internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// The claims found in one round: which orphan is a copy of which chunk of the origin.
///
/// All statements in a chunk's blocks must fit its place.
struct Ext4Claims {
  let volume: Ext4Volume
  let orphans: Ext4OrphanBlocks
  let scene: PlacementScene
  /// The reason why each orphan has no exception.
  let reasons: [Orphan.Reason]
  /// Whether all orphans that Linux copied could be read: none that was not seen can be a rival.
  let isAllSeen: Bool
  /// Whether, in addition, none is all zeroes: many copies of disks have zeroes for unreadable
  /// bytes.
  let isIntact: Bool
  /// The strength sought: proofs first, then likely evidence for the rest.
  ///
  /// Searches for likely evidence alone see likely placements.
  var level = Evidence.Strength.proven
  /// Whether anything was found that was not proven when proofs were looked for.
  private(set) var hasDoubts = false
  /// The register of each block of the snapshot, from zero, where its journal gives it.
  var attested: [UInt64: UInt32] = [:]
  private(set) var evidence: [Evidence] = []
  /// Orphans that have a place, by their number.
  private(set) var placed: Set<Int> = []
  /// The orphan that was found for a chunk of the origin.
  private var found: [UInt64: Int] = [:]
  /// The registers of blocks of the origin, from zero.
  private var originContents: [UInt64: UInt32?] = [:]
  /// Whether all blocks of orphans that lead to a register from zero are the same, byte for byte.
  var sameContents: [UInt32: Bool] = [:]

  init(_ volume: Ext4Volume, _ orphans: Ext4OrphanBlocks, _ scene: PlacementScene) {
    self.volume = volume
    self.orphans = orphans
    self.scene = scene
    var reasons: [Orphan.Reason] = []
    var index = 0
    for new in orphans.chunks {
      while index < scene.orphans.count,
        scene.orphans[index].new + scene.orphans[index].count <= new
      { index += 1 }
      reasons.append(index < scene.orphans.count ? scene.orphans[index].reason : .leaked)
    }
    self.reasons = reasons
    let copied = scene.orphans.lazy.filter { $0.reason != .leaked }
    isAllSeen =
      scene.unlistedCount == 0
      && copied.reduce(0) { $0 &+ $1.count } == UInt64(reasons.count { $0 != .leaked })
    isIntact =
      isAllSeen
      && !orphans.chunks.indices.contains { reasons[$0] != .leaked && orphans.isZero($0) }
    for (index, new) in orphans.chunks.enumerated() where scene.proven[new] != nil {
      placed.insert(index)
    }
  }

  // MARK: - What is known

  /// Whether the store has an orphan's block right beside another block, as in the origin.
  ///
  /// - Parameters:
  ///   - step: -1 where the other is before it, 1 where it is after it.
  ///   - other: The orphan's block that the other is; nil if it is known otherwise.
  func isBeside(
    _ place: Int, _ block: UInt64, _ otherBlock: UInt64, step: Int, _ other: Int?
  ) -> Bool {
    let (chunk, otherChunk) = (volume.chunk(of: block), volume.chunk(of: otherBlock))
    if chunk == otherChunk { return true }
    let beside =
      other.map { new($0 / volume.blocksPerChunk) } ?? new(for: otherChunk)
      ?? scene.view.table.newChunk(for: Chunk(otherChunk))?.index
    guard let beside, let position = scene.position(new(place / volume.blocksPerChunk)) else {
      return false
    }
    return scene.position(beside) == position + step
  }

  /// Whether data of orphans may have been overwritten with zeroes together with metadata of the
  /// store: then the right orphan may not be among those that were seen, as if it were unreadable.
  func mayBeWiped() throws(BlockIOError) -> Bool {
    for (orphan, new) in orphans.chunks.enumerated()
    where reasons[orphan] != .leaked && orphans.isZero(orphan) {
      for beside in [new &- 1, new &+ 1] where !scene.geometry.isData(Chunk(beside)) {
        let (start, overflow) = beside.multipliedReportingOverflow(by: scene.chunkByteCount)
        guard !overflow else { continue }
        let bytes = try scene.store.whole(at: start, count: Int(scene.chunkByteCount))
        if let bytes, Ext4Inode.isUnused(bytes.span) { return true }
      }
    }
    return false
  }

  /// Whether all that Linux copied for this store was seen, so that one of a kind at the table's
  /// end cannot be another store's.
  var isComplete: Bool {
    isAllSeen && !reasons.contains { $0 == .inFlight || $0 == .endInDoubt }
  }

  /// Whether an orphan was certainly copied for this store.
  func isCertain(_ orphan: Int) -> Bool { reasons[orphan] == .exceptionLost }

  /// How far to trust an orphan whose content is certainly in the snapshot.
  func trust(_ orphan: Int) -> Evidence.Strength? {
    switch reasons[orphan] {
    case .exceptionLost: .proven
    case .endLost: isComplete ? .proven : .likely
    case .inFlight, .endInDoubt: .likely
    case .leaked: nil
    }
  }

  /// Whether the snapshot's content of a chunk is known, or has been found.
  func isKnown(_ chunk: UInt64) -> Bool { found[chunk] != nil || scene.isMapped(chunk) }

  /// The orphan that was found in this round to be a copy of a chunk, as a chunk of the store.
  func new(for chunk: UInt64) -> UInt64? { found[chunk].map(new) }

  /// The chunk of the store that an orphan is.
  func new(_ orphan: Int) -> UInt64 { orphans.chunks[orphan] }

  /// The register of a block of the origin, from zero; nil if the block cannot be read.
  mutating func originContent(_ block: UInt64) throws(BlockIOError) -> UInt32? {
    if let known = originContents[block] { return known }
    var content: UInt32?
    if let bytes = try volume.read(block, of: scene.origin) {
      var checksum = CRC32C(register: 0)
      checksum.add(bytes.span)
      content = checksum.register
    }
    originContents[block] = .some(content)
    return content
  }

  // MARK: - Whether an orphan fits

  /// The fit of a chunk's blocks to a place.
  struct Fit {
    /// Whether nothing in it belongs anywhere else.
    var isPossible = true
    /// The number of its attested blocks.
    var attestedCount = 0
    /// The number of blocks that are where they belong, but in a version without evidence.
    var versionCount = 0
    /// The number of blocks without evidence.
    var unknownCount = 0
  }

  /// The fit of an orphan to a chunk of the origin.
  mutating func fit(_ orphan: Int, _ chunk: UInt64) throws(BlockIOError) -> Fit {
    var fit = Fit()
    for index in 0..<volume.blocksPerChunk {
      let block = orphans.blocks[orphan * volume.blocksPerChunk + index]
      guard let home = volume.block(index, of: chunk) else {
        fit.unknownCount += 1
        continue
      }
      if let content = attested[home] {
        if content != block.content { fit.isPossible = false }
        fit.attestedCount += 1
        continue
      }
      let isVersion = block.role == .inodes || block.role == .descriptors
      if isVersion, block.value != home { fit.isPossible = false }
      guard volume.blocksPerChunk > 1, try originContent(home) != block.content else { continue }
      if isVersion { fit.versionCount += 1 } else { fit.unknownCount += 1 }
    }
    return fit
  }

  /// Whether orphans are the same, byte for byte.
  mutating func areSame(_ candidates: [Int]) throws(BlockIOError) -> Bool {
    guard let first = candidates.first, candidates.count > 1 else { return true }
    let perChunk = volume.blocksPerChunk
    for index in 0..<perChunk {
      let content = orphans.blocks[first * perChunk + index].content
      guard candidates.allSatisfy({ orphans.blocks[$0 * perChunk + index].content == content }),
        try isOneContent(content)
      else { return false }
    }
    return true
  }

  /// Whether all blocks of orphans that lead to a register from zero are the same.
  private mutating func isOneContent(_ content: UInt32) throws(BlockIOError) -> Bool {
    if let known = sameContents[content] { return known }
    var first: [UInt8]?
    var isOne = true
    let places = Array(orphans.places(of: content))
    for place in places where places.count > 1 {
      if orphans.blocks[place].role == .zero, orphans.blocks[places[0]].role == .zero { continue }
      let bytes = try self.bytes(ofPlace: place)
      if bytes == nil || first ?? bytes != bytes {
        isOne = false
        break
      }
      first = bytes
    }
    sameContents[content] = isOne
    return isOne
  }

  /// A block of an orphan; nil if it cannot be read any more.
  func bytes(ofPlace place: Int) throws(BlockIOError) -> [UInt8]? {
    let (orphan, index) = place.quotientAndRemainder(dividingBy: volume.blocksPerChunk)
    return try scene.store.whole(
      at: new(orphan) * scene.chunkByteCount + UInt64(index * volume.blockByteCount),
      count: volume.blockByteCount)
  }

  // MARK: - Chance

  /// Whether so many wanted checksums of 32 bits hardly match any orphan by chance.
  func isRare(_ wantedCount: Int) -> Bool {
    let pairs = wantedCount.multipliedReportingOverflow(by: orphans.chunks.count - placed.count)
    return !pairs.overflow && pairs.partialValue < Self.pairCountMax
  }

  /// As many pairs meet by chance once in 256 stores.
  private static let pairCountMax = 1 << 24

  /// Whether the neighbour of an orphan in the store belongs beside a chunk of the origin: Linux
  /// writes most things block after block.
  func isInOrder(_ orphan: Int, _ chunk: UInt64) -> Bool {
    isInOrder(orphan, chunk, step: 1) || isInOrder(orphan, chunk, step: .max)
  }

  /// Whether that is so on both sides.
  func isBetween(_ orphan: Int, _ chunk: UInt64) -> Bool {
    isInOrder(orphan, chunk, step: 1) && isInOrder(orphan, chunk, step: .max)
  }

  private func isInOrder(_ orphan: Int, _ chunk: UInt64, step: UInt64) -> Bool {
    let old = chunk &+ step
    guard let position = scene.geometry.position(ofData: Chunk(new(orphan))),
      let beside = scene.geometry.dataChunk(inOrder: position &+ step)
    else { return false }
    if let known = new(for: old) ?? scene.view.table.newChunk(for: Chunk(old))?.index {
      return known == beside.index
    }
    return orphans.index(of: beside.index).map { isAttested($0, old) } ?? false
  }

  /// Whether blocks of an orphan are attested in a chunk of the origin.
  private func isAttested(_ orphan: Int, _ chunk: UInt64) -> Bool {
    var isAttested = false
    for index in 0..<volume.blocksPerChunk {
      guard let content = volume.block(index, of: chunk).flatMap({ attested[$0] }) else { continue }
      if orphans.blocks[orphan * volume.blocksPerChunk + index].content != content { return false }
      isAttested = true
    }
    return isAttested
  }

  // MARK: - Claiming

  /// Says that an orphan is a copy of a chunk of the origin.
  mutating func claim(
    _ orphan: Int, _ chunk: UInt64, _ kind: Evidence.Kind,
    _ strength: Evidence.Strength = .proven
  ) {
    guard found[chunk] == nil, !placed.contains(orphan) else { return }
    if strength < level {
      hasDoubts = true
      return
    }
    found[chunk] = orphan
    placed.insert(orphan)
    evidence.append(Evidence(kind: kind, strength: level, new: new(orphan), old: chunk))
  }
}
