public import BlockIO
import FileSystemFormat

/// An ext2, ext3 or ext4.
///
/// It shows what Linux shows: a journal that a mount would replay is replayed in memory, unless the
/// caller declines. Files without names, which a mount would remove, are still there, as deleted.
/// Structures with wrong checksums are not used, except for the names in a directory.
///
/// - Source: Linux `Documentation/filesystems/ext4/`, `fs/ext4/`.
public final class ExtFileSystem: FileSystem {
  /// The source it is read from.
  public let source: any BlockSource
  /// `ext2`, `ext3` or `ext4`.
  public let family: String
  /// The directory at the top.
  public var root: FileID { FileID(2) }
  /// Notes on the file system as a whole: a journal that was replayed, or not; a superblock that
  /// was damaged; empty if there are none.
  public let notes: [String]

  let reader: ExtReader
  /// The places of the file system's structures, once they have been needed.
  let structures = ExtStructureIndex()

  var superblock: Ext4Superblock { reader.superblock }

  /// Opens the file system at the beginning of a source.
  ///
  /// - Parameters:
  ///   - isJournalReplayed: Whether to show the file system as it is once its journal is replayed,
  ///     as a mount does. Otherwise it is shown as it is on the disk, as a mount with `noload`
  ///     does.
  ///   - isTracked: Whether to look for copies of the superblock where none is in its place.
  /// - Throws: `notFound` if there is none; `unsupported` if it has a feature that changes how
  ///   files are read and that is unknown here; `io`.
  public init(
    _ source: any BlockSource, isJournalReplayed: Bool = true, isTracked: Bool = true
  ) throws(FileSystemError) {
    let opening = try ExtOpening(source, isTracked: isTracked)
    var (found, notes) = (opening.found, opening.notes)
    self.source = source
    var reader = ExtReader(source, found.superblock, uuid: found.uuid)
    if found.superblock.needsRecovery {
      var replay = ExtReplay(reader)
      let log = isJournalReplayed ? try replay.run() : nil
      notes +=
        isJournalReplayed
        ? replay.notes : ["the journal was not replayed: recent changes may be missing"]
      if let log {
        // The superblock may be among the replayed blocks.
        if let newer = try ExtOpening.superblock(of: log, at: 1024), newer.isSame(as: found) {
          found = newer
        }
        reader = ExtReader(log, found.superblock, uuid: found.uuid)
      }
    }
    self.reader = reader
    self.notes = notes
    family = Self.family(of: found.superblock)
  }

  /// The family by the features, as libblkid determines it.
  private static func family(of superblock: Ext4Superblock) -> String {
    if superblock.incompatible & ~0x16 != 0 || superblock.readOnlyCompatible & ~0x7 != 0 {
      return "ext4"
    }
    return superblock.compatible & 0x4 != 0 ? "ext3" : "ext2"
  }

  // MARK: - Inodes

  /// Finds an inode by its number.
  ///
  /// Also one that was deleted, and those that are reserved for the file system itself.
  ///
  /// - Throws: `noFile` if there is no such inode; `damaged` if its checksum is wrong, or it cannot
  ///   be read.
  public func inode(_ id: FileID) throws(FileSystemError) -> Inode {
    guard id.tree == 0, let number = UInt32(exactly: id.number),
      number >= 1, number <= superblock.inodeCount,
      let place = try reader.place(ofInode: number)
    else { throw .noFile(source.name, "\(id.number)") }
    guard let page = try reader.page(place, byteCount: superblock.inodeByteCount) else {
      throw .damaged(source.name, damage(number, "cannot be read", at: place))
    }
    switch verdict(Array(page.bytes[page.range]), number, at: place) {
    case .unused: throw .noFile(source.name, "\(id.number)")
    case .damaged(let damage): throw .damaged(source.name, damage)
    case .inode(let inode): return inode
    }
  }

  /// The meaning of bytes of an inode table.
  enum Verdict {
    case unused
    case inode(Inode)
    case damaged(FileSystemDamage)
  }

  func verdict(_ record: [UInt8], _ number: UInt32, at place: UInt64) -> Verdict {
    let bytes = record.span
    let mode: UInt16 = bytes.little(at: 0)
    if mode == 0, Ext4Inode.isUnused(bytes) { return .unused }
    if superblock.hasMetadataChecksums,
      !Ext4Inode.isRight(bytes, number: number, seed: superblock.seed)
    {
      return .damaged(damage(number, "wrong checksum", at: place))
    }
    if mode == 0 { return .unused }
    let fields = Ext4InodeFields(decoding: bytes)
    let kind = FileKind(mode: mode)
    let isLarge = kind == .regular || superblock.incompatible & 0x4000 != 0
    let byteCount =
      UInt64(fields.byteCount.low) | (isLarge ? UInt64(fields.byteCount.high) << 32 : 0)
    guard byteCount <= Int64.max else {
      return .damaged(damage(number, "impossible length", at: place))
    }
    let deletion = fields.deletionTime
    let numbers = Ext4InodeFields.device(bytes)
    let hasDevice = kind == .characterDevice || kind == .blockDevice
    func time(_ moment: Ext4InodeFields.Moment) -> Timestamp? {
      fields.time(moment, of: bytes).map {
        Timestamp(seconds: $0.seconds, nanoseconds: $0.nanoseconds)
      }
    }
    let epoch = Timestamp(seconds: 0)
    return .inode(
      Inode(
        id: FileID(UInt64(number)), kind: kind, permissions: mode & 0xfff, owner: fields.owner,
        group: fields.group, linkCount: UInt32(fields.linkCount), byteCount: byteCount,
        device: hasDevice ? Inode.Device(major: numbers.major, minor: numbers.minor) : nil,
        modified: time(.modified) ?? epoch, accessed: time(.accessed) ?? epoch,
        changed: time(.changed) ?? epoch, created: time(.created),
        // A small number is no time, but the next inode of the list of orphans.
        deleted: fields.linkCount == 0 && deletion > superblock.inodeCount
          ? Timestamp(seconds: Int64(deletion)) : nil,
        isAllocated: fields.linkCount != 0, record: record))
  }

  private func damage(
    _ number: UInt32, _ problem: String, at place: UInt64
  ) -> FileSystemDamage {
    FileSystemDamage(
      "inode \(number): \(problem)", at: place..<place + UInt64(superblock.inodeByteCount))
  }

  /// Decodes the record of an inode that this file system gave.
  func fields(of inode: Inode) throws(FileSystemError) -> Ext4InodeFields {
    guard inode.record.count == superblock.inodeByteCount else {
      throw .noFile(source.name, "\(inode.id.number)")
    }
    return Ext4InodeFields(decoding: inode.record.span)
  }
}
