import BlockIO
import FileSystemFormat
import FileSystems

/// What a file system says of its files, in the lines of `Images/truth.py`.
struct BtrfsListing {
  private(set) var lines: Set<String> = []
  private let system: BtrfsFileSystem

  init(_ system: BtrfsFileSystem) throws {
    self.system = system
    try visit(system.root, ".")
  }

  private mutating func visit(_ id: FileID, _ path: String) throws {
    let inode = try system.inode(id)
    func time(_ moment: Timestamp) -> String { "\(moment.seconds).\(moment.nanoseconds)" }
    var words = [path, "\(inode.kind)", String(inode.permissions, radix: 8)]
    words += ["\(inode.owner)", "\(inode.group)", "\(inode.linkCount)"]
    words += [inode.modified, inode.changed, inode.accessed].map(time)
    words.append("b" + (inode.created.map(time) ?? "-"))
    if let device = inode.device { words.append("\(device.major):\(device.minor)") }
    for attribute in try system.attributes(of: inode).found {
      let value = attribute.value.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      words.append("x:\(String(decoding: attribute.name, as: UTF8.self))=\(value)")
    }
    if inode.kind == .link {
      words += ["->", String(decoding: try system.target(ofLink: inode), as: UTF8.self)]
    }
    if inode.kind == .regular {
      var checksum = CRC32C()
      let bytes = try BtrfsListing.bytes(system, inode)
      checksum.add(bytes.span)
      words += ["\(inode.byteCount)", String(checksum.inverted, radix: 16)]
    }
    lines.insert(words.joined(separator: " "))
    guard inode.kind == .directory else { return }
    var entries: [DirectoryEntry] = []
    let damage = try system.forEachEntry(of: inode) {
      entries.append($0)
      return true
    }
    for entry in damage { lines.insert(entry.problem) }
    for entry in entries {
      let name = String(decoding: entry.name, as: UTF8.self).replacing(" ", with: "\\x20")
      try visit(entry.id, "\(path)/\(name)")
    }
  }

  /// The content of a file.
  static func bytes(_ system: BtrfsFileSystem, _ inode: Inode) throws -> [UInt8] {
    let content = try system.content(of: inode)
    let buffer = IOBuffer(byteCount: Int(content.byteCount))
    try content.read(at: 0, into: buffer, 0..<buffer.byteCount)
    return buffer.bytes(0..<buffer.byteCount)
  }
}
