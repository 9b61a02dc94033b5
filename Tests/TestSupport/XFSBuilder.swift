/// Pieces of a small XFS of version 5, with checksums that are right.
///
/// Two groups of 64 blocks of 4096 bytes, sectors and inodes of 512; the log has 16 blocks from
/// block 32 on.
public struct XFSBuilder: Sendable {
  public static let blockByteCount = 4096
  public static let groupBlockCount = 64
  public static let byteCount = 2 * groupBlockCount * blockByteCount
  /// The first block of the log.
  public static let logStart = 32
  public static let logBlockCount = 16

  private let identifier: [UInt8]

  /// Pieces with a UUID of those bytes.
  public init(identifier: UInt8 = 7) { self.identifier = Array(repeating: identifier, count: 16) }

  /// The first sector.
  public func superblock(directoryBlockBits: UInt8 = 0) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 512)
    bytes.put(big: 0x5846_5342, 4, at: 0)
    bytes.put(big: UInt64(Self.blockByteCount), 4, at: 4)
    bytes.put(big: UInt64(2 * Self.groupBlockCount), 8, at: 8)
    bytes.put(identifier, at: 32)
    bytes.put(big: UInt64(Self.logStart), 8, at: 48)
    bytes.put(big: UInt64(Self.groupBlockCount), 4, at: 84)
    bytes.put(big: 2, 4, at: 88)
    bytes.put(big: UInt64(Self.logBlockCount), 4, at: 96)
    bytes.put(big: 0xb4a5, 2, at: 100)
    bytes.put(big: 512, 2, at: 102)
    bytes.put(big: 512, 2, at: 104)
    bytes[124] = 6
    bytes[192] = directoryBlockBits
    return Self.sealed(bytes, at: 224)
  }

  /// An inode.
  public func inode(_ number: UInt64, lsn: UInt64 = 1 << 32, fill: UInt8 = 0) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 176) + [UInt8](repeating: fill, count: 336)
    bytes.put(big: 0x494e, 2, at: 0)
    bytes[4] = 3
    bytes.put(big: lsn, 8, at: 112)
    bytes.put(big: number, 8, at: 152)
    bytes.put(identifier, at: 160)
    return Self.sealed(bytes, at: 100)
  }

  /// Eight inodes, which fill a block of the first group.
  public func inodes(block: Int, fill: UInt8 = 0) -> [UInt8] {
    (0..<8).flatMap { inode(UInt64(block * 8 + $0), fill: fill) }
  }

  /// A sector of a group with its number, as AGF, AGI and AGFL have it.
  public func groupSector(
    _ magic: UInt64, number: UInt64, at numberOffset: Int, uuid: Int, checksum: Int
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: 0x11, count: 512)
    bytes.put(big: magic, 4, at: 0)
    bytes.put(big: number, 4, at: numberOffset)
    bytes.put(identifier, at: uuid)
    return Self.sealed(bytes, at: checksum)
  }

  /// A block that has a number of a sector of 512 bytes.
  ///
  /// - Parameter layout: Where it has its magic and how long that is, its address, UUID, owner and
  ///   checksum.
  public func block(
    _ magic: UInt64, block: Int, owner: UInt64 = 3, fill: UInt8 = 0x22,
    byteCount: Int = Self.blockByteCount, _ layout: Layout
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: fill, count: byteCount)
    bytes.put(big: magic, layout.magic.length, at: layout.magic.at)
    bytes.put(big: UInt64(block * Self.blockByteCount / 512), 8, at: layout.address)
    bytes.put(identifier, at: layout.uuid)
    bytes.put(big: owner, layout.owner.length, at: layout.owner.at)
    return Self.sealed(bytes, at: layout.checksum)
  }

  /// Where a kind of block has what.
  public struct Layout: Sendable {
    let magic: (at: Int, length: Int)
    let address: Int
    let uuid: Int
    let owner: (at: Int, length: Int)
    let checksum: Int

    public static let short = Self(
      magic: (0, 4), address: 16, uuid: 32, owner: (48, 4), checksum: 52)
    public static let long = Self(
      magic: (0, 4), address: 24, uuid: 40, owner: (56, 8), checksum: 64)
    public static let directory = Self(
      magic: (0, 4), address: 8, uuid: 24, owner: (40, 8), checksum: 4)
    public static let node = Self(
      magic: (8, 2), address: 16, uuid: 32, owner: (48, 8), checksum: 12)
    public static let remote = Self(
      magic: (0, 4), address: 40, uuid: 16, owner: (32, 8), checksum: 12)
  }

  /// A record of the log.
  ///
  /// - Parameter dataSectorCount: How much follows the header.
  public func record(
    sector: UInt64, dataSectorCount: Int, cycle: UInt32 = 1, seed: UInt64 = 1
  ) -> [UInt8] {
    var random = SplitMix64(seed: seed &+ sector)
    var data: [UInt8] = []
    for _ in 0..<dataSectorCount {
      var bytes = (0..<512).map { _ in UInt8(random.below(256)) }
      bytes.put(big: UInt64(cycle), 4, at: 0)
      data += bytes
    }
    var header = clearedSector(sector, cycle: cycle)
    header.put(big: UInt64(data.count), 4, at: 12)
    header.put(big: 1, 4, at: 40)
    header.put(big: 32768, 4, at: 320)
    let sum = Self.checksum(Array(header[..<328]) + data)
    header.put(sum.littleEndianBytes, at: 32)
    return header + data
  }

  /// A sector of the log as a mount clears it.
  public func clearedSector(_ sector: UInt64, cycle: UInt32) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 512)
    bytes.put(big: 0xfeed_babe, 4, at: 0)
    bytes.put(big: UInt64(cycle), 4, at: 4)
    bytes.put(big: 2, 4, at: 8)
    bytes.put(big: UInt64(cycle) << 32 | sector, 8, at: 16)
    bytes.put(big: 1, 4, at: 300)
    bytes.put(identifier, at: 304)
    return bytes
  }

  /// A superblock whose checksum is right again.
  public static func resealed(_ superblock: [UInt8]) -> [UInt8] { sealed(superblock, at: 224) }

  private static func sealed(_ bytes: [UInt8], at byteOffset: Int) -> [UInt8] {
    var bytes = bytes
    bytes.put([0, 0, 0, 0], at: byteOffset)
    bytes.put(Self.checksum(bytes).littleEndianBytes, at: byteOffset)
    return bytes
  }

  /// CRC-32C, bit by bit.
  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var register: UInt32 = ~0
    for byte in bytes {
      register ^= UInt32(byte)
      for _ in 0..<8 {
        register = register & 1 != 0 ? 0x82f6_3b78 ^ register >> 1 : register >> 1
      }
    }
    return ~register
  }
}

extension [UInt8] {
  /// Replaces bytes by the lowest ones of a number, the highest first.
  public mutating func put(big value: UInt64, _ byteCount: Int, at byteOffset: Int) {
    put(Array(value.littleEndianBytes[..<byteCount].reversed()), at: byteOffset)
  }
}
