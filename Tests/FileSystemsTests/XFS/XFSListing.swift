import BlockIO
import FileSystems

/// What `Images/truth.py` writes of a mounted tree, from the file system itself.
struct XFSListing {
  private(set) var lines: Set<String> = []
  private(set) var damage: [FileSystemDamage] = []
  private(set) var inodes: Set<FileID> = []
  private let system: XFSFileSystem
  /// What was said of inodes, without a path: many names are of one.
  private var known: [FileID: String] = [:]

  init(_ system: XFSFileSystem) throws {
    self.system = system
    try add(system.inode(system.root), "")
  }

  private mutating func add(_ inode: Inode, _ path: String) throws {
    inodes.insert(inode.id)
    let words = try line(inode)
    known[inode.id] = inode.kind == .directory ? nil : words
    lines.insert((path.isEmpty ? "/" : path) + " " + words)
    guard inode.kind == .directory else { return }
    var entries: [DirectoryEntry] = []
    damage += try system.forEachEntry(of: inode) {
      if !$0.isDeleted { entries.append($0) }
      return true
    }
    for entry in entries {
      if let words = known[entry.id] {
        lines.insert(path + "/" + Self.escaped(entry.name) + " " + words)
        continue
      }
      do {
        try add(system.inode(entry.id), path + "/" + Self.escaped(entry.name))
      } catch FileSystemError.damaged(_, let found) { damage.append(found) }
    }
  }

  private func line(_ inode: Inode) throws -> String {
    var words = [
      inode.kind.rawValue, String(inode.permissions, radix: 8), "\(inode.owner)",
      "\(inode.group)", "\(inode.linkCount)", "\(inode.byteCount)",
    ]
    for time in [inode.modified, inode.changed, inode.accessed, inode.created] {
      words.append(time.map { "\($0.seconds).\($0.nanoseconds)" } ?? "-")
    }
    words.append(inode.device.map { "\($0.major):\($0.minor)" } ?? "-")
    words.append(inode.kind == .link ? Self.hex(try system.target(ofLink: inode)) : "-")
    let found = try system.attributes(of: inode)
    if let damage = found.damage.first { throw FileSystemError.damaged("attributes", damage) }
    let attributes = found.found.map {
      Self.hex($0.name) + "=" + Self.hex($0.value)
    }
    words.append(attributes.isEmpty ? "-" : attributes.joined(separator: ","))
    guard inode.kind == .regular else { return (words + ["-", "-"]).joined(separator: " ") }
    words.append(String(try checksum(inode), radix: 16))
    let extents = try system.map(of: inode).extents.map { extent in
      switch extent.place {
      case .data(let start): "\(extent.file.lowerBound)+\(extent.file.count)@\(start)"
      case .unwritten(let start): "\(extent.file.lowerBound)+\(extent.file.count)u\(start)"
      default: "\(extent)"
      }
    }
    words.append(extents.isEmpty ? "-" : extents.joined(separator: ","))
    return words.joined(separator: " ")
  }

  /// The CRC-32 of what is not too long, as `truth.py` has it.
  private func checksum(_ inode: Inode) throws -> UInt32 {
    guard inode.byteCount < 1 << 26 else { return 0 }
    let content = try system.content(of: inode)
    let buffer = IOBuffer(byteCount: Int(content.byteCount))
    try content.read(at: 0, into: buffer, 0..<buffer.byteCount)
    return buffer.withBytes(0..<buffer.byteCount) { bytes in
      var value = ~UInt32(0)
      for index in bytes.indices {
        let entry = Int(UInt8(truncatingIfNeeded: value) ^ bytes[index])
        value = Self.table[entry] ^ (value >> 8)
      }
      return ~value
    }
  }

  private static let table: [UInt32] = (0..<256).map { index -> UInt32 in
    var value = UInt32(index)
    for _ in 0..<8 {
      let half: UInt32 = value >> 1
      value = value & 1 != 0 ? half ^ 0xedb8_8320 : half
    }
    return value
  }

  static func escaped(_ bytes: [UInt8]) -> String {
    bytes.map { byte -> String in
      let isPlain = 0x21..<0x7f ~= byte && byte != 0x25
      return isPlain ? String(UnicodeScalar(byte)) : "%" + hex([byte])
    }.joined()
  }

  static func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
