internal import BlockIO
internal import SnapshotFormat

/// md's record on each leg of an array, at the beginning of the leg's metadata volume.
///
/// - Source: Linux `drivers/md/dm-raid.c`, `struct dm_raid_superblock`.
struct RaidSuperblock: Equatable {
  /// "DmRd", as a little-endian number.
  private static let magic: UInt32 = 0x6452_6d44
  /// "To the end", in md's numbers of sectors.
  private static let allSectors = UInt64.max

  /// Counts the changes of the array's state.
  let events: UInt64
  /// A bit for each leg that has failed.
  let failedLegs: UInt64
  /// The number of sectors of this leg that were rebuilt, or ``allSectors``.
  let recoveredSectorCount: UInt64

  /// Whether all of the leg was in step when this was written.
  var isRecovered: Bool { recoveredSectorCount == Self.allSectors }

  /// Reads the superblock of a metadata volume; nil if there is none.
  ///
  /// - Throws: Also if it cannot be read, because of the medium or a missing device.
  init?(_ source: any BlockSource) throws(BlockIOError) {
    guard source.byteCount >= 512 else { return nil }
    let buffer = IOBuffer(byteCount: 512)
    try source.readUncached(at: 0, into: buffer, 0..<512)
    let decoded = buffer.withBytes(0..<512) { bytes in
      bytes.littleEndian(at: 0, as: UInt32.self) == Self.magic
        ? (
          events: bytes.littleEndian(at: 16, as: UInt64.self),
          failedLegs: bytes.littleEndian(at: 24, as: UInt64.self),
          recoveredSectorCount: bytes.littleEndian(at: 32, as: UInt64.self)
        ) : nil
    }
    guard let decoded else { return nil }
    (events, failedLegs, recoveredSectorCount) = decoded
  }
}
