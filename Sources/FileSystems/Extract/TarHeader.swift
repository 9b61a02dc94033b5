/// The headers before a file in a tar stream: a pax header for values that the old one cannot hold,
/// and the old one.
///
/// - Source: POSIX.1-2017 `pax`, "pax Interchange Format" and "ustar Interchange Format".
struct TarHeader {
  private static let blockByteCount = 512

  private var name: [UInt8]
  private let type: Character
  private let inode: Inode
  private var records: [(key: String, value: [UInt8])] = []
  /// The target of a link.
  var target: [UInt8] = []
  /// The number of bytes that follow the header.
  var byteCount: UInt64 = 0

  /// The header of a file; its path is relative, and a directory's ends with a slash.
  init(
    _ name: [UInt8], _ type: Character, _ inode: Inode, _ attributes: [ExtendedAttribute]
  ) {
    (self.name, self.type, self.inode) = (name, type, inode)
    for (key, time) in [("mtime", inode.modified), ("atime", inode.accessed)]
    where time.nanoseconds != 0 || time.seconds < 0 || time.seconds >= 1 << 33 || key == "atime" {
      records.append((key, Array(Self.text(time).utf8)))
    }
    for attribute in attributes {
      guard let name = Self.key(attribute.name) else { continue }
      records.append(("SCHILY.xattr." + name, attribute.value))
    }
  }

  /// Makes it the header of a file with holes, of that length; the data then begins with their map.
  mutating func makeSparse(byteCount: UInt64) {
    records += [
      ("GNU.sparse.major", Array("1".utf8)), ("GNU.sparse.minor", Array("0".utf8)),
      ("GNU.sparse.name", name), ("GNU.sparse.realsize", Array("\(byteCount)".utf8)),
    ]
    // Programs that do not know this kind of file create one of that name, with the map in it.
    let parts = name.split(separator: UInt8(ascii: "/"))
    let renamed = parts.dropLast() + [Array("GNUSparseFile.0".utf8)[...]] + parts.suffix(1)
    name = Array(renamed.joined(separator: [UInt8(ascii: "/")]))
  }

  /// All of it, in whole blocks.
  var bytes: [UInt8] {
    var records = records
    if name.count > 100 || !name.allSatisfy({ $0 < 0x80 }) { records.append(("path", name)) }
    if target.count > 100 || !target.allSatisfy({ $0 < 0x80 }) {
      records.append(("linkpath", target))
    }
    for (key, number) in [("uid", inode.owner), ("gid", inode.group)] where number >= 1 << 21 {
      records.append((key, Array("\(number)".utf8)))
    }
    if byteCount >= 1 << 33 { records.append(("size", Array("\(byteCount)".utf8))) }
    guard !records.isEmpty else { return ustar(name, type, byteCount, target) }
    let extended = records.flatMap { Self.record($0.key, $0.value) }
    let over = extended.count % Self.blockByteCount
    let padding = [UInt8](repeating: 0, count: over == 0 ? 0 : Self.blockByteCount - over)
    return ustar(Array("././@PaxHeader".utf8), "x", UInt64(extended.count), []) + extended
      + padding + ustar(name, type, byteCount, target)
  }

  /// `LENGTH KEY=VALUE` and a newline; the length counts its own digits.
  private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
    let rest = key.utf8.count + value.count + 3
    var length = rest + 1
    while length != rest + String(length).utf8.count { length = rest + String(length).utf8.count }
    return Array("\(length) \(key)=".utf8) + value + [UInt8(ascii: "\n")]
  }

  /// An attribute's name as a record can have it, in which `=` would end it; nil if none can.
  ///
  /// GNU tar writes and reads it so.
  static func key(_ name: [UInt8]) -> String? {
    guard !name.contains(0) else { return nil }
    return String(validating: name, as: UTF8.self)?.replacing("%", with: "%25")
      .replacing("=", with: "%3D")
  }

  /// A time in seconds, with its nanoseconds if it has any.
  private static func text(_ time: Timestamp) -> String {
    guard time.nanoseconds > 0, time.nanoseconds < 1_000_000_000 else { return "\(time.seconds)" }
    // Nanoseconds count forwards, the digits of a negative number backwards.
    let isNegative = time.seconds < 0
    let seconds = isNegative ? time.seconds + 1 : time.seconds
    let nanoseconds = isNegative ? 1_000_000_000 - time.nanoseconds : time.nanoseconds
    let digits = String(nanoseconds)
    let fraction = String(repeating: "0", count: 9 - digits.count) + digits
    return (isNegative && seconds == 0 ? "-0" : "\(seconds)") + ".\(fraction)"
  }

  /// The old header, as far as its fields reach.
  private func ustar(
    _ name: [UInt8], _ type: Character, _ byteCount: UInt64, _ target: [UInt8]
  ) -> [UInt8] {
    let isExtended = type == "x"
    var header = [UInt8](repeating: 0, count: Self.blockByteCount)
    func put(_ bytes: some Sequence<UInt8>, at offset: Int, count: Int) {
      for (index, byte) in bytes.prefix(count).enumerated() { header[offset + index] = byte }
    }
    func put(_ number: UInt64, at offset: Int, count: Int) {
      let fits = number < 1 << (3 * UInt64(count - 1))
      let digits = String(fits ? number : 0, radix: 8)
      put(
        (String(repeating: "0", count: count - 1 - digits.count) + digits).utf8, at: offset,
        count: count)
    }
    put(name, at: 0, count: 100)
    put(UInt64(isExtended ? 0o644 : inode.permissions), at: 100, count: 8)
    put(isExtended ? 0 : UInt64(inode.owner), at: 108, count: 8)
    put(isExtended ? 0 : UInt64(inode.group), at: 116, count: 8)
    put(byteCount, at: 124, count: 12)
    put(UInt64(clamping: inode.modified.seconds), at: 136, count: 12)
    put([UInt8](repeating: UInt8(ascii: " "), count: 8), at: 148, count: 8)
    put(String(type).utf8, at: 156, count: 1)
    put(target, at: 157, count: 100)
    put("ustar\u{0}00".utf8, at: 257, count: 8)
    if type == "3" || type == "4" {
      put(UInt64(inode.device?.major ?? 0), at: 329, count: 8)
      put(UInt64(inode.device?.minor ?? 0), at: 337, count: 8)
    }
    let sum = header.reduce(UInt64(0)) { $0 + UInt64($1) }
    put(sum, at: 148, count: 7)
    return header
  }
}
