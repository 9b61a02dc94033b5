/// The fields of a superblock of XFS, version 4 or 5, that determine how its files are read.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_format.h`, `struct xfs_dsb` and the `XFS_SB_` bits.
package struct XFSSuperblock: Equatable, Sendable {
  /// The places of structures.
  package let geometry: XFSGeometry
  /// The version: 4 or 5.
  package let version: Int
  /// The inode of the directory at the top; all ones or zero if it was not written down.
  package let rootInode: UInt64
  /// Whether directories have the kind of file of each name.
  package let hasFileTypes: Bool
  /// Whether chunks of inodes may have holes.
  package let hasSparseInodes: Bool
  /// Whether files may share extents.
  package let hasSharedExtents: Bool
  /// Whether xfs_repair must run before Linux mounts it.
  package let needsRepair: Bool
  /// Whether mkfs did not finish; it leaves that in the copies.
  package let isUnfinished: Bool
  /// Whether all features of the log are known.
  package let isLogKnown: Bool
  /// Features that Linux must know and this code does not, as text; empty if it can be read.
  package let unsupported: [String]

  /// Whether metadata has checksums.
  package var hasChecksums: Bool { version == 5 }

  /// Decodes one; nil unless its numbers fit each other and its checksum, if any, holds.
  ///
  /// - Parameter bytes: The file system, or a group, from its beginning on, at least a sector.
  package init?(_ bytes: Span<UInt8>) {
    guard let geometry = XFSGeometry(ofAnyVersion: bytes) else { return nil }
    let bits: UInt16 = bytes.big(at: 100)
    version = Int(bits & 0xf)
    if version == 5, XFSGeometry(bytes) == nil { return nil }
    self.geometry = geometry
    rootInode = bytes.big(at: 56)
    let features = geometry.incompatibleFeatures
    let more: UInt32 = bits & 0x8000 != 0 ? bytes.big(at: 200) : 0
    hasFileTypes = version == 5 ? features & 1 != 0 : more & 0x200 != 0
    hasSparseInodes = features & 2 != 0
    hasSharedExtents = version == 5 && bytes.big(at: 212, as: UInt32.self) & 4 != 0
    needsRepair = features & 0x10 != 0
    isUnfinished = bytes[126] != 0
    // Attributes that are set in several steps.
    isLogKnown = version == 4 || bytes.big(at: 220, as: UInt32.self) & ~1 == 0
    unsupported =
      (bits & 0x2000 == 0 ? ["a directory of version 1"] : [])
      + (0..<32).filter { features >> $0 & 1 != 0 && Self.known >> $0 & 1 == 0 }.map {
        Self.names[$0] ?? "incompatible feature \($0)"
      }
  }

  /// File types, sparse inodes, another UUID in metadata, large times, a wanted repair, large
  /// numbers of extents, exchanged ranges, parent pointers.
  private static let known: UInt32 = 0xff

  private static let names: [UInt32: String] = [
    8: "metadir (a tree of metadata inodes)", 9: "zoned (a real-time device with zones)",
    10: "zone-gaps (a zoned device with gaps)",
  ]
}
