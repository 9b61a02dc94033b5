/// A logged inode: its logged parts, and its place.
///
/// Its regions are this, its core in the byte order of the machine, and its data and attributes as
/// far as they were logged.
///
/// - Source: Linux `fs/xfs/libxfs/xfs_log_format.h`, `struct xfs_inode_log_format`,
///   `xfs_inode_log_format_32`, `xfs_log_dinode`; `xfs_inode_item_recover.c`.
package struct XFSLogInode: Equatable, Sendable {
  /// Its number.
  package let number: UInt64
  /// The place of the block with it, in sectors of 512 bytes, and the number of these sectors.
  package let sector: UInt64
  /// The length of that block, in sectors.
  package let sectorCount: Int
  /// The start of the inode in that block.
  package let offset: Int
  private let fields: UInt32
  private let device: UInt32

  private static let dataRoot: UInt32 = 0x8
  private static let attributeRoot: UInt32 = 0x100

  init?(_ bytes: Span<UInt8>) {
    // Machines of 32 bits had no padding before the number.
    guard bytes.count == 56 || bytes.count == 52 else { return nil }
    let shift = bytes.count - 56
    fields = bytes.little(at: 4)
    number = bytes.little(at: 16 + shift)
    device = bytes.little(at: 24 + shift)
    sector = bytes.little(at: 40 + shift)
    let (count, start): (UInt32, UInt32) = (
      bytes.little(at: 48 + shift), bytes.little(at: 52 + shift)
    )
    guard sector < 1 << 54, count < 1 << 16, start < count * 512 else { return nil }
    (sectorCount, offset) = (Int(count), Int(start))
  }

  /// Whether its data was logged, or its attributes.
  package var hasData: Bool { fields & 0xe != 0 }
  /// Whether its attributes were logged.
  package var hasAttributes: Bool { fields & 0x1c0 != 0 }
  /// Whether the blocks of its tree of extents become its own, as after an exchange of extents.
  package var isDataOwner: Bool { fields & 0x200 != 0 }
  /// Whether the blocks of the tree of its attributes' extents become its own.
  package var isAttributeOwner: Bool { fields & 0x400 != 0 }

  /// The number of times an inode before version 3 was written, by its logged fields.
  package static func flushCount(ofCore core: Span<UInt8>) -> UInt16 {
    core.count >= 32 ? core.little(at: 30) : 0
  }

  /// Writes the logged parts over an inode.
  ///
  /// - Parameters:
  ///   - record: The inode as it is.
  ///   - bytes: The bytes of the transaction.
  ///   - core: Its second region.
  ///   - data: The region with its data, if that was logged.
  ///   - attributes: The region with its attributes, if these were logged.
  ///   - lsn: When that was.
  /// - Returns: False if it does not fit.
  package func write(
    over record: inout [UInt8], from bytes: Span<UInt8>, core: Range<Int>, data: Range<Int>?,
    attributes: Range<Int>?, lsn: UInt64, version: Int
  ) -> Bool {
    let isNew = version == 5
    guard core.count >= (isNew ? 176 : 96), record.count >= 256,
      bytes.big(at: core.lowerBound, as: UInt16.self).byteSwapped == XFSMagic.inode
    else { return false }
    Self.write(bytes.extracting(core), over: &record, lsn: lsn, isNew: isNew)
    let start = isNew ? 176 : 100
    let end = record[82] == 0 ? record.count : start + Int(record[82]) * 8
    guard end <= record.count else { return false }
    if fields & 0x10 != 0 { record.put(big: device, at: start) }
    if let data {
      let isRoot = fields & Self.dataRoot != 0
      guard Self.write(fork: bytes.extracting(data), isRoot, over: &record, start..<end, isNew)
      else { return false }
    }
    if let attributes {
      let (isRoot, place) = (fields & Self.attributeRoot != 0, end..<record.count)
      guard Self.write(fork: bytes.extracting(attributes), isRoot, over: &record, place, isNew)
      else { return false }
    }
    if isNew { XFSChecksum.seal(&record, at: 100) }
    return true
  }

  private static func write(
    _ core: Span<UInt8>, over record: inout [UInt8], lsn: UInt64, isNew: Bool
  ) {
    func turn(_ offsets: [Int], _ count: Int) {
      for offset in offsets {
        for index in 0..<count { record[offset + index] = core[offset + count - 1 - index] }
      }
    }
    let more: UInt64 = isNew ? core.little(at: 120) : 0
    turn([0, 2, 20, 22, 80, 88, 90], 2)
    turn([4, 5, 82, 83], 1)
    turn([8, 12, 16, 72, 76, 84, 92], 4)
    turn([56, 64], 8)
    record.put(big: UInt16(0), at: 6)
    // Twice 32 bits before nanoseconds since 1901.
    if more & 8 != 0 { turn([32, 40, 48], 8) } else { turn([32, 36, 40, 44, 48, 52], 4) }
    // The number of extents if it is large; else padding, with the count of writes, which restarts.
    if more & 0x10 != 0 { turn([24], 8) } else { record.put(big: UInt64(0), at: 24) }
    guard isNew else { return }
    turn([104, 120, 152], 8)
    turn([128], 4)
    if more & 8 != 0 { turn([144], 8) } else { turn([144, 148], 4) }
    record.put(big: lsn, at: 112)
    for offset in 132..<144 { record[offset] = 0 }
    for offset in 160..<176 { record[offset] = core[offset] }
  }

  /// Writes a fork into its part of an inode; false if it does not fit.
  private static func write(
    fork bytes: Span<UInt8>, _ isRoot: Bool, over record: inout [UInt8], _ place: Range<Int>,
    _ isNew: Bool
  ) -> Bool {
    guard isRoot else {
      guard bytes.count <= place.count else { return false }
      for index in bytes.indices { record[place.lowerBound + index] = bytes[index] }
      return true
    }
    // In memory the root has the header of a block; on the disk only its level and its count.
    let header = isNew ? 72 : 24
    guard bytes.count >= header, place.count >= 4 else { return false }
    let count = Int(bytes.big(at: 6, as: UInt16.self))
    let (room, diskRoom) = ((bytes.count - header) / 16, (place.count - 4) / 16)
    guard count <= room, count <= diskRoom else { return false }
    let start = place.lowerBound
    for index in 0..<4 { record[start + index] = bytes[4 + index] }
    for index in 0..<count * 8 {
      record[start + 4 + index] = bytes[header + index]
      record[start + 4 + diskRoom * 8 + index] = bytes[header + room * 8 + index]
    }
    return true
  }
}
