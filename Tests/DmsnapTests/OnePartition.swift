import TestSupport

/// Disks with one partition of Linux, a mebibyte from their beginning, and stores of their snapshots.
enum OnePartition {
  /// The disk that a file system is the partition of.
  static func disk(with content: [UInt8]) -> [UInt8] {
    var disk = [UInt8](repeating: 0, count: 1 << 20) + content
    disk.put([0x83], at: 450)
    disk.put(UInt32(2048).littleEndianBytes, at: 454)
    disk.put(UInt32(content.count / 512).littleEndianBytes, at: 458)
    disk.put([0x55, 0xaa], at: 510)
    return disk
  }

  /// The store of a snapshot of that disk, made of one of the file system alone, with chunks of
  /// 4 KiB.
  static func store(_ store: [UInt8]) -> [UInt8] {
    let (size, perArea) = (4096, 256)
    var store = store
    for (index, exception) in ReferenceDecoder(store).exceptions.enumerated() {
      let area = index / perArea
      let slot = (1 + area * (perArea + 1)) * size + index % perArea * 16
      store.put((exception.old + 256).littleEndianBytes, at: slot)
    }
    return store
  }
}
