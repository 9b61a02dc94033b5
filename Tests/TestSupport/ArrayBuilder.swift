/// Makes members of md arrays, as mdadm would, around the bytes that they hold.
///
/// - Source: Linux `include/uapi/linux/raid/md_p.h`.
public struct ArrayBuilder: Sendable {
  public var version = "1.2"
  public var level: Int32 = 1
  public var memberCount: UInt32 = 2
  public var events: UInt64 = 20
  public var uuid: UInt8 = 0x5a
  public var name = "any:0"
  /// The member that has failed, as this one knows.
  public var failed: UInt32?

  public init() {}

  /// A member in that place, which holds `data`.
  public func member(_ role: UInt32, _ data: [UInt8]) -> [UInt8] {
    if version == "0.90" { return data + tail(role, data.count) }
    let head = version == "1.0" ? 0 : 1 << 20
    var bytes = [UInt8](repeating: 0, count: head) + data
    if version == "1.0" { bytes += [UInt8](repeating: 0, count: 16384) }
    let place =
      switch version {
      case "1.1": 0
      case "1.2": 4096
      default: (bytes.count - 8192) / 4096 * 4096
      }
    bytes.put(one(role, head, data.count, at: place), at: place)
    return bytes
  }

  private func one(_ role: UInt32, _ head: Int, _ count: Int, at place: Int) -> [UInt8] {
    var block = [UInt8](repeating: 0, count: 256 + 2 * Int(memberCount))
    block.put(UInt32(0xa92b_4efc).littleEndianBytes + UInt32(1).littleEndianBytes, at: 0)
    block.put([UInt8](repeating: uuid, count: 16), at: 16)
    block.put(Array(name.utf8), at: 32)
    block.put(UInt32(bitPattern: level).littleEndianBytes, at: 72)
    block.put(UInt64(count / 512).littleEndianBytes, at: 80)
    block.put(memberCount.littleEndianBytes, at: 92)
    block.put(UInt64(head / 512).littleEndianBytes, at: 128)
    block.put(UInt64(count / 512).littleEndianBytes, at: 136)
    block.put(UInt64(place / 512).littleEndianBytes, at: 144)
    block.put(role.littleEndianBytes, at: 160)
    block.put(events.littleEndianBytes, at: 200)
    block.put(memberCount.littleEndianBytes, at: 220)
    for index in 0..<Int(memberCount) {
      let isFailed = failed == UInt32(index)
      block.put(isFailed ? [0xfe, 0xff] : [UInt8(index), 0], at: 256 + 2 * index)
    }
    var sum: UInt64 = 0
    var words = block
    if words.count % 4 != 0 { words += [0, 0] }
    for index in stride(from: 0, to: words.count, by: 4) { sum += word(words, index) }
    block.put(UInt32(truncatingIfNeeded: sum + sum >> 32).littleEndianBytes, at: 216)
    return block
  }

  private func word(_ bytes: [UInt8], _ index: Int) -> UInt64 {
    (0..<4).reduce(0) { $0 | UInt64(bytes[index + $1]) << UInt64(8 * $1) }
  }

  /// Zeroes up to the superblock of version 0.90, and that.
  private func tail(_ role: UInt32, _ count: Int) -> [UInt8] {
    let place = (count + 65_535) / 65_536 * 65_536
    var block = [UInt8](repeating: 0, count: 65_536)
    func put(_ index: Int, _ value: UInt32) { block.put(value.littleEndianBytes, at: index * 4) }
    put(0, 0xa92b_4efc)
    put(2, 90)
    for index in [5, 13, 14, 15] { put(index, UInt32(uuid) * 0x0101_0101) }
    put(7, UInt32(bitPattern: level))
    put(8, UInt32(count / 1024))
    put(10, memberCount)
    put(39, UInt32(truncatingIfNeeded: events))
    put(40, UInt32(events >> 32))
    for index in 0..<Int(memberCount) {
      put(128 + index * 32, UInt32(index))
      put(128 + index * 32 + 3, UInt32(index))
      put(128 + index * 32 + 4, failed == UInt32(index) ? 1 : 6)
    }
    put(992, role)
    put(995, role)
    put(996, 6)
    let sum = stride(from: 0, to: 4096, by: 4).reduce(UInt64(0)) { $0 + word(block, $1) }
    put(38, UInt32(truncatingIfNeeded: (sum & 0xffff_ffff) + sum >> 32))
    return [UInt8](repeating: 0, count: place - count) + block
  }
}
