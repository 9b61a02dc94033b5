import BlockIO
import FileSystemFormat

/// The search for a superblock.
struct ExtOpening {
  /// A superblock, and the bytes that name the file system.
  struct Found {
    let superblock: Ext4Superblock
    let uuid: [UInt8]

    /// Whether it describes the same file system, in the same place.
    func isSame(as other: Found) -> Bool {
      uuid == other.uuid && superblock.isChecksumRight
        && superblock.blockByteCount == other.superblock.blockByteCount
        && superblock.inodeByteCount == other.superblock.inodeByteCount
    }
  }

  let found: Found
  private(set) var notes: [String] = []

  /// Features that change how files are read, and are known: compression, filetype, recover,
  /// meta_bg, extents, 64bit, mmp, flex_bg, ea_inode, csum_seed, large_dir, inline_data, encrypt,
  /// casefold.
  private static let knownFeatures: UInt32 = 0x3_e7d7

  /// Finds the superblock.
  ///
  /// - Parameter isTracked: Whether copies are looked for where none is in its place: hundreds of
  ///   reads all over the source.
  init(_ source: any BlockSource, isTracked: Bool) throws(FileSystemError) {
    let primary = try Self.superblock(of: source, at: 1024)
    if primary == nil, !isTracked { throw .notFound(source.name) }
    if let primary, primary.superblock.isChecksumRight, primary.superblock.group == 0 {
      found = primary
    } else if let (copy, group) = try Self.copy(in: source, like: primary?.superblock) {
      found = copy
      notes.append("the superblock is damaged: its copy in group \(group) was used")
    } else if let primary {
      found = primary
      notes.append("the superblock is damaged and has no copy: it was used nevertheless")
    } else {
      throw .notFound(source.name)
    }
    let superblock = found.superblock
    if superblock.incompatible & 0x8 != 0 {
      throw .unsupported(source.name, "a journal of ext4 without its file system")
    }
    let unknown = superblock.incompatible & ~Self.knownFeatures
    if unknown != 0 {
      throw .unsupported(
        source.name, "ext4 with the unknown features 0x\(String(unknown, radix: 16))")
    }
    let (byteCount, overflow) = superblock.blockCount.multipliedReportingOverflow(
      by: UInt64(superblock.blockByteCount))
    guard !overflow, byteCount <= Int64.max else { throw .notFound(source.name) }
    if source.byteCount < byteCount {
      notes.append(
        "the file system has \(byteCount) bytes, and only \(source.byteCount) of them are present")
    }
    if superblock.incompatible & 0x1 != 0 { notes.append("compressed files cannot be read") }
    if superblock.incompatible & 0x1_0000 != 0 {
      notes.append("encrypted files cannot be read; their names are shown as they are on the disk")
    }
    if superblock.readOnlyCompatible & 0x8000 != 0 {
      notes.append("files with fs-verity are not compared with their hashes")
    }
  }

  /// The superblock at a byte of a source; nil if there is none, or it cannot be read.
  static func superblock(
    of source: any BlockSource, at byteOffset: UInt64
  ) throws(FileSystemError) -> Found? {
    guard source.byteCount >= Ext4Superblock.byteCount,
      byteOffset <= source.byteCount - UInt64(Ext4Superblock.byteCount)
    else { return nil }
    let buffer = IOBuffer(byteCount: Ext4Superblock.byteCount)
    do throws(BlockIOError) {
      try source.read(at: byteOffset, into: buffer, 0..<Ext4Superblock.byteCount)
    } catch {
      if error.isUnreadableMedium { return nil }
      throw .io(error)
    }
    let bytes = buffer.bytes(0..<Ext4Superblock.byteCount)
    return Ext4Superblock(ofAny: bytes.span).map {
      Found(superblock: $0, uuid: Array(bytes[0x68..<0x78]))
    }
  }

  /// A copy of the superblock, in the first group that has a right one.
  private static func copy(
    in source: any BlockSource, like damaged: Ext4Superblock?
  ) throws(FileSystemError) -> (Found, UInt64)? {
    for group in Ext4Superblock.backupGroups {
      var places: Set<UInt64> = []
      if let damaged {
        places.insert(damaged.firstBlock(ofGroup: group) * UInt64(damaged.blockByteCount))
      }
      // As many blocks as a bitmap of one block allows, of clusters of up to sixteen blocks; or
      // fewer, if mke2fs was asked for fewer.
      for shift in 0...6 {
        let size: UInt64 = 1024 << UInt64(shift)
        var count = 8 * size * 16
        while count >= 256 {
          places.insert(group * count * size)
          if shift == 0 { places.insert((group * count + 1) * size) }
          count /= 2
        }
      }
      for place in places.sorted() {
        guard let found = try superblock(of: source, at: place) else { continue }
        let superblock = found.superblock
        if superblock.isChecksumRight, UInt64(superblock.group) == group,
          superblock.firstBlock(ofGroup: group) * UInt64(superblock.blockByteCount) == place
        {
          return (found, group)
        }
      }
    }
    return nil
  }
}
