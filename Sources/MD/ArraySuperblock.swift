package import BlockIO
internal import SnapshotFormat

/// md's record on each member of an array: which array it belongs to, and how current it is.
///
/// Version 1 is little-endian and at the beginning (1.1), 4 KiB after that (1.2), or in the last 8
/// to 12 KiB (1.0). Version 0.90 has the byte order of the machine, which is taken for
/// little-endian here, and is in the last 64 to 128 KiB.
///
/// - Source: Linux `include/uapi/linux/raid/md_p.h`, `drivers/md/md.c` (`super_90_load`,
///   `super_1_load`).
package struct ArraySuperblock: Equatable, Sendable {
  private static let magic: UInt32 = 0xa92b_4efc

  /// Identifies the array.
  package let uuid: [UInt8]
  /// The array's name; empty in version 0.90, which has none.
  package let name: String
  /// "0.90", "1.0", "1.1" or "1.2".
  package let version: String
  /// Usually 0, 1, 4, 5, 6 or 10; -1 is linear.
  package let level: Int32
  /// The number of members in the array, without spares.
  package let memberCount: UInt32
  /// The member's place in the array; nil for a spare or failed one.
  package let role: UInt32?
  /// The places that have a member in use, as far as this member knows.
  package let activeRoles: Set<UInt32>
  /// Counts the changes of the array's state: the member with more was in use last.
  package let events: UInt64
  /// Whether the member has all of the array's data: it is not being rebuilt, and has no bad block
  /// log.
  package let isRecovered: Bool
  /// Where the superblock itself is, in bytes of the member.
  package let byteOffset: UInt64
  /// Where the member's data is, in bytes.
  package let data: Range<UInt64>

  /// Whether each member has all of the array's bytes.
  package var isMirror: Bool { level == 1 }

  /// Reads the superblock of a possible member; nil if it is none.
  ///
  /// - Throws: If the source fails in other ways than bad sectors.
  package init?(of source: any BlockSource) throws(BlockIOError) {
    let byteCount = source.byteCount / 512 * 512
    let places: [(version: String, byteOffset: UInt64?)] = [
      ("1.1", 0), ("1.2", 4096),
      ("1.0", byteCount < 16 * 512 ? nil : (byteCount - 16 * 512) / 4096 * 4096),
      ("0.90", byteCount < 128 << 10 ? nil : byteCount / 65_536 * 65_536 - 65_536),
    ]
    for case (let version, let byteOffset?) in places {
      guard byteOffset + 4096 <= source.byteCount else { continue }
      let buffer = IOBuffer(byteCount: 4096)
      guard try source.readAround(at: byteOffset, into: buffer, 0..<4096).isEmpty else { continue }
      let found = buffer.withBytes(0..<4096) { bytes in
        version == "0.90"
          ? ArraySuperblock(ninety: bytes, at: byteOffset)
          : ArraySuperblock(one: bytes, version, at: byteOffset)
      }
      // A copy may have been truncated; a member without data is none.
      if let found, found.data.lowerBound < source.byteCount, !found.data.isEmpty {
        self = found
        return
      }
    }
    return nil
  }

  /// Version 1.
  ///
  ///     offset  size  field
  ///          0     4  magic
  ///          4     4  major version, 1
  ///         16    16  UUID
  ///         32    32  name, padded with zeroes
  ///         72     4  level, signed
  ///         80     8  sectors used of each member
  ///         92     4  members
  ///        128     8  first sector of the data
  ///        136     8  sectors of data
  ///        144     8  sector of the superblock itself
  ///        152     8  sectors recovered, if bit 1 of the features (at 8) says that it is being
  ///                   rebuilt; bit 3 says that there are bad blocks
  ///        160     4  number of this device, an index to the roles
  ///        200     8  events
  ///        216     4  checksum
  ///        220     4  how many roles there are
  ///        256        roles, two bytes each: the place in the array; 0xfffe failed, 0xffff spare
  private init?(one bytes: Span<UInt8>, _ version: String, at byteOffset: UInt64) {
    let roleCount: UInt32 = bytes.littleEndian(at: 220)
    guard bytes.littleEndian(at: 0, as: UInt32.self) == Self.magic,
      bytes.littleEndian(at: 4, as: UInt32.self) == 1, roleCount <= 1920,
      bytes.littleEndian(at: 144, as: UInt64.self) == byteOffset / 512,
      Self.checksum(one: bytes, count: 256 + Int(roleCount) * 2)
        == bytes.littleEndian(at: 216, as: UInt32.self)
    else { return nil }
    let start: UInt64 = bytes.littleEndian(at: 128)
    let count: UInt64 = bytes.littleEndian(at: 136)
    let (end, overflow) = start.addingReportingOverflow(count)
    let place = byteOffset / 512..<byteOffset / 512 + 8
    guard !overflow, end <= UInt64(Int64.max) / 512, !(start..<end).overlaps(place) else {
      return nil
    }
    let device: UInt32 = bytes.littleEndian(at: 160)
    let role: UInt16 =
      device < roleCount ? bytes.littleEndian(at: 256 + Int(device) * 2) : 0xffff
    let features: UInt32 = bytes.littleEndian(at: 8)
    uuid = (16..<32).map { bytes[$0] }
    name = String(decoding: (32..<64).map { bytes[$0] }.prefix { $0 != 0 }, as: UTF8.self)
    self.version = version
    level = Int32(bitPattern: bytes.littleEndian(at: 72))
    memberCount = bytes.littleEndian(at: 92)
    self.role = role < 0xfffe ? UInt32(role) : nil
    activeRoles = Set(
      (0..<Int(roleCount)).map { bytes.littleEndian(at: 256 + $0 * 2, as: UInt16.self) }
        .filter { $0 < 0xfffe }.map { UInt32($0) })
    events = bytes.littleEndian(at: 200)
    isRecovered = features & (2 | 8) == 0
    self.byteOffset = byteOffset
    data = start * 512..<end * 512
  }

  /// The sum of all words but the checksum, with the carry added.
  private static func checksum(one bytes: Span<UInt8>, count: Int) -> UInt32 {
    var sum: UInt64 = 0
    for offset in stride(from: 0, to: count - 3, by: 4) where offset != 216 {
      sum += UInt64(bytes.littleEndian(at: offset, as: UInt32.self))
    }
    if count % 4 == 2 { sum += UInt64(bytes.littleEndian(at: count - 2, as: UInt16.self)) }
    return UInt32(truncatingIfNeeded: (sum & 0xffff_ffff) + sum >> 32)
  }

  /// Version 0.90, in words of four bytes.
  ///
  ///       word  field
  ///          0  magic
  ///          1  major version, 0, followed by the minor one, 90
  ///          5  UUID, and its other three words from 13 on
  ///          7  level, signed
  ///          8  KiB used of each member
  ///         10  members
  ///         38  checksum
  ///         39  events, low and high word
  ///        128  27 devices, 32 words each: number, and three words on the place in the array, then
  ///             the state, of which bit 0 says that it failed, 1 and 2 that it is active and in
  ///             step
  ///        992  this device, likewise
  private init?(ninety bytes: Span<UInt8>, at byteOffset: UInt64) {
    func word(_ index: Int) -> UInt32 { bytes.littleEndian(at: index * 4) }
    guard word(0) == Self.magic, word(1) == 0, word(2) == 90 || word(2) == 91 else { return nil }
    var sum: UInt64 = 0
    for index in 0..<1024 where index != 38 { sum += UInt64(word(index)) }
    // The kernel's sum differed between machines, so it compares these folded.
    guard Self.folded((sum & 0xffff_ffff) + sum >> 32) == Self.folded(UInt64(word(38))) else {
      return nil
    }
    let state = word(996)
    uuid = [5, 13, 14, 15].flatMap { index in (index * 4..<index * 4 + 4).map { bytes[$0] } }
    name = ""
    version = "0.90"
    level = Int32(bitPattern: word(7))
    memberCount = word(10)
    role = state & 1 == 0 && state & 2 != 0 && word(995) < word(10) ? word(995) : nil
    activeRoles = Set(
      (0..<27).filter { word(128 + $0 * 32 + 4) & 7 == 6 }.map { word(128 + $0 * 32 + 3) })
    events = UInt64(word(40)) << 32 | UInt64(word(39))
    isRecovered = state & 4 != 0
    self.byteOffset = byteOffset
    // In an array that needs no equal sizes, this is 0.
    data = 0..<(word(8) == 0 ? byteOffset : min(UInt64(word(8)) * 1024, byteOffset))
  }

  private static func folded(_ sum: UInt64) -> UInt64 {
    var sum = sum & 0xffff_ffff
    while sum > 0xffff { sum = (sum & 0xffff) + sum >> 16 }
    return sum
  }

  /// mdadm's name for the level.
  var levelName: String { level == -1 ? "linear" : "raid\(level)" }

  /// The UUID as mdadm shows it.
  package var uuidText: String {
    stride(from: 0, to: uuid.count, by: 4).map {
      uuid[$0..<min($0 + 4, uuid.count)].hexadecimal
    }.joined(separator: ":")
  }

  /// The array's level, name and UUID, as text.
  package var arrayDescription: String {
    "the \(levelName) array \(name.isEmpty ? "" : "\(name) ")(\(uuidText))"
  }

  /// Its position in the array, as text.
  package var memberDescription: String {
    (role.map { "member \($0) of \(memberCount) of " } ?? "a spare of, or a failed member of, ")
      + arrayDescription
  }
}
