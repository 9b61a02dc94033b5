#if TSK
  /// A kind of file system that libtsk reads, as it distinguishes them.
  package enum TSKFamily: Sendable {
    case fat12, fat16, fat32, exFAT, ntfs, iso9660, hfsPlus
  }

  /// libtsk's classification of a file or a name.
  package enum TSKKind: Sendable {
    case regular, directory, link, characterDevice, blockDevice, fifo, socket, unknown
    /// A file or directory that libtsk made up: `$FAT1`, `$OrphanFiles`.
    case virtual, virtualDirectory
  }

  /// Seconds since 1970, and nanoseconds after that.
  package struct TSKTime: Equatable, Sendable {
    /// Seconds; 0 if the file system has no such time.
    package let seconds: Int64
    /// Less than a billion.
    package let nanoseconds: UInt32
  }

  /// The metadata of a file.
  package struct TSKMetadata: Sendable {
    /// Its address, which is its number.
    package let address: UInt64
    /// Its kind.
    package let kind: TSKKind
    /// The lower twelve bits of the mode.
    package let permissions: UInt16
    /// Its owner's number.
    package let owner: UInt32
    /// Its group's number.
    package let group: UInt32
    /// The number of names.
    package let linkCount: UInt32
    /// Its length in bytes.
    package let byteCount: UInt64
    /// When the content was changed, it was read, the metadata was changed, and it was made.
    package let modified, accessed, changed, created: TSKTime
    /// Whether it is in use.
    package let isAllocated: Bool
    /// The target of a symbolic link.
    package let target: [UInt8]?
    /// The start of the chain of a regular file of FAT or exFAT, unless libtsk knows that it has
    /// none.
    let firstCluster: UInt64?
  }

  /// A name in a directory.
  package struct TSKName: Sendable {
    /// Its bytes, UTF-8 as far as libtsk could make them so.
    package let bytes: [UInt8]
    /// The address of the file.
    package let address: UInt64
    /// The kind of file, according to the directory.
    package let kind: TSKKind
    /// Whether it is in use.
    package let isAllocated: Bool
  }

  /// A stream of bytes that a file has: its content, or another.
  package struct TSKAttribute: Sendable {
    /// libtsk's number of its type.
    package let type: UInt32
    /// Its number within that type.
    package let identifier: UInt16
    /// Its name, if it has one.
    package let name: [UInt8]?
    /// Its length in bytes.
    package let byteCount: UInt64
    /// The number of these that were ever written; the others read as zeroes.
    package let initializedByteCount: UInt64
    /// Its bytes, if it has them among the metadata.
    package let resident: [UInt8]?
    /// Where it is, if it is not resident; positions and lengths in blocks.
    package let runs: [TSKRun]
    /// The number of bytes of the first block that precede it.
    package let skippedByteCount: UInt64
    /// The number of blocks compressed together, if it is compressed.
    package let compressionUnit: UInt64
    /// Whether it is compressed.
    package let isCompressed: Bool
    /// Whether it is encrypted.
    package let isEncrypted: Bool
  }

  /// Consecutive blocks of a file.
  package struct TSKRun: Equatable, Sendable {
    /// The first block in the file.
    package let offset: UInt64
    /// The first block in the file system.
    package let address: UInt64
    /// The number of blocks.
    package let count: UInt64
    /// The kind of its content.
    package let kind: Kind

    /// The kind of content of a run.
    package enum Kind: Sendable { case data, sparse, filler }

    /// So many blocks from `offset` in the file and from `address` in the file system on.
    package init(offset: UInt64, address: UInt64, count: UInt64, kind: Kind) {
      (self.offset, self.address, self.count, self.kind) = (offset, address, count, kind)
    }
  }
#endif
