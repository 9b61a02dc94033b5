import BlockIO
import FileSystems
import Foundation

/// A small file system of mke2fs, in memory.
struct ExtImage {
  /// What programs are needed; Debian's e2fsprogs has both.
  static let hasTools = ["mke2fs", "debugfs"].allSatisfy { path(of: $0) != nil }

  var bytes: [UInt8]

  /// A program failed.
  struct Failure: Error {
    let command: String
    let output: String
  }

  /// The files that `make` puts into a folder.
  init(
    _ options: [String], size: String = "8M", _ make: (_ folder: String) throws -> Void
  ) throws {
    bytes = try Self.inFolder { folder in
      try FileManager.default.createDirectory(
        atPath: folder + "/files", withIntermediateDirectories: true)
      try make(folder + "/files")
      let image = folder + "/image"
      try Self.run("mke2fs", ["-q", "-F"] + options + ["-d", folder + "/files", image, size])
      return Array(try Data(contentsOf: URL(filePath: image)))
    }
  }

  /// What debugfs makes of it.
  ///
  /// - Parameters:
  ///   - commands: `%` stands for the path of a file.
  ///   - content: Of that file.
  mutating func change(_ commands: [String], content: [UInt8]) throws {
    let old = bytes
    bytes = try Self.inFolder { folder in
      let (image, script) = (folder + "/image", folder + "/script")
      try Data(old).write(to: URL(filePath: image))
      try Data(content).write(to: URL(filePath: folder + "/content"))
      try commands.map { $0.replacing("%", with: folder + "/content") + "\n" }.joined()
        .write(toFile: script, atomically: true, encoding: .utf8)
      try Self.run("debugfs", ["-w", "-f", script, image])
      return Array(try Data(contentsOf: URL(filePath: image)))
    }
  }

  private static func inFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = NSTemporaryDirectory() + "dmsnap-ext-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }  // litter is no failure
    return try body(folder)
  }

  /// The file system, read.
  func open(isJournalReplayed: Bool = true) throws -> ExtFileSystem {
    try ExtFileSystem(MemorySource(bytes), isJournalReplayed: isJournalReplayed)
  }

  private static func path(of name: String) -> String? {
    ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map { "\($0)/\(name)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  private static func run(_ name: String, _ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(filePath: path(of: name) ?? name)
    process.arguments = arguments
    let pipe = Pipe()
    (process.standardOutput, process.standardError) = (pipe, pipe)
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(command: name, output: String(decoding: output, as: UTF8.self))
    }
  }
}

extension ExtFileSystem {
  /// The inode of a path, which exists.
  func file(_ path: String) throws -> FileSystems.Inode {
    var inode = try inode(root)
    for part in path.split(separator: "/") {
      var id: FileID?
      _ = try forEachEntry(of: inode) { entry throws(FileSystemError) in
        if entry.name == Array(part.utf8), !entry.isDeleted { id = entry.id }
        return id == nil
      }
      guard let id else { throw FileSystemError.noFile("test", path) }
      inode = try self.inode(id)
    }
    return inode
  }

  /// The content of a file.
  func bytes(_ path: String) throws -> [UInt8] {
    let content = try content(of: file(path))
    let buffer = IOBuffer(byteCount: Int(content.byteCount))
    try content.read(at: 0, into: buffer, 0..<buffer.byteCount)
    return buffer.bytes(0..<buffer.byteCount)
  }

  /// Whether a file has that content.
  func has(_ path: String, _ content: [UInt8]) throws -> Bool { try bytes(path) == content }

  /// The names in a directory that are in use, and what could not be read.
  func names(_ path: String) throws -> (Set<String>, damage: [FileSystemDamage]) {
    var names: Set<String> = []
    let damage = try forEachEntry(of: file(path)) { entry throws(FileSystemError) in
      if !entry.isDeleted { names.insert(String(decoding: entry.name, as: UTF8.self)) }
      return true
    }
    return (names, damage)
  }
}
