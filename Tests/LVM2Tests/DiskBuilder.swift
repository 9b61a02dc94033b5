import BlockIO
import TestSupport

@testable import LVM2

/// A physical volume of ``SampleText/group(name:seqno:volumes:description:)`` in the making.
struct DiskBuilder {
  var label = LabelBuilder()
  var area = AreaBuilder()
  var byteCount: UInt64 = 101 << 20

  /// The disk of that number, without any text.
  init(_ number: Int) {
    let digits = String(repeating: "\(number)", count: 4)
    label.uuid = "pppppp\(digits)0000000000000000000000"[...]
    label.metadataAreas = [AreaBuilder.area]
  }

  /// The disk of that number, with those texts, of which the last is in use.
  init(_ number: Int, _ texts: String...) {
    self.init(number)
    for text in texts { area.write(text) }
  }

  /// All that is not zero on it, from byte 0 on.
  var bytes: [UInt8] {
    var bytes = area.device
    bytes.put(label.bytes, at: 512)
    return bytes
  }

  func source(_ name: String) -> FaultySource {
    FaultySource(byteCount: byteCount, name: name, pieces: [(0, bytes)])
  }
}

extension VolumeCatalog {
  /// The groups of disks that are called "disk0", "disk1" ...
  init(_ disks: [DiskBuilder], texts: [VolumeGroup] = []) throws {
    let sources = disks.enumerated().map { $1.source("disk\($0)") }
    try self.init(PhysicalVolumeSearch(sources).found, texts: texts)
  }
}

/// A disk each sector of which tells where it is, but for what was put there.
final class StampedDisk: BlockSource {
  let name: String
  let byteCount: UInt64
  private let number: Int
  private let pieces: [(byteOffset: UInt64, bytes: [UInt8])]

  init(
    _ number: Int, byteCount: UInt64 = 101 << 20,
    _ pieces: [(byteOffset: UInt64, bytes: [UInt8])] = []
  ) {
    name = "disk\(number)"
    self.byteCount = byteCount
    self.number = number
    self.pieces = pieces
  }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let wanted = try checkBounds(at: byteOffset, count: range.count)
    let sectors = wanted.lowerBound / 512...wanted.upperBound / 512
    var bytes = sectors.flatMap { sector in
      (UInt64(number) << 56 | sector).littleEndianBytes + Array(repeating: 1, count: 504)
    }
    let first = sectors.lowerBound * 512
    for piece in pieces {
      let range = piece.byteOffset..<piece.byteOffset + UInt64(piece.bytes.count)
      for byte in range.clamped(to: first..<first + UInt64(bytes.count)) {
        bytes[Int(byte - first)] = piece.bytes[Int(byte - piece.byteOffset)]
      }
    }
    let start = Int(wanted.lowerBound % 512)
    buffer.put(bytes[start..<start + range.count], at: range.lowerBound)
  }
}

extension VolumeSource {
  /// Which sector of which disk a sector of the volume is, "1:2048"; "lost" where it cannot be read.
  func stamp(_ sector: UInt64) -> String {
    let buffer = IOBuffer(byteCount: 512)
    guard (try? read(at: sector * 512, into: buffer, 0..<512)) != nil else { return "lost" }
    let stamp = buffer.bytes(0..<8).reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
    return "\(stamp >> 56):\(stamp & 0xff_ffff_ffff)"
  }
}
