/// The number of a file.
public struct FileID: Hashable, Comparable, Sendable {
  /// The tree that the number is of: a subvolume of btrfs; 0 where there is only one.
  public let tree: UInt64
  /// The inode number.
  public let number: UInt64

  /// The file of that number.
  public init(_ number: UInt64, tree: UInt64 = 0) {
    (self.tree, self.number) = (tree, number)
  }

  public static func < (left: FileID, right: FileID) -> Bool {
    (left.tree, left.number) < (right.tree, right.number)
  }
}

/// The kind of file of an inode.
public enum FileKind: String, Sendable {
  case regular, directory, link, characterDevice, blockDevice, fifo, socket, unknown

  /// The kind that the upper four bits of a POSIX mode say.
  public init(mode: UInt16) {
    self =
      switch mode >> 12 {
      case 0x1: .fifo
      case 0x2: .characterDevice
      case 0x4: .directory
      case 0x6: .blockDevice
      case 0x8: .regular
      case 0xa: .link
      case 0xc: .socket
      default: .unknown
      }
  }
}

/// A moment, as a file system stores it.
public struct Timestamp: Hashable, Comparable, Sendable {
  /// Seconds since 1970, UTC.
  public let seconds: Int64
  /// Nanoseconds after that, less than a billion.
  public let nanoseconds: UInt32

  /// A moment.
  public init(seconds: Int64, nanoseconds: UInt32 = 0) {
    (self.seconds, self.nanoseconds) = (seconds, nanoseconds)
  }

  public static func < (left: Timestamp, right: Timestamp) -> Bool {
    (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
  }
}

/// A file without its name: its kind, its owner, its length.
public struct Inode: Equatable, Sendable {
  /// Its number.
  public let id: FileID
  /// Its kind of file.
  public let kind: FileKind
  /// The lower twelve bits of its mode.
  public let permissions: UInt16
  /// Its owner.
  public let owner: UInt32
  /// The group that owns it.
  public let group: UInt32
  /// The number of names, according to the file system.
  public let linkCount: UInt32
  /// Its length in bytes; of a directory or link, as the file system records it.
  public let byteCount: UInt64
  /// The major and minor number of a device.
  public let device: Device?
  /// When its content was last changed.
  public let modified: Timestamp
  /// When it was last read.
  public let accessed: Timestamp
  /// When its inode was last changed.
  public let changed: Timestamp
  /// When it was made, if the file system records that.
  public let created: Timestamp?
  /// When it was deleted, if the file system records that.
  public let deleted: Timestamp?
  /// Whether it is in use.
  public let isAllocated: Bool
  /// Its record on the disk, from which its map and attributes are read.
  package let record: [UInt8]

  /// The number of a device.
  public struct Device: Equatable, Sendable {
    /// The number of its driver.
    public let major: UInt32
    /// The number of its device within that driver.
    public let minor: UInt32

    /// The device of those numbers.
    public init(major: UInt32, minor: UInt32) { (self.major, self.minor) = (major, minor) }
  }

  /// A file.
  package init(
    id: FileID, kind: FileKind, permissions: UInt16, owner: UInt32, group: UInt32,
    linkCount: UInt32, byteCount: UInt64, device: Device? = nil, modified: Timestamp,
    accessed: Timestamp, changed: Timestamp, created: Timestamp? = nil,
    deleted: Timestamp? = nil, isAllocated: Bool = true, record: [UInt8] = []
  ) {
    (self.id, self.kind, self.permissions) = (id, kind, permissions)
    (self.owner, self.group, self.linkCount) = (owner, group, linkCount)
    (self.byteCount, self.device) = (byteCount, device)
    (self.modified, self.accessed, self.changed) = (modified, accessed, changed)
    (self.created, self.deleted) = (created, deleted)
    (self.isAllocated, self.record) = (isAllocated, record)
  }
}

/// A name in a directory.
public struct DirectoryEntry: Equatable, Sendable {
  /// The name: any bytes, whatever the disk has.
  public let name: [UInt8]
  /// The file that it names.
  public let id: FileID
  /// The kind of that file, if the directory has it.
  public let kind: FileKind?
  /// Whether the name was deleted: it may name a file that was made since.
  public let isDeleted: Bool
  /// Whether the name is encrypted, and given as it is on the disk.
  public let isEncrypted: Bool

  /// A name.
  package init(
    name: [UInt8], id: FileID, kind: FileKind?, isDeleted: Bool = false, isEncrypted: Bool = false
  ) {
    (self.name, self.id, self.kind) = (name, id, kind)
    (self.isDeleted, self.isEncrypted) = (isDeleted, isEncrypted)
  }
}

/// Whether a file may have its extents from other files.
public enum ExtentSharing: Sendable {
  /// It never had: all its data was written for it.
  case never
  /// It may have had, and shares nothing now: the original is gone, or was rewritten.
  case past
  /// It may share them now.
  case present
}
