public import BlockIO

/// A file system, read through any block source: a device, a partition of one, a snapshot's view.
///
/// Nothing is written and nothing is mounted. Whatever is on the disk, no call traps, hangs, or
/// allocates without bound. Damage is reported, and everything intact is still returned.
public protocol FileSystem: Sendable {
  /// The source it is read from; offsets of extents and of damage are this source's.
  var source: any BlockSource { get }

  /// Its type, as libblkid names it: `ext4`, `xfs`, `btrfs`.
  var family: String { get }

  /// The directory at the top.
  var root: FileID { get }

  /// Notes on how it is read: a journal that was replayed, or was not; backup copies of structures
  /// in use.
  var notes: [String] { get }

  /// Damage of the file system as a whole: files may be missing, or an older state is shown.
  var damage: [FileSystemDamage] { get }

  /// Finds a file by its number.
  ///
  /// - Throws: If there is no such inode, or it is damaged.
  func inode(_ id: FileID) throws(FileSystemError) -> Inode

  /// Calls `body` with each inode, in the order of the disk, until it returns false.
  ///
  /// - Parameter isDeletedIncluded: Whether to include deleted inodes, as far as the file system
  ///   still has them.
  /// - Returns: What could not be read.
  func forEachInode(
    isDeletedIncluded: Bool, _ body: (Inode) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> [FileSystemDamage]

  /// Calls `body` with each entry of a directory but `.` and `..`, in the order of the disk, until
  /// it returns false.
  ///
  /// - Returns: What could not be read.
  func forEachEntry(
    of directory: Inode, _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
  ) throws(FileSystemError) -> [FileSystemDamage]

  /// Where the content of a file is.
  func map(of inode: Inode) throws(FileSystemError) -> FileMap

  /// The content of a regular file.
  ///
  /// Holes read as zeroes, and `nextData(from:)` skips them. Bytes that cannot be found or read
  /// throw an error of the medium, and `knownUnreadable(in:)` lists them; they are never zeroes.
  func content(of inode: Inode) throws(FileSystemError) -> any BlockSource

  /// The target of a symbolic link.
  func target(ofLink inode: Inode) throws(FileSystemError) -> [UInt8]

  /// The extended attributes of a file, with their full names (`user.mime_type`), by name.
  func attributes(of inode: Inode) throws(FileSystemError) -> ExtendedAttributes

  /// The bytes that belong to no file and no structure, ascending.
  func freeRanges() throws(FileSystemError) -> [Range<UInt64>]

  /// Whether new content of a file may be written over the old, rather than elsewhere.
  func mayWriteInPlace(_ inode: Inode) -> Bool

  /// Whether a file may have its extents from others: if so, they need not have been written.
  func sharing(of inode: Inode) -> ExtentSharing

  /// The verdict of the file system's own checksums on ranges of the source: the bytes that it
  /// wrote there, and those that it did not.
  ///
  /// - Parameter ranges: Ascending, without overlap; they are read.
  /// - Returns: Both ascending. Ranges in neither have no checksum.
  func verified(
    _ ranges: [Range<UInt64>]
  ) throws(FileSystemError) -> (right: [Range<UInt64>], wrong: [Range<UInt64>])

  /// The name of the file system's structure that a byte is part of, if any:
  /// `inode table of group 3`.
  func structure(at byteOffset: UInt64) -> String?
}

extension FileSystem {
  /// Empty by default.
  public var notes: [String] { [] }
  /// Empty by default.
  public var damage: [FileSystemDamage] { [] }
  /// Most file systems do.
  public func mayWriteInPlace(_ inode: Inode) -> Bool { true }
  /// Most file systems cannot share extents.
  public func sharing(of inode: Inode) -> ExtentSharing { .never }
  /// Most file systems have no checksums of content.
  public func verified(
    _ ranges: [Range<UInt64>]
  ) throws(FileSystemError) -> (right: [Range<UInt64>], wrong: [Range<UInt64>]) { ([], []) }
  public func structure(at byteOffset: UInt64) -> String? { nil }
}
