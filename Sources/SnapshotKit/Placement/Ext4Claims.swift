internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// What was found in one round: which orphan is a copy of which chunk of the origin.
///
/// Everything that a chunk's blocks say must fit its place.
struct Ext4Claims {
  let volume: Ext4Volume
  let orphans: Ext4OrphanBlocks
  private let scene: PlacementScene
  /// What each block of the snapshot leads to from zero, where its journal says so.
  var attested: [UInt64: UInt32] = [:]
  private(set) var evidence: [Evidence] = []
  /// Orphans that have a place, by their number.
  private(set) var placed: Set<Int> = []
  /// Chunks of the origin that have an orphan.
  private var taken: Set<UInt64> = []
  /// What blocks of the origin lead to from zero.
  private var originContents: [UInt64: UInt32?] = [:]

  init(_ volume: Ext4Volume, _ orphans: Ext4OrphanBlocks, _ scene: PlacementScene) {
    self.volume = volume
    self.orphans = orphans
    self.scene = scene
    for (index, new) in orphans.chunks.enumerated() where scene.proven[new] != nil {
      placed.insert(index)
    }
  }

  /// Whether the snapshot's content of a chunk is known, or has been found.
  func isKnown(_ chunk: UInt64) -> Bool { taken.contains(chunk) || scene.isMapped(chunk) }

  /// The orphan that was found in this round to be a copy of a chunk, as a chunk of the store.
  func new(for chunk: UInt64) -> UInt64? { evidence.first { $0.old == chunk }?.new }

  /// Whether two orphans have the same content.
  func isSame(_ left: Int, _ right: Int) -> Bool {
    (0..<volume.blocksPerChunk).allSatisfy {
      orphans.blocks[left * volume.blocksPerChunk + $0].content
        == orphans.blocks[right * volume.blocksPerChunk + $0].content
    }
  }

  /// The chunk of the store that an orphan is.
  func new(_ orphan: Int) -> UInt64 { orphans.chunks[orphan] }

  /// What a block of the origin leads to from zero; nil if it cannot be read.
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

  /// How a chunk's blocks fit a place.
  struct Fit {
    /// Whether nothing in it belongs anywhere else.
    var isPossible = true
    /// How many of its blocks are attested.
    var attestedCount = 0
    /// How many blocks nothing speaks for.
    var unknownCount = 0
  }

  /// How an orphan fits a chunk of the origin.
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
      } else if block.role == .inodes || block.role == .descriptors {
        if block.value != home { fit.isPossible = false }
      } else if volume.blocksPerChunk > 1, try originContent(home) != block.content {
        fit.unknownCount += 1
      }
    }
    return fit
  }

  /// Says that an orphan is a copy of a chunk of the origin.
  mutating func claim(
    _ orphan: Int, _ chunk: UInt64, _ kind: Evidence.Kind,
    _ strength: Evidence.Strength = .proven
  ) {
    guard taken.insert(chunk).inserted, placed.insert(orphan).inserted else { return }
    let start = new(orphan) * scene.chunkByteCount
    evidence.append(
      Evidence(
        kind: kind, new: new(orphan), old: chunk, strength: strength,
        bytes: start..<start + scene.chunkByteCount))
  }
}
