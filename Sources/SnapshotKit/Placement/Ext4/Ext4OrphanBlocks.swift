internal import BlockIO
internal import FileSystemFormat
internal import SnapshotFormat

/// A look at a block of an orphan: enough to tell its kind, not its content.
struct Ext4OrphanBlock: Sendable {
  /// A block's kind, by its own content.
  enum Role: UInt8, Sendable {
    /// Anything.
    case other
    /// Only zeroes.
    case zero
    /// A block of an inode table; its value is that block's number.
    case inodes
    /// Blocks of directories and extent trees; their value is the register before them.
    case directory, hashTree, extents
    /// A block of group descriptors; its value is that block's number.
    case descriptors
    /// The primary superblock; its value is how much was written in the file system's life.
    case superblock
    /// A control block of a journal; its value is the transaction.
    case journalDescriptor, journalCommit, journalRevocation, journalSuperblock
  }

  /// The register that the block leads to from zero.
  let content: UInt32
  let role: Role
  let value: UInt64
}

/// Many blocks: five bytes each, and twelve more for those that have a value.
struct Ext4OrphanBlockList: RandomAccessCollection, Sendable {
  private var contents: [UInt32] = []
  private var roles: [Ext4OrphanBlock.Role] = []
  /// The places of those with a value, ascending, and their values.
  private var valuePlaces: [UInt32] = []
  private var values: [UInt64] = []

  var startIndex: Int { 0 }
  var endIndex: Int { contents.count }

  subscript(place: Int) -> Ext4OrphanBlock {
    Ext4OrphanBlock(content: contents[place], role: roles[place], value: value(place))
  }

  private func value(_ place: Int) -> UInt64 {
    if roles[place] == .other || roles[place] == .zero { return 0 }
    let index = valuePlaces.partitioningIndex { $0 >= place }
    return index < valuePlaces.count && valuePlaces[index] == place ? values[index] : 0
  }

  mutating func reserveCapacity(_ count: Int) {
    contents.reserveCapacity(count)
    roles.reserveCapacity(count)
  }

  mutating func append(_ block: Ext4OrphanBlock) {
    if block.value != 0 {
      valuePlaces.append(UInt32(contents.count))
      values.append(block.value)
    }
    contents.append(block.content)
    roles.append(block.role)
  }

  /// The places of all blocks, sorted by content.
  func sortedPlaces() -> [UInt32] {
    var places = indices.map { UInt32($0) }
    places.sort { (contents[Int($0)], $0) < (contents[Int($1)], $1) }
    return places
  }
}

/// The blocks of all orphans: eight bytes a chunk, and nine a block.
struct Ext4OrphanBlocks: Sendable {
  private let volume: Ext4Volume
  /// The layout of a journal; nil if it has no checksums of its blocks.
  private let layout: Ext4JournalLayout?
  /// The orphans, ascending.
  private(set) var chunks: [UInt64] = []
  /// The number of blocks in a chunk.
  var blocksPerChunk: Int { volume.blocksPerChunk }
  /// The blocks of each, one after another.
  private(set) var blocks = Ext4OrphanBlockList()
  /// The tags of the descriptors among them, by their place in `blocks`.
  private(set) var tags: [Int: [Ext4JournalTag]] = [:]
  /// The blocks that revocations among them name, likewise.
  private(set) var revoked: [Int: [UInt64]] = [:]
  /// Places in `blocks`, sorted by content.
  private var byContent: [UInt32] = []
  private var tagCount = 0

  /// More tags are not kept: 32 MiB.
  private static let tagCountMax = 1 << 20

  init(_ volume: Ext4Volume, _ layout: Ext4JournalLayout?) {
    self.volume = volume
    self.layout = layout
  }

  /// Makes room for that many orphans.
  mutating func reserve(_ count: Int) {
    chunks.reserveCapacity(count)
    blocks.reserveCapacity(count * volume.blocksPerChunk)
  }

  /// Adds the next orphan.
  mutating func add(_ new: UInt64, _ content: Span<UInt8>) {
    chunks.append(new)
    let size = volume.blockByteCount
    for index in 0..<volume.blocksPerChunk {
      let bytes = content.extracting(index * size..<(index + 1) * size)
      blocks.append(examine(bytes, place: blocks.count))
    }
  }

  /// Sorts the added blocks, so that they can be found.
  mutating func prepare() {
    guard byContent.count != blocks.count else { return }
    byContent = blocks.sortedPlaces()
  }

  /// The places of blocks that lead to that register from zero, ascending.
  func places(of content: UInt32) -> some Sequence<Int> {
    let first = byContent.partitioningIndex { blocks[Int($0)].content >= content }
    return byContent[first...].lazy.map { Int($0) }.prefix { blocks[$0].content == content }
  }

  /// The number of an orphan; nil if it is none that was seen.
  func index(of new: UInt64) -> Int? {
    let index = chunks.partitioningIndex { $0 >= new }
    return index < chunks.count && chunks[index] == new ? index : nil
  }

  /// The orphan that has a block.
  func orphan(ofPlace place: Int) -> Int { place / volume.blocksPerChunk }

  /// Whether an orphan holds nothing but zeroes.
  func isZero(_ orphan: Int) -> Bool {
    let first = orphan * volume.blocksPerChunk
    return blocks[first..<first + volume.blocksPerChunk].allSatisfy { $0.role == .zero }
  }

  // MARK: - What a block is

  private mutating func examine(_ bytes: Span<UInt8>, place: Int) -> Ext4OrphanBlock {
    var checksum = CRC32C(register: 0)
    checksum.add(bytes)
    let content = checksum.register
    func block(_ role: Ext4OrphanBlock.Role, _ value: UInt64) -> Ext4OrphanBlock {
      Ext4OrphanBlock(content: content, role: role, value: value)
    }
    if content == 0, Ext4Inode.isUnused(bytes) { return block(.zero, 0) }
    if let header = Ext4JournalHeader(decoding: bytes) {
      return journal(header, bytes, content, place)
    }
    if let written = superblock(bytes) { return block(.superblock, written) }
    if let register = Ext4Block.register(ofExtents: bytes) {
      return block(.extents, UInt64(register))
    }
    if let register = Ext4Block.register(ofDirectory: bytes) {
      return block(.directory, UInt64(register))
    }
    if let register = Ext4Block.register(ofHashTree: bytes) {
      return block(.hashTree, UInt64(register))
    }
    if let home = inodeTable(bytes) { return block(.inodes, home) }
    if let home = descriptors(bytes) { return block(.descriptors, home) }
    return block(.other, 0)
  }

  private mutating func journal(
    _ header: Ext4JournalHeader, _ bytes: Span<UInt8>, _ content: UInt32, _ place: Int
  ) -> Ext4OrphanBlock {
    var role: Ext4OrphanBlock.Role?
    var value = UInt64(header.sequence)
    switch header.kind {
    case .superblock:
      if let found = Ext4JournalSuperblock(decoding: bytes), found.layout == layout {
        role = .journalSuperblock
        value = UInt64(found.sequence)
      }
    case .commit:
      if layout?.isRight(commit: bytes) == true { role = .journalCommit }
    case .descriptor:
      if let found = layout?.tags(of: bytes), tagCount + found.count <= Self.tagCountMax {
        role = .journalDescriptor
        tags[place] = found
        tagCount += found.count
      }
    case .revocation:
      if let found = layout?.revoked(by: bytes), tagCount + found.count <= Self.tagCountMax {
        role = .journalRevocation
        revoked[place] = found
        tagCount += found.count
      }
    }
    return Ext4OrphanBlock(content: content, role: role ?? .other, value: role == nil ? 0 : value)
  }

  /// The amount written in the file system's life, if a block has its primary superblock, and is no
  /// copy in the journal: those were written while it needed recovery.
  private func superblock(_ bytes: Span<UInt8>) -> UInt64? {
    let offset = volume.blockByteCount == 1024 ? 0 : Ext4Superblock.byteOffset
    guard
      let found = Ext4Superblock(
        decoding: bytes.extracting(offset..<offset + Ext4Superblock.byteCount)),
      found.uuid == volume.superblock.uuid, found.group == 0, !found.needsRecovery
    else { return nil }
    return found.kilobytesWritten
  }

  /// The block of an inode table of which this is a copy: at least two inodes in their places, or
  /// the only one that is in use, have checksums for it, and none for another.
  private func inodeTable(_ bytes: Span<UInt8>) -> UInt64? {
    let (size, seed) = (volume.superblock.inodeByteCount, volume.superblock.seed)
    var home: UInt64?
    var (agreeing, used) = (0, 0)
    for slot in 0..<volume.superblock.inodesPerBlock {
      let inode = bytes.extracting(slot * size..<(slot + 1) * size)
      if Ext4Inode.isUnused(inode) { continue }
      used += 1
      guard let number = Ext4Inode.number(of: inode, seed: seed),
        let place = volume.place(ofInode: number), place.slot == slot
      else { continue }
      if let home, home != place.block { return nil }
      home = place.block
      agreeing += 1
    }
    return agreeing >= 2 || agreeing == used ? home : nil
  }

  /// The block of group descriptors of which this is a copy: all of its descriptors have checksums
  /// for it, and there are at least two.
  private func descriptors(_ bytes: Span<UInt8>) -> UInt64? {
    let superblock = volume.superblock
    let size = superblock.descriptorByteCount
    let perBlock = UInt64(superblock.blockByteCount / size)
    for index in 0..<superblock.descriptorBlockCount {
      let first = index * perBlock
      let count = min(perBlock, superblock.groupCount - first)
      let isRight = (0..<count).allSatisfy { offset in
        let start = Int(offset) * size
        return Ext4GroupDescriptor.isRight(
          bytes.extracting(start..<start + size), group: UInt32(first + offset),
          seed: superblock.seed)
      }
      if isRight, count >= 2 { return superblock.block(ofDescriptors: index) }
    }
    return nil
  }
}
