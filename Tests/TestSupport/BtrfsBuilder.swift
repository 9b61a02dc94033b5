/// Builds the parts of a tiny btrfs, byte by byte, with a CRC-32C of its own.
public struct BtrfsBuilder: Sendable {
  public var nodeByteCount = 16384
  public var sectorByteCount = 4096

  public init() {}

  /// A key, as nodes and the superblock have it.
  public struct Key: Sendable {
    let object: UInt64
    let type: UInt8
    let offset: UInt64

    public init(_ object: UInt64, _ type: UInt8, _ offset: UInt64) {
      (self.object, self.type, self.offset) = (object, type, offset)
    }

    public var bytes: [UInt8] { little(object) + [type] + little(offset) }
  }

  /// A leaf.
  public func leaf(
    at address: UInt64, generation: UInt64, _ items: [(key: Key, bytes: [UInt8])]
  ) -> [UInt8] {
    var records: [UInt8] = []
    var content: [UInt8] = []
    var end = nodeByteCount - 101
    for item in items {
      end -= item.bytes.count
      records += item.key.bytes + little(UInt32(end)) + little(UInt32(item.bytes.count))
      content = item.bytes + content
    }
    let room = nodeByteCount - 101 - records.count - content.count
    return node(
      at: address, generation, level: 0, count: items.count,
      records + [UInt8](repeating: 0, count: room) + content)
  }

  /// A node above others.
  public func parent(
    at address: UInt64, generation: UInt64, level: UInt8,
    _ pointers: [(key: Key, address: UInt64, generation: UInt64)]
  ) -> [UInt8] {
    let records = pointers.flatMap { $0.key.bytes + little($0.address) + little($0.generation) }
    let room = nodeByteCount - 101 - records.count
    return node(
      at: address, generation, level: level, count: pointers.count,
      records + [UInt8](repeating: 0, count: room))
  }

  private func node(
    at address: UInt64, _ generation: UInt64, level: UInt8, count: Int, _ rest: [UInt8]
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 32) + Self.uuid + little(address) + little(UInt64(1))
    bytes += [UInt8](repeating: 7, count: 16) + little(generation) + little(UInt64(1))
    bytes += little(UInt32(count)) + [level] + rest
    return Self.withChecksum(bytes)
  }

  /// A chunk item; `stripes` are the places on device 1.
  public func chunk(
    byteCount: UInt64, type: UInt64, stripes: [UInt64], subStripeCount: UInt16 = 0
  ) -> [UInt8] {
    var bytes = little(byteCount) + little(UInt64(2)) + little(UInt64(65536)) + little(type)
    bytes += little(UInt32(65536)) + little(UInt32(65536)) + little(UInt32(4096))
    bytes += little(UInt16(stripes.count)) + little(subStripeCount)
    for stripe in stripes {
      bytes += little(UInt64(1)) + little(stripe) + [UInt8](repeating: 0, count: 16)
    }
    return bytes
  }

  /// The item of a tree's root, which is a leaf.
  public func root(at address: UInt64, generation: UInt64) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 439)
    bytes.replaceSubrange(160..<168, with: little(generation))
    bytes.replaceSubrange(176..<184, with: little(address))
    return bytes
  }

  /// A superblock; both roots are leaves.
  public func superblock(
    generation: UInt64, root: UInt64, chunkRoot: (address: UInt64, generation: UInt64),
    systemChunks: [UInt8], at place: UInt64 = 65536, checksumType: UInt16 = 0
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 4096)
    func put(_ place: Int, _ value: [UInt8]) {
      bytes.replaceSubrange(place..<place + value.count, with: value)
    }
    put(0x20, Self.uuid)
    put(0x30, little(place))
    put(0x40, Array("_BHRfS_M".utf8))
    put(0x48, little(generation))
    put(0x50, little(root))
    put(0x58, little(chunkRoot.address))
    put(0x90, little(UInt32(sectorByteCount)))
    put(0x94, little(UInt32(nodeByteCount)))
    put(0xa0, little(UInt32(systemChunks.count)))
    put(0xa4, little(chunkRoot.generation))
    put(0xc4, little(checksumType))
    put(0xc9, little(UInt64(1)))
    put(0x32b, systemChunks)
    return Self.withChecksum(bytes)
  }

  private static let uuid = [UInt8](1...16)

  /// The bytes with the checksum of what follows the first 32 in front.
  public static func withChecksum(_ bytes: [UInt8]) -> [UInt8] {
    little(checksum(bytes[32...])) + bytes[4...]
  }

  /// The CRC-32C of bytes, bit by bit.
  public static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var register: UInt32 = ~0
    for byte in bytes {
      register ^= UInt32(byte)
      for _ in 0..<8 {
        register = register & 1 != 0 ? register >> 1 ^ 0x82f6_3b78 : register >> 1
      }
    }
    return ~register
  }
}

/// Short for the lists above.
private func little(_ value: some FixedWidthInteger) -> [UInt8] { value.littleEndianBytes }
