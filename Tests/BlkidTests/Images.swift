import BlockIO
import SystemPackage

/// What the tests make images of.
enum Images {
  /// A COW store of one-sector chunks, into which an ext4 superblock was copied: sectors 2 and 3
  /// of the origin went to chunks 2 and 3, where they look like a superblock again.
  static func storeWithSuperblock(_ scratch: Scratch) throws -> String {
    let origin = try scratch.file("origin.img", byteCount: 8 << 20)
    try Tool.run("mkfs.ext4", ["-q", "-L", "inner", origin])
    var store = [UInt8](repeating: 0, count: 2 << 20)
    store.replaceSubrange(0..<16, with: storeHeader(chunkSectors: 1))
    for (slot, chunk) in [UInt64(2), 3].enumerated() {
      let place = 512 + slot * 16
      store.replaceSubrange(place..<place + 16, with: chunk.bytes + chunk.bytes)
    }
    try store.replaceSubrange(1024..<2048, with: bytes(of: origin, at: 1024, count: 1024))
    return try scratch.file("store.img", store)
  }

  /// The sixteen bytes that begin a COW store.
  static func storeHeader(chunkSectors: UInt32) -> [UInt8] {
    Array("SnAp".utf8) + UInt32(1).bytes + UInt32(1).bytes + chunkSectors.bytes
  }

  /// The label of an LVM physical volume, with a checksum that is wrong.
  static func physicalVolume() -> [UInt8] {
    var label = [UInt8](repeating: 0, count: 512)
    label.put(Array("LABELONE".utf8) + UInt64(1).bytes, at: 0)
    label.put(UInt32(0xdead_beef).bytes + UInt32(32).bytes + Array("LVM2 001".utf8), at: 16)
    label.put(Array("abcdefghijklmnopqrstuvwxyz012345".utf8), at: 32)
    return label
  }

  /// As much of a FAT32 of 8 GiB as libblkid looks at: its tables take 16 MiB, and the label stands
  /// in the root directory behind them only.
  static func fat32(_ scratch: Scratch, label: String) throws -> String {
    let image = try scratch.file("fat32.img", byteCount: 8 << 30)
    var boot = [UInt8](repeating: 0, count: 512)
    boot.put([0xeb, 0x58, 0x90] + Array("dmsnap  ".utf8), at: 0)
    boot.put(UInt16(512).bytes + [8] + UInt16(32).bytes + [2], at: 11)
    boot.put([0xf8], at: 21)
    boot.put(UInt32(8 << 21).bytes + UInt32(16_384).bytes, at: 32)
    boot.put(UInt32(2).bytes + UInt16(1).bytes + UInt16(6).bytes, at: 44)
    boot.put([0x80, 0, 0x29] + UInt32(0x1234_5678).bytes, at: 64)
    boot.put(Array("NO NAME    FAT32   ".utf8), at: 71)
    boot.put([0x55, 0xaa], at: 510)
    try patch(image, at: 0, boot)
    var information = [UInt8](repeating: 0, count: 512)
    information.put(Array("RRaA".utf8), at: 0)
    information.put(Array("rrAa".utf8), at: 484)
    information.put([0x55, 0xaa], at: 510)
    try patch(image, at: 512, information)
    let padded = label + String(repeating: " ", count: 11 - label.utf8.count)
    try patch(image, at: (32 + 2 * 16_384) * 512, Array(padded.utf8) + [0x08])
    return image
  }

  /// As much of an NTFS as libblkid looks at, with its master file table at 3 GiB, which is
  /// where Windows puts it.
  static func ntfs(_ scratch: Scratch, label: String) throws -> String {
    let image = try scratch.file("ntfs.img", byteCount: 8 << 30)
    let masterFileTable: UInt64 = 3 << 30
    var boot = [UInt8](repeating: 0, count: 512)
    boot.put([0xeb, 0x52, 0x90] + Array("NTFS    ".utf8), at: 0)
    boot.put(UInt16(512).bytes, at: 11)
    boot.put([8], at: 13)  // sectors a cluster
    boot.put([0xf8], at: 21)
    boot.put(UInt64(8 << 21).bytes, at: 40)
    boot.put((masterFileTable / 4096).bytes, at: 48)
    boot.put(UInt64(2).bytes, at: 56)
    boot.put([0xf6, 0, 0, 0, 1], at: 64)  // records of 2^10 bytes
    boot.put(UInt64(0x1122_3344_5566_7788).bytes, at: 72)
    boot.put([0x55, 0xaa], at: 510)
    try patch(image, at: 0, boot)
    var record = [UInt8](repeating: 0, count: 1024)
    record.put(Array("FILE".utf8), at: 0)
    record.put(UInt16(56).bytes, at: 20)  // the first attribute
    record.put(UInt32(1024).bytes + UInt32(1024).bytes, at: 24)
    let name = label.utf16.flatMap(\.bytes)
    record.put(UInt32(0x60).bytes + UInt32(24 + UInt32(name.count)).bytes, at: 56)
    record.put(UInt32(name.count).bytes + UInt16(24).bytes, at: 72)
    record.put(name, at: 80)
    try patch(image, at: masterFileTable, record)
    try patch(image, at: masterFileTable + 3 * 1024, record)
    return image
  }
}

/// A source that is neither a file nor a part of one, and that has bad sectors.
final class OpaqueSource: BlockSource {
  let name = "opaque"
  private let base: any BlockSource
  private let bad: Range<UInt64>

  init(_ base: any BlockSource, bad: Range<UInt64> = 0..<0) {
    self.base = base
    self.bad = bad
  }

  var byteCount: UInt64 { base.byteCount }

  func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let wanted = try checkBounds(at: byteOffset, count: range.count)
    guard !wanted.overlaps(bad) else {
      throw BlockIOError(name, .read, .system(.ioError), at: wanted)
    }
    try base.read(at: byteOffset, into: buffer, range)
  }
}

extension FixedWidthInteger {
  /// The bytes of the integer, the lowest first.
  var bytes: [UInt8] {
    (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> Self($0 * 8)) }
  }
}

extension [UInt8] {
  mutating func put(_ bytes: [UInt8], at index: Int) {
    replaceSubrange(index..<index + bytes.count, with: bytes)
  }
}

/// Random numbers that a seed makes again.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
