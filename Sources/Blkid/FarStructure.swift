/// Structures that a file system keeps far from its beginning, though they hold its name or even
/// determine its type.
///
///     FAT32    the root directory, for the label: after the allocation tables
///     exFAT    the root directory, for the label: after the allocation table and the bitmap
///     NTFS     the first records of the master file table, without which libblkid does not
///              accept the file system: at 3 GiB if Windows made it
///
/// All numbers come from the boot sector of a disk, and any of them may be wrong: at worst, useless
/// bytes are copied.
struct FarStructure {
  // Four MFT records of the largest size in use, or more directory entries than precede a label in
  // practice.
  private static let byteCount: UInt64 = 64 << 10

  /// Where it begins.
  let byteOffset: UInt64

  /// The structure that a boot sector, or its remains, points to.
  init?(bootSector: [UInt8]) {
    guard bootSector.count >= 512 else { return nil }
    let offset =
      switch bootSector[3..<11] {
      case ArraySlice("NTFS    ".utf8): Self.masterFileTable(bootSector)
      case ArraySlice("EXFAT   ".utf8): Self.exFATRootDirectory(bootSector)
      default: Self.fat32RootDirectory(bootSector)
      }
    guard let offset, offset <= .max - Self.byteCount else { return nil }
    byteOffset = offset
  }

  /// The bytes to copy.
  var range: Range<UInt64> { byteOffset..<byteOffset + Self.byteCount }

  private static func masterFileTable(_ sector: [UInt8]) -> UInt64? {
    let sectorByteCount = sector.littleEndian(at: 11, count: 2)
    let code = sector.littleEndian(at: 13, count: 1)
    // Above 128 it is a negative power of two: clusters of 128 KiB and more.
    let sectorsPerCluster = code <= 128 ? code : 1 << min(256 - code, 31)
    let (offset, overflow) = sector.littleEndian(at: 48, count: 8)
      .multipliedReportingOverflow(by: sectorsPerCluster * sectorByteCount)
    return overflow ? nil : offset
  }

  private static func exFATRootDirectory(_ sector: [UInt8]) -> UInt64? {
    let heapSector = sector.littleEndian(at: 88, count: 4)
    let cluster = sector.littleEndian(at: 96, count: 4)
    let sectorShift = sector.littleEndian(at: 108, count: 1)
    let clusterShift = sector.littleEndian(at: 109, count: 1)
    guard cluster >= 2, sectorShift <= 12, sectorShift + clusterShift <= 25 else { return nil }
    return heapSector << sectorShift + (cluster - 2) << (sectorShift + clusterShift)
  }

  private static func fat32RootDirectory(_ sector: [UInt8]) -> UInt64? {
    let sectorByteCount = sector.littleEndian(at: 11, count: 2)
    let sectorsPerCluster = sector.littleEndian(at: 13, count: 1)
    let reservedSectors = sector.littleEndian(at: 14, count: 2)
    let tableCount = sector.littleEndian(at: 16, count: 1)
    let smallTableSectors = sector.littleEndian(at: 22, count: 2)  // 0 for FAT32 only
    let tableSectors = sector.littleEndian(at: 36, count: 4)
    let cluster = sector.littleEndian(at: 44, count: 4)
    guard smallTableSectors == 0, tableSectors != 0, tableCount != 0, sectorsPerCluster != 0,
      sectorByteCount != 0, cluster >= 2
    else { return nil }
    // At most 2^16 × (2^16 + 2^8 × 2^32 + 2^32 × 2^8): this cannot overflow.
    return sectorByteCount
      * (reservedSectors + tableCount * tableSectors + (cluster - 2) * sectorsPerCluster)
  }
}

/// The four entries of a DOS partition table, or of a link in the chain of logical partitions.
struct DOSTable {
  /// The first sectors of the extended partitions among them.
  let extendedStarts: [UInt32]

  /// The table in a sector; without entries if the sector has none.
  init(_ sector: [UInt8]) {
    guard sector.count >= 512, sector[510] == 0x55, sector[511] == 0xaa else {
      extendedStarts = []
      return
    }
    extendedStarts = stride(from: 446, to: 510, by: 16).compactMap { entry in
      guard [0x05, 0x0f, 0x85].contains(sector[entry + 4]) else { return nil }
      let start = sector.littleEndian(at: entry + 8, count: 4)
      return start == 0 ? nil : UInt32(start)
    }
  }
}

extension [UInt8] {
  fileprivate func littleEndian(at byteOffset: Int, count: Int) -> UInt64 {
    self[byteOffset..<byteOffset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
