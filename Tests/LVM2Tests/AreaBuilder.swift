import BlockIO
import LVM2
import TestSupport

/// A device with a metadata area of 16 KiB at byte 4096, written as lvm2 writes one.
struct AreaBuilder {
  static let area = PhysicalVolumeLabel.Area(byteOffset: 4096, byteCount: 16 << 10)
  static let ringByteCount = (16 << 10) - 512

  var device: [UInt8] = Array(repeating: 0, count: 24 << 10)
  /// Where in the area the next text goes.
  var next = 512
  var isIgnored = false
  private(set) var committed: (byteOffset: Int, bytes: [UInt8])?

  /// Where a byte of the ring is on the device, counted from the beginning of the area.
  private func place(_ byteOffset: Int) -> Int {
    4096 + 512 + (byteOffset - 512) % Self.ringByteCount
  }

  /// Writes a text and commits it; the next one follows at the next sector, or right behind it.
  ///
  /// - Returns: Where on the device it begins.
  @discardableResult
  mutating func write(_ text: String, atSector isAligned: Bool = true) -> UInt64 {
    let bytes = Array(text.utf8) + [0]
    for (index, byte) in bytes.enumerated() { device[place(next + index)] = byte }
    let byteOffset = next
    committed = (byteOffset, bytes)
    next += bytes.count
    if isAligned { next = (next + 511) / 512 * 512 }
    if next >= 16 << 10 { next = 512 + (next - 512) % Self.ringByteCount }
    writeHeader()
    return UInt64(4096 + byteOffset)
  }

  /// Writes the header, with the right checksum.
  mutating func writeHeader(
    byteOffset: UInt64 = 4096, byteCount: UInt64 = 16 << 10, version: UInt32 = 1,
    text: (byteOffset: UInt64, byteCount: UInt64)? = nil
  ) {
    let location =
      text ?? committed.map { (UInt64($0.byteOffset), UInt64($0.bytes.count)) } ?? (0, 0)
    var bytes = UInt32(0).littleEndianBytes + Array(" LVM2 x[5A%r0N*>".utf8)
    bytes += version.littleEndianBytes + byteOffset.littleEndianBytes + byteCount.littleEndianBytes
    bytes += location.0.littleEndianBytes + location.1.littleEndianBytes
    bytes += LVMChecksum(committed?.bytes ?? []).value.littleEndianBytes
    bytes += UInt32(isIgnored ? 1 : 0).littleEndianBytes
    bytes += Array(repeating: 0, count: 512 - bytes.count)
    bytes.put(LVMChecksum(bytes[4...]).value.littleEndianBytes, at: 0)
    device.put(bytes, at: 4096)
  }

  /// The area, as the label lists it.
  func area(_ area: PhysicalVolumeLabel.Area = area) throws -> MetadataArea {
    try MetadataArea(MemorySource(device), area)
  }
}
