import BlockIO
import FileSystemFormat
import Synchronization

/// The facts about a group's inodes.
struct XFSGroupChunks {
  /// Its chunks, ascending.
  var chunks: [XFSInodeChunk] = []
  /// Damage of the btree.
  var damage: [FileSystemDamage] = []

  /// Whether an inode is in use by the btree; nil if it has no chunk.
  func isAllocated(_ inode: UInt64) -> Bool? {
    let index = chunks.partitioningIndex { $0.first > inode }
    guard index > 0 else { return nil }
    let (chunk, bit) = (chunks[index - 1], inode - chunks[index - 1].first)
    guard bit < 64, chunk.present >> bit & 1 != 0 else { return nil }
    return chunk.free >> bit & 1 == 0
  }
}

/// The chunks of the groups that were looked at last.
struct XFSChunkCache {
  private static let chunkCountMax = 1 << 20
  var groups: [UInt64: XFSGroupChunks] = [:]

  mutating func add(_ chunks: XFSGroupChunks, of group: UInt64) {
    let count = groups.values.reduce(chunks.chunks.count) { $0 + $1.chunks.count }
    if count > Self.chunkCountMax { groups = [:] }
    groups[group] = chunks
  }
}

extension XFSFileSystem {
  // MARK: - One inode

  public func inode(_ id: FileID) throws(FileSystemError) -> Inode {
    let geometry = reader.geometry
    guard id.tree == 0, let start = geometry.byteOffset(ofInode: id.number) else {
      throw .noFile(source.name, "with inode number \(id.number)")
    }
    let place = start..<start + UInt64(geometry.inodeByteCount)
    guard let record = try reader.bytes(place) else {
      throw damaged("inode \(id.number): cannot be read", at: place)
    }
    let group = try groupChunks(id.number >> groupInodeBits)
    let isAllocated = group.isAllocated(id.number & ((1 << groupInodeBits) - 1))
    // Without a chunk, the old bytes of an inode are left there, unless the btree is damaged.
    guard isAllocated != nil || reader.superblock.hasChecksums || !group.damage.isEmpty else {
      throw .noFile(source.name, "with inode number \(id.number)")
    }
    switch decode(record, id.number, at: place, isAllocated, group.damage.isEmpty) {
    case .success(let inode?): return inode
    case .success(nil): throw .noFile(source.name, "with inode number \(id.number)")
    case .failure(let damage):
      // Space that never held an inode has none.
      guard isAllocated == true || !group.damage.isEmpty else {
        throw .noFile(source.name, "with inode number \(id.number)")
      }
      throw .damaged(source.name, damage.damage)
    }
  }

  /// The number of bits of an inode number that select the inode of a group.
  var groupInodeBits: UInt64 {
    UInt64(reader.geometry.groupBlockBits + reader.geometry.blockInodeBits)
  }

  struct InodeDamage: Error {
    let damage: FileSystemDamage
  }

  /// Decodes an inode.
  ///
  /// - Parameters:
  ///   - isAllocated: The state in the btree; nil if it has no such inode.
  ///   - isTreeWhole: Whether it would have it.
  /// - Returns: Nil if it was never used.
  func decode(
    _ record: [UInt8], _ number: UInt64, at place: Range<UInt64>, _ isAllocated: Bool?,
    _ isTreeWhole: Bool
  ) -> Result<Inode?, InodeDamage> {
    func damage(_ problem: String) -> Result<Inode?, InodeDamage> {
      .failure(InodeDamage(damage: FileSystemDamage("inode \(number): \(problem)", at: place)))
    }
    let bytes = record.span
    if let problem = reader.verdict(bytes, [.inode], at: place.lowerBound, owner: number).problem {
      return damage(problem)
    }
    guard let inode = XFSInode(bytes, version: reader.superblock.version) else {
      return damage("is none")
    }
    if inode.mode == 0, isAllocated == true { return damage("is free, and its btree says not") }
    let isUsed = inode.mode != 0 && (isAllocated ?? !isTreeWhole)
    let rest = isUsed ? [] : remains(of: inode, record)
    guard isUsed || inode.mode != 0 || inode.changed.seconds != 0 || !rest.isEmpty else {
      return .success(nil)
    }
    let kind = FileKind(mode: inode.mode)
    let device = kind == .characterDevice || kind == .blockDevice
    return .success(
      Inode(
        id: FileID(number), kind: kind, permissions: inode.mode & 0xfff, owner: inode.owner,
        group: inode.group, linkCount: inode.linkCount,
        byteCount: inode.mode == 0 ? rest.last?.file.upperBound ?? 0 : inode.byteCount,
        device: device
          ? Inode.Device(major: inode.majorDevice, minor: inode.minorDevice) : nil,
        modified: Timestamp(inode.modified), accessed: Timestamp(inode.accessed),
        changed: Timestamp(inode.changed), created: inode.created.map { Timestamp($0) },
        // Losing its last name was the last change of an inode that was freed.
        deleted: isUsed ? nil : Timestamp(inode.changed), isAllocated: isUsed, record: record))
  }

  // MARK: - All inodes

  /// Calls `body` with each inode, in the order of the disk, until it returns false.
  ///
  /// Of a deleted file XFS keeps the owner, the times and, if it had only a few extents, these: its
  /// kind is then `unknown`, its length that of its extents, and ``map(of:)`` has them. Where a
  /// group's btree of inodes is damaged, the group is searched for inodes (version 5).
  public func forEachInode(
    isDeletedIncluded: Bool, _ body: (Inode) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> [FileSystemDamage] {
    var scan = XFSInodeScan(self, isDeletedIncluded: isDeletedIncluded)
    // There may be any number of groups after the end of a shortened image.
    let geometry = reader.geometry
    let (whole, rest) = source.byteCount.quotientAndRemainder(dividingBy: geometry.groupByteCount)
    let presentCount = min(geometry.groupCount, whole + (rest > 0 ? 1 : 0))
    for group in 0..<presentCount {
      guard try scan.scan(group: group, body) else { return scan.damage }
    }
    guard presentCount < geometry.groupCount else { return scan.damage }
    let lost = presentCount * geometry.groupByteCount..<geometry.byteCount
    return scan.damage + [FileSystemDamage("inodes: their groups are past the end", at: lost)]
  }

  // MARK: - Chunks

  /// The chunks of inodes that the btree of a group has.
  func groupChunks(_ group: UInt64) throws(FileSystemError) -> XFSGroupChunks {
    if let known = chunks.withLock({ $0.groups[group] }) { return known }
    let geometry = reader.geometry
    var found = XFSGroupChunks()
    let inodeCount = geometry.groupBlockCount << UInt64(geometry.blockInodeBits)
    let isSparse = reader.superblock.hasSparseInodes
    var walk = XFSGroupTree(reader, .inodes, of: group)
    try walk.forEachLeaf { bytes, block in
      for index in 0..<block.count {
        let chunk = XFSInodeChunk(bytes, at: block.recordOffset(index), isSparse: isSparse)
        let end = found.chunks.last.map { $0.first + 64 } ?? 0
        guard chunk.first >= end, chunk.first < inodeCount else { return "has chunks in disorder" }
        found.chunks.append(chunk)
      }
      return nil
    }
    found.damage = walk.damage
    chunks.withLock { $0.add(found, of: group) }
    return found
  }
}

extension Timestamp {
  init(_ time: XFSTime) { self.init(seconds: time.seconds, nanoseconds: time.nanoseconds) }
}
