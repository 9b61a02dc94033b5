/// An inode: its kind, its length, and the places of its blocks.
///
/// - Source: Linux `Documentation/filesystems/ext4/inodes.rst`; `fs/ext4/inode.c`,
///   `ext4_inode_csum`.
package struct Ext4Inode: Equatable, Sendable {
  /// The kinds that have blocks.
  package enum Kind: Sendable {
    case file, directory, other
  }

  /// Its kind.
  package let kind: Kind
  /// Whether it is in use: it has a link, or a mode, and was not deleted.
  package let isInUse: Bool
  /// Its length in bytes.
  package let byteCount: UInt64
  /// The number of sectors of its blocks, modulo 2^32.
  package let blockCount: UInt32
  /// The generation of the inode's use.
  package let generation: UInt32
  /// When it was last changed, in nanoseconds since 1970, modulo 2^64.
  package let changeTime: UInt64
  /// When its content was last read, as far as that was noted, in nanoseconds since 1970, modulo
  /// 2^64.
  package let accessTime: UInt64
  /// When its content was last written, in nanoseconds since 1970, modulo 2^64.
  package let writeTime: UInt64
  /// Whether its blocks are found through a tree of extents.
  package let hasExtents: Bool
  /// Whether its content is in the inode itself.
  package let hasInlineData: Bool

  /// Where the sixty bytes of its map are.
  package static let map = 0x28..<0x64

  /// Decodes an inode of 128 bytes or more.
  package init(decoding bytes: Span<UInt8>) {
    let mode: UInt16 = bytes.little(at: 0)
    kind =
      switch mode & 0xf000 {
      case 0x8000: .file
      case 0x4000: .directory
      default: .other
      }
    let links: UInt16 = bytes.little(at: 0x1a)
    isInUse = mode != 0 && links != 0 && bytes.little(at: 0x14, as: UInt32.self) == 0
    byteCount =
      UInt64(bytes.little(at: 0x04, as: UInt32.self))
      | UInt64(bytes.little(at: 0x6c, as: UInt32.self)) << 32
    blockCount = bytes.little(at: 0x1c)
    generation = bytes.little(at: 0x64)
    let flags: UInt32 = bytes.little(at: 0x20)
    hasExtents = flags & 0x8_0000 != 0
    hasInlineData = flags & 0x1000_0000 != 0
    changeTime = Self.time(bytes, at: 0x0c, extra: 0x84)
    writeTime = Self.time(bytes, at: 0x10, extra: 0x88)
    accessTime = Self.time(bytes, at: 0x08, extra: 0x8c)
  }

  /// A time of seconds, and of two more bits and nanoseconds if the inode has room for them.
  private static func time(_ bytes: Span<UInt8>, at offset: Int, extra: Int) -> UInt64 {
    var seconds = Int64(Int32(bitPattern: bytes.little(at: offset)))
    var nanoseconds: UInt32 = 0
    if bytes.count >= extra + 4,
      Int(bytes.little(at: 0x80, as: UInt16.self)) >= extra + 4 - 0x80
    {
      let more: UInt32 = bytes.little(at: extra)
      seconds += Int64(more & 3) << 32
      nanoseconds = more >> 2
    }
    return UInt64(bitPattern: seconds) &* 1_000_000_000 &+ UInt64(nanoseconds)
  }

  /// Whether all bytes are zero, as those of an inode that was never used.
  package static func isUnused(_ bytes: Span<UInt8>) -> Bool {
    for index in bytes.indices where bytes[index] != 0 { return false }
    return true
  }

  /// The number for which an inode's checksum holds, which follows from the checksum; nil if the
  /// inode has only half of one.
  ///
  /// The register before the number is the file system's seed, the register after it is found by
  /// running the checksum backwards from the end of the inode over its generation, and only one
  /// number leads from the one to the other. For bytes that are no inode it is any number.
  package static func number(of bytes: Span<UInt8>, seed: UInt32) -> UInt32? {
    guard hasWholeChecksum(bytes) else { return nil }
    let stored =
      UInt32(bytes.little(at: 0x7c, as: UInt16.self))
      | UInt32(bytes.little(at: 0x82, as: UInt16.self)) << 16
    // Forwards from a register of zero; then, because a checksum is linear, the contribution of the
    // register at the beginning is the difference from the stored checksum.
    var content = CRC32C(register: 0)
    addContent(bytes, to: &content)
    var before = CRC32C(register: content.register ^ stored)
    before.removeZeroes(bytes.count)
    // Before the content comes the generation.
    before.removeZeroes(4)
    before.register ^= bytes.little(at: 0x64)
    return CRC32C.integer(from: seed, to: before.register)
  }

  /// The register after an inode's number and generation, with which the checksums of its blocks
  /// begin.
  package static func register(number: UInt32, generation: UInt32, seed: UInt32) -> UInt32 {
    var checksum = CRC32C(register: seed)
    checksum.add(number)
    checksum.add(generation)
    return checksum.register
  }

  /// Whether an inode's checksum matches a number.
  package static func isRight(_ bytes: Span<UInt8>, number: UInt32, seed: UInt32) -> Bool {
    var checksum = CRC32C(register: seed)
    checksum.add(number)
    checksum.add(bytes.little(at: 0x64, as: UInt32.self))
    addContent(bytes, to: &checksum)
    guard UInt16(truncatingIfNeeded: checksum.register) == bytes.little(at: 0x7c) else {
      return false
    }
    return !hasWholeChecksum(bytes)
      || UInt16(truncatingIfNeeded: checksum.register >> 16) == bytes.little(at: 0x82)
  }

  /// Whether there is room for the checksum's upper half.
  private static func hasWholeChecksum(_ bytes: Span<UInt8>) -> Bool {
    bytes.count >= 0x84
      && (4...bytes.count - 0x80).contains(Int(bytes.little(at: 0x80, as: UInt16.self)))
  }

  /// Adds an inode with zeroes for its checksum.
  private static func addContent(_ bytes: Span<UInt8>, to checksum: inout CRC32C) {
    checksum.add(bytes.extracting(0..<0x7c))
    checksum.addZeroes(2)
    checksum.add(bytes.extracting(0x7e..<0x80))
    guard bytes.count > 0x80 else { return }
    checksum.add(bytes.extracting(0x80..<0x82))
    var rest = 0x82
    if hasWholeChecksum(bytes) {
      checksum.addZeroes(2)
      rest = 0x84
    }
    checksum.add(bytes.extracting(rest..<bytes.count))
  }
}
