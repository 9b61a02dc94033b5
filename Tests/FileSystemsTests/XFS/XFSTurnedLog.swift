import BlockIO
import FileSystemFormat
import Testing

/// The log of an image that began at its first sector, as if it had begun at another one, after
/// nine rounds.
struct XFSTurnedLog {
  var bytes: [UInt8]
  /// The records, in their order: where each begins now, and how many sectors it has.
  private(set) var records: [(sector: Int, count: Int)] = []
  let geometry: XFSGeometry
  let range: Range<UInt64>

  private static let round: UInt32 = 10

  /// Reads the log of an image, and turns it.
  ///
  /// - Parameter shift: Where what was the first sector is now.
  init(_ image: XFSImage, by shift: ([(sector: Int, count: Int)], Int) -> Int) throws {
    let superblock = try image.read(at: 0, 512)
    geometry = try #require(Self.geometry(superblock))
    range = try #require(geometry.log)
    let old = try image.read(at: range.lowerBound, range.count)
    let count = old.count / 512
    var (found, position) = ([XFSLogRecord](), 0)
    while position < count, let record = Self.record(old, position, geometry), !record.isCleared {
      found.append(record)
      position += record.sectorCount
    }
    let start = shift(found.map { (Int($0.sector), $0.sectorCount) }, count)
    let head = start + position
    bytes = [UInt8](repeating: 0x5a, count: old.count)
    for sector in 0..<count {
      bytes.put(big: head > count || sector < head ? Self.round : Self.round - 1, at: sector * 512)
    }
    for record in found { move(record, by: start, old) }
  }

  private static func geometry(_ superblock: [UInt8]) -> XFSGeometry? {
    XFSGeometry(ofAnyVersion: superblock.span)
  }

  private static func record(
    _ log: [UInt8], _ sector: Int, _ geometry: XFSGeometry
  ) -> XFSLogRecord? {
    XFSLogRecord(log.span.extracting(sector * 512..<sector * 512 + 512), of: geometry)
  }

  /// The round and the sector of what was at a sector.
  private func lsn(_ sector: Int, _ start: Int) -> UInt64 {
    let count = bytes.count / 512
    return UInt64(Self.round + UInt32((sector + start) / count)) << 32
      | UInt64((sector + start) % count)
  }

  private mutating func move(_ record: XFSLogRecord, by start: Int, _ old: [UInt8]) {
    let first = Int(record.sector)
    var moved = Array(old[first * 512..<(first + record.sectorCount) * 512])
    for sector in 1..<record.sectorCount {
      moved.put(big: UInt32(lsn(first + sector, start) >> 32), at: sector * 512)
    }
    moved.put(big: UInt32(lsn(first, start) >> 32), at: 4)
    moved.put(big: lsn(first, start), at: 16)
    moved.put(big: lsn(Int(record.tailLSN & 0xffff_ffff), start), at: 24)
    Self.seal(&moved, record)
    let count = bytes.count / 512
    records.append(((first + start) % count, record.sectorCount))
    for sector in 0..<record.sectorCount {
      let target = (first + start + sector) % count * 512
      bytes.replaceSubrange(target..<target + 512, with: moved[sector * 512..<sector * 512 + 512])
    }
  }

  /// Makes the last record say that the log begins with a record.
  mutating func begin(atRecord index: Int) {
    guard let last = records.last else { return }
    let place = last.sector * 512
    let tail = UInt64(Self.round) << 32 | UInt64(records[index].sector)
    bytes.put(big: tail, at: place + 24)
    guard let record = Self.record(bytes, last.sector, geometry) else { return }
    var copy = Array(bytes[place..<place + last.count * 512])
    Self.seal(&copy, record)
    bytes.replaceSubrange(place..<place + copy.count, with: copy)
  }

  /// Writes what is of the next round, and no record, over the first records, the last of them in
  /// part.
  mutating func overwrite(upToRecord index: Int) {
    for sector in 0..<records[index].sector - 1 {
      bytes.replaceSubrange(
        sector * 512..<(sector + 1) * 512, with: repeatElement(0x5a, count: 512))
      bytes.put(big: Self.round + 1, at: sector * 512)
    }
  }

  /// Makes the checksum of a record right.
  static func seal(_ bytes: inout [UInt8], _ record: XFSLogRecord) {
    let copy = bytes
    let (span, start) = (copy.span, record.headerSectorCount * 512)
    var sum = CRC32C()
    sum.add(span.extracting(0..<32))
    sum.addZeroes(4)
    sum.add(span.extracting(36..<328))
    for index in 1..<max((record.dataByteCount + 32767) / 32768, 1) {
      sum.add(span.extracting(index * 512..<index * 512 + 260))
    }
    sum.add(span.extracting(start..<start + record.dataByteCount))
    bytes.put(big: sum.inverted.byteSwapped, at: 32)
  }
}
