import LVM2
import TestSupport

/// The sector of a label.
struct LabelBuilder {
  var sector: UInt64 = 1
  var uuid = "pppppp0000000000000000000000000000".prefix(32)
  var byteCount: UInt64 = 101 << 20
  var dataAreas = [PhysicalVolumeLabel.Area(byteOffset: 1 << 20, byteCount: 0)]
  var metadataAreas = [PhysicalVolumeLabel.Area(byteOffset: 4096, byteCount: (1 << 20) - 4096)]
  var version: UInt32 = 2
  var flags: UInt32 = 1
  var bootLoaderAreas: [PhysicalVolumeLabel.Area] = []

  /// 512 bytes, with the right checksum.
  var bytes: [UInt8] {
    var bytes: [UInt8] = Array("LABELONE".utf8) + sector.littleEndianBytes
    bytes += UInt32(0).littleEndianBytes + UInt32(32).littleEndianBytes + Array("LVM2 001".utf8)
    bytes += Array(uuid.utf8) + byteCount.littleEndianBytes
    bytes += list(dataAreas) + list(metadataAreas)
    bytes += version.littleEndianBytes + flags.littleEndianBytes + list(bootLoaderAreas)
    bytes += Array(repeating: 0, count: 512 - bytes.count)
    bytes.put(LVMChecksum(bytes[20...]).value.littleEndianBytes, at: 16)
    return bytes
  }

  private func list(_ areas: [PhysicalVolumeLabel.Area]) -> [UInt8] {
    areas.flatMap { $0.byteOffset.littleEndianBytes + $0.byteCount.littleEndianBytes }
      + Array(repeating: 0, count: 16)
  }
}
