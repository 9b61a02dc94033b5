/// The numbers with which structures of XFS begin.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_format.h`, `xfs_da_format.h`, `xfs_log_format.h`.
enum XFSMagic {
  static let superblock: UInt32 = 0x5846_5342  // XFSB
  static let inode: UInt16 = 0x494e  // IN
}

/// The beginning of a metadata block of XFS: its kind and its place.
///
/// It is at least a sector long and begins at one. The address is in the block itself: as a number
/// of a sector of 512 bytes, of an inode, or of an allocation group.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_format.h`, `struct xfs_agf`, `xfs_agi`, `xfs_agfl`,
///   `xfs_btree_block`, `xfs_dinode`, `xfs_dsymlink_hdr`; `xfs_da_format.h`, `struct
///   xfs_da3_blkinfo`, `xfs_dir3_blk_hdr`, `xfs_attr3_rmt_hdr`.
package struct XFSBlock: Equatable, Sendable {
  /// The kind of a block.
  package enum Kind: Sendable {
    case superblock, freeSpaceHeader, inodeHeader, freeList
    /// Btrees of a group: free space by block and by size, reverse mappings, reference counts,
    /// inodes and free inodes.
    case freeByBlock, freeByCount, reverseMap, referenceCounts, inodes, freeInodes
    /// The extents of a file.
    case extents
    /// Directory blocks: one that is a whole directory, or the data, leaf and free blocks of one.
    case directory, directoryData, directoryLeaf, directoryFree
    /// An inner node of a directory, or of extended attributes.
    case node
    case attributeLeaf, attributeValue, symbolicLink
    case inode
  }

  /// Its kind.
  package let kind: Kind
  /// Its place, in bytes from the beginning of the file system; nil for a superblock, which does
  /// not state its group.
  package let address: UInt64?
  /// Its length in bytes; for a node, that in extended attributes.
  package let byteCount: Int
  /// Its length in bytes if that is another one in a directory.
  package let otherByteCount: Int?
  /// Its owner: a number of a group or of an inode.
  package let owner: UInt64
  /// When it was last logged: a cycle of the log and a sector, of 512 bytes; nil if it is never
  /// logged.
  package let lsn: UInt64?
  /// Where its checksum is.
  package let checksumOffset: Int
  /// Where ``lsn`` is.
  private let lsnOffset: Int

  /// The bytes that determine the kind of a block: those of the longest header.
  package static let headerByteCount = 512

  /// Recognises a block by its beginning, whatever its checksum; nil if it does not belong to this
  /// file system.
  package init?(beginning bytes: Span<UInt8>, of geometry: XFSGeometry) {
    guard bytes.count >= Self.headerByteCount,
      let layout = Layout(bytes),
      XFSUUID(bytes, at: layout.uuid)
        == (layout.kind == .superblock ? geometry.uuid : geometry.metaUUID)
    else { return nil }
    kind = layout.kind
    checksumOffset = layout.checksum
    lsnOffset = layout.lsn
    let block = geometry.blockByteCount
    let directory = geometry.directoryBlockByteCount
    var other: Int?
    switch kind {
    case .superblock, .freeSpaceHeader, .inodeHeader, .freeList:
      byteCount = geometry.sectorByteCount
    case .directory, .directoryData, .directoryLeaf, .directoryFree: byteCount = directory
    case .inode: byteCount = geometry.inodeByteCount
    case .node:
      byteCount = block
      if directory != block { other = directory }
    default: byteCount = block
    }
    otherByteCount = other
    let lsn: UInt64 = bytes.big(at: layout.lsn)
    self.lsn = lsn == .max ? nil : lsn
    switch layout.place {
    case .nowhere: (owner, address) = (0, nil)
    case .group(let offset, let sector):
      owner = UInt64(bytes.big(at: offset, as: UInt32.self))
      guard let start = geometry.byteOffset(ofGroup: owner) else { return nil }
      address = start + UInt64(sector * geometry.sectorByteCount)
    case .inode(let offset):
      owner = bytes.big(at: offset)
      guard bytes[4] == 3, let start = geometry.byteOffset(ofInode: owner) else { return nil }
      address = start
    case .sector(let offset, let ownerOffset, let isOwnerShort):
      owner =
        isOwnerShort
        ? UInt64(bytes.big(at: ownerOffset, as: UInt32.self)) : bytes.big(at: ownerOffset)
      let sector: UInt64 = bytes.big(at: offset)
      guard sector < geometry.byteCount / 512, sector * 512 % UInt64(block) == 0 else {
        return nil
      }
      address = sector * 512
    }
  }

  /// Writes when a block was logged, unless it never is, and makes its checksum right.
  package func seal(_ bytes: inout [UInt8], lsn: UInt64) {
    if self.lsn != nil { bytes.put(big: lsn, at: lsnOffset) }
    XFSChecksum.seal(&bytes, at: checksumOffset)
  }

  /// Recognises a whole block, whose checksum must hold.
  package init?(recognising bytes: Span<UInt8>, of geometry: XFSGeometry) {
    self.init(beginning: bytes, of: geometry)
    guard intactByteCount(bytes) != nil else { return nil }
  }

  /// The length of the block at the beginning of `bytes` if its checksum holds.
  package func intactByteCount(_ bytes: Span<UInt8>) -> Int? {
    for count in [byteCount, otherByteCount ?? 0] where count > 0 && count <= bytes.count {
      if XFSChecksum.holds(bytes.extracting(0..<count), at: checksumOffset) { return count }
    }
    return nil
  }
}

/// The offsets of fields in a kind of block.
private struct Layout {
  enum Place {
    case nowhere
    /// A group's number, and which sector of the group it is.
    case group(at: Int, sector: Int)
    case inode(at: Int)
    /// A sector's number, and whose the block is.
    case sector(at: Int, owner: Int, isOwnerShort: Bool)
  }

  let kind: XFSBlock.Kind
  let uuid: Int
  let checksum: Int
  let lsn: Int
  let place: Place

  init?(_ bytes: Span<UInt8>) {
    switch bytes.big(at: 0, as: UInt32.self) {
    case XFSMagic.superblock: self.init(.superblock, uuid: 32, checksum: 224, lsn: 240, .nowhere)
    case 0x5841_4746:  // XAGF
      self.init(.freeSpaceHeader, uuid: 64, checksum: 216, lsn: 208, .group(at: 8, sector: 1))
    case 0x5841_4749:  // XAGI
      self.init(.inodeHeader, uuid: 296, checksum: 312, lsn: 320, .group(at: 8, sector: 2))
    case 0x5841_464c:  // XAFL
      self.init(.freeList, uuid: 8, checksum: 32, lsn: 24, .group(at: 4, sector: 3))
    case 0x4142_3342: self.init(short: .freeByBlock)  // AB3B
    case 0x4142_3343: self.init(short: .freeByCount)  // AB3C
    case 0x524d_4233: self.init(short: .reverseMap)  // RMB3
    case 0x5233_4643: self.init(short: .referenceCounts)  // R3FC
    case 0x4941_4233: self.init(short: .inodes)  // IAB3
    case 0x4649_4233: self.init(short: .freeInodes)  // FIB3
    case 0x424d_4133:  // BMA3
      self.init(
        .extents, uuid: 40, checksum: 64, lsn: 32,
        .sector(at: 24, owner: 56, isOwnerShort: false))
    case 0x5844_4233: self.init(directory: .directory)  // XDB3
    case 0x5844_4433: self.init(directory: .directoryData)  // XDD3
    case 0x5844_4633: self.init(directory: .directoryFree)  // XDF3
    case 0x5841_524d: self.init(remote: .attributeValue)  // XARM
    case 0x5853_4c4d: self.init(remote: .symbolicLink)  // XSLM
    default: self.init(halfWords: bytes)
    }
  }

  /// A block that begins with a number of two bytes, or has it after its siblings' numbers.
  private init?(halfWords bytes: Span<UInt8>) {
    if bytes.big(at: 0, as: UInt16.self) == XFSMagic.inode {
      self.init(.inode, uuid: 160, checksum: 100, lsn: 112, .inode(at: 152))
      return
    }
    let kind: XFSBlock.Kind
    switch bytes.big(at: 8, as: UInt16.self) {
    case 0x3ebe: kind = .node
    case 0x3bee: kind = .attributeLeaf
    case 0x3df1, 0x3dff: kind = .directoryLeaf
    default: return nil
    }
    self.init(
      kind, uuid: 32, checksum: 12, lsn: 24, .sector(at: 16, owner: 48, isOwnerShort: false))
  }

  /// A block of a group's btree.
  private init(short kind: XFSBlock.Kind) {
    self.init(
      kind, uuid: 32, checksum: 52, lsn: 24, .sector(at: 16, owner: 48, isOwnerShort: true))
  }

  private init(directory kind: XFSBlock.Kind) {
    self.init(
      kind, uuid: 24, checksum: 4, lsn: 16, .sector(at: 8, owner: 40, isOwnerShort: false))
  }

  private init(remote kind: XFSBlock.Kind) {
    self.init(
      kind, uuid: 16, checksum: 12, lsn: 48, .sector(at: 40, owner: 32, isOwnerShort: false))
  }

  private init(_ kind: XFSBlock.Kind, uuid: Int, checksum: Int, lsn: Int, _ place: Place) {
    (self.kind, self.uuid, self.checksum) = (kind, uuid, checksum)
    (self.lsn, self.place) = (lsn, place)
  }
}
