#if Fuse
  internal import BlockIO
  internal import Serving

  /// The mounted directory: an image of the snapshot, one of each partition, and an empty directory
  /// for each, to mount its file system on.
  struct SnapshotDirectory {
    /// A name in it.
    struct Entry {
      let name: String
      /// The bytes of the snapshot; nil for an empty directory.
      let bytes: Range<UInt64>?

      /// Its length.
      var byteCount: UInt64 { bytes.map { $0.upperBound - $0.lowerBound } ?? 0 }
    }

    /// The inode of the directory itself; those of its entries follow.
    static let root: UInt64 = 1
    /// Its entries.
    let entries: [Entry]
    private let source: any BlockSource

    /// The images of the served parts.
    init(_ served: Served) {
      source = served.source
      entries =
        served.parts.map { Entry(name: $0.fileName, bytes: served.bytes(of: $0)) }
        + served.parts.map { Entry(name: $0.filesName, bytes: nil) }
    }

    /// The entry with an inode.
    func entry(_ inode: UInt64) -> Entry? {
      guard inode > Self.root, inode - Self.root <= UInt64(entries.count) else { return nil }
      return entries[Int(inode - Self.root) - 1]
    }

    /// The inode of a name; nil if there is none.
    func inode(named name: String) -> UInt64? {
      entries.firstIndex { $0.name == name }.map { Self.root + 1 + UInt64($0) }
    }

    /// Reads bytes of an image, as far as it goes.
    ///
    /// - Returns: How many were read.
    func read(
      _ entry: Entry, at byteOffset: UInt64, into buffer: IOBuffer, atMost count: Int
    ) throws(BlockIOError) -> Int {
      guard let bytes = entry.bytes, byteOffset < entry.byteCount else { return 0 }
      let count = Int(min(UInt64(min(count, buffer.byteCount)), entry.byteCount - byteOffset))
      try source.read(at: bytes.lowerBound + byteOffset, into: buffer, 0..<count)
      return count
    }
  }
#endif
