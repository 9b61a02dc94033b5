import BlockIO
import FileSystemFormat

/// The sectors that a replay changes, over those of the disk.
struct XFSReplayedSectors {
  /// The maximum number of bytes of sectors held.
  private static let byteCountMax: UInt64 = 1 << 30

  /// The geometry by the superblock as it was replayed.
  private(set) var geometry: XFSGeometry
  private let reader: XFSReader
  private var sectors: [UInt64: [UInt8]] = [:]
  /// Blocks whose checksum is not right yet, by where they begin, and their lengths.
  private var unsealed: [UInt64: Int] = [:]
  private var lsn: UInt64 = 0
  /// The number of bytes that may still be held, and written: a log of some length has no more.
  private var (room, work): (UInt64, UInt64) = (0, 0)

  /// - Parameter logByteCount: The length of the log.
  init(_ reader: XFSReader, logByteCount: UInt64) {
    (self.reader, geometry) = (reader, reader.geometry)
    (room, work) = (min(logByteCount * 16, Self.byteCountMax), logByteCount * 64)
  }

  /// The number of sectors.
  var count: Int { sectors.count }

  /// Whether more was done than any log has to do.
  var isFull: Bool { UInt64(sectors.count) * 512 > room || work == 0 }

  /// The disk with these sectors; nil if there are none.
  var overlay: XFSOverlay? { sectors.isEmpty ? nil : XFSOverlay(reader.source, sectors) }

  // MARK: - Bytes

  /// Bytes as they are now; nil if they are beyond the end, or cannot be read.
  func bytes(_ place: Range<UInt64>) throws(FileSystemError) -> [UInt8]? {
    guard place.upperBound <= reader.source.byteCount else { return nil }
    let range = place.lowerBound / 512..<(place.upperBound + 511) / 512
    let known = range.filter { sectors[$0] != nil }
    var bytes: [UInt8]
    if known.count == range.count {
      bytes = [UInt8](repeating: 0, count: place.count)
    } else {
      guard let old = try reader.bytes(place) else { return nil }
      bytes = old
    }
    for number in known {
      guard let sector = sectors[number] else { continue }
      let part = (number * 512..<number * 512 + 512).clamped(to: place)
      let (from, to) = (Int(part.lowerBound % 512), Int(part.lowerBound - place.lowerBound))
      for index in 0..<part.count { bytes[to + index] = sector[from + index] }
    }
    return bytes
  }

  /// Changes bytes; returns false if they are beyond the end, or the sectors around them cannot be
  /// read.
  mutating func write(
    _ bytes: ArraySlice<UInt8>, at start: UInt64
  ) throws(FileSystemError) -> Bool {
    work -= min(work, UInt64(bytes.count))
    var (position, rest) = (start, bytes)
    while !rest.isEmpty {
      let (number, offset) = (position / 512, Int(position % 512))
      let part = rest.prefix(512 - offset)
      guard let old = try self.bytes(number * 512..<number * 512 + 512) else { return false }
      var sector = old
      sector.replaceSubrange(offset..<offset + part.count, with: part)
      if sector != old { sectors[number] = sector }
      position += UInt64(part.count)
      rest = rest.dropFirst(part.count)
    }
    return true
  }

  /// Notes that the superblock changed: the file system may have grown.
  mutating func readGeometry() throws(FileSystemError) {
    guard let bytes = try bytes(0..<512), let new = XFSGeometry(ofAnyVersion: bytes.span),
      new.uuid == geometry.uuid, new.metaUUID == geometry.metaUUID,
      new.blockByteCount == geometry.blockByteCount, new.logStart == geometry.logStart,
      new.sectorByteCount == geometry.sectorByteCount,
      new.inodeByteCount == geometry.inodeByteCount,
      new.groupBlockCount == geometry.groupBlockCount
    else { return }
    geometry = new
  }

  // MARK: - Checksums

  /// Begins a transaction: changes by older ones are as they would be on the disk.
  mutating func begin(lsn: UInt64) throws(FileSystemError) {
    guard lsn != self.lsn else { return }
    try seal()
    self.lsn = lsn
  }

  /// Notes that a block changed, whose checksum is made right later.
  mutating func willSeal(_ place: Range<UInt64>) {
    if reader.superblock.hasChecksums { unsealed[place.lowerBound] = place.count }
  }

  /// Makes the checksums right, and notes in the blocks when they were logged.
  mutating func seal() throws(FileSystemError) {
    for (start, count) in unsealed.sorted(by: { $0.key < $1.key }) {
      guard let old = try bytes(start..<start + UInt64(count)),
        let block = XFSBlock(beginning: old.span, of: geometry), block.kind != .inode
      else { continue }
      var new = old
      block.seal(&new, lsn: lsn)
      _ = try write(new[...], at: start)
    }
    unsealed = [:]
  }

  /// Whether the block at the beginning of bytes is not older than a transaction, by its own
  /// number.
  func isNewer(_ bytes: [UInt8], than lsn: UInt64) -> Bool {
    guard reader.superblock.hasChecksums,
      let block = XFSBlock(beginning: bytes.span, of: geometry),
      block.kind != .inode, block.kind != .attributeValue, let known = block.lsn
    else { return false }
    return known != 0 && known >= lsn
  }
}
