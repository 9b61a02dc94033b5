import BlockIO
import FileSystems
import Foundation
import SystemPackage

/// An XFS that Linux made, with files of all kinds, and what Linux said of each: see `Images/make`.
final class XFSImage {
  enum Version: String, CaseIterable, Sendable { case v4, v5 }

  struct Failure: Error { let text: String }

  let path: String
  let version: Version
  private let directory: String

  init(_ version: Version) throws {
    self.version = version
    directory = "\(NSTemporaryDirectory())/dmsnap-xfs-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    path = "\(directory)/\(version).img"
    try FileManager.default.copyItem(
      atPath: Self.packed("\(version).img"), toPath: "\(path).xz")
    _ = try Self.xz(["-d", "\(path).xz"])
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  /// A line for each file.
  func truth() throws -> Set<String> {
    let text = try Self.xz(["-dc", Self.packed("\(version).truth")])
    return Set(text.split(separator: "\n").map(String.init))
  }

  func source() throws -> FileSource { try FileSource(path: FilePath(path)) }

  func open() throws -> XFSFileSystem { try XFSFileSystem(source()) }

  func read(at byteOffset: UInt64, _ count: Int) throws -> [UInt8] {
    let buffer = IOBuffer(byteCount: count)
    try source().read(at: byteOffset, into: buffer, 0..<count)
    return buffer.bytes(0..<count)
  }

  /// Changes bytes of the image.
  func patch(at byteOffset: UInt64, _ bytes: [UInt8]) throws {
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    try handle.seek(toOffset: byteOffset)
    try handle.write(contentsOf: Data(bytes))
    try handle.close()
  }

  /// Turns all bits of bytes around.
  func damage(at byteOffset: UInt64, _ count: Int = 8) throws {
    try patch(at: byteOffset, read(at: byteOffset, count).map { ~$0 })
  }

  private static func packed(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Images/\(name).xz").path()
  }

  private static func xz(_ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["xz"] + arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failure(text: "xz failed") }
    return String(decoding: data, as: UTF8.self)
  }
}

/// What `Images/truth.py` writes of a mounted tree, from the file system itself.
struct XFSListing {
  private(set) var lines: Set<String> = []
  private(set) var damage: [FileSystemDamage] = []
  private(set) var inodes: Set<FileID> = []
  private let system: XFSFileSystem

  init(_ system: XFSFileSystem) throws {
    self.system = system
    try add(system.inode(system.root), "")
  }

  private mutating func add(_ inode: Inode, _ path: String) throws {
    inodes.insert(inode.id)
    lines.insert(try line(inode, path.isEmpty ? "/" : path))
    guard inode.kind == .directory else { return }
    var entries: [DirectoryEntry] = []
    damage += try system.forEachEntry(of: inode) {
      if !$0.isDeleted { entries.append($0) }
      return true
    }
    for entry in entries {
      do {
        try add(system.inode(entry.id), path + "/" + Self.escaped(entry.name))
      } catch FileSystemError.damaged(_, let found) { damage.append(found) }
    }
  }

  private func line(_ inode: Inode, _ path: String) throws -> String {
    var words = [
      path, inode.kind.rawValue, String(inode.permissions, radix: 8), "\(inode.owner)",
      "\(inode.group)", "\(inode.linkCount)", "\(inode.byteCount)",
    ]
    for time in [inode.modified, inode.changed, inode.accessed, inode.created] {
      words.append(time.map { "\($0.seconds).\($0.nanoseconds)" } ?? "-")
    }
    words.append(inode.device.map { "\($0.major):\($0.minor)" } ?? "-")
    words.append(inode.kind == .link ? Self.hex(try system.target(ofLink: inode)) : "-")
    let attributes = try system.attributes(of: inode).map {
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
        value = Self.table[Int((value ^ UInt32(bytes[index])) & 0xff)] ^ value >> 8
      }
      return ~value
    }
  }

  private static let table = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in
      value & 1 != 0 ? 0xedb8_8320 ^ value >> 1 : value >> 1
    }
  }

  static func escaped(_ bytes: [UInt8]) -> String {
    bytes.map {
      0x21..<0x7f ~= $0 && $0 != 0x25 ? String(UnicodeScalar($0)) : "%" + hex([$0])
    }.joined()
  }

  static func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
