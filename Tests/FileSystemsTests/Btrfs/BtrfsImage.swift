import BlockIO
import FileSystemFormat
import FileSystems
import Foundation
import SystemPackage

/// A btrfs that Linux made, with files of all kinds, and what Linux said of each: see `Images/make`.
final class BtrfsImage {
  struct Failure: Error { let text: String }

  let path: String
  private let name: String
  private let directory: String

  /// `aged`, or `log`, which has a log to replay.
  init(_ name: String = "aged") throws {
    self.name = name
    directory = "\(NSTemporaryDirectory())/dmsnap-btrfs-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    path = "\(directory)/\(name).img"
    try FileManager.default.copyItem(atPath: Self.packed("\(name).img"), toPath: "\(path).xz")
    _ = try Self.run("xz", ["-d", "\(path).xz"])
  }

  /// One that mkfs.btrfs makes of a directory with one file, `file`.
  init(options: [String], file: [UInt8]) throws {
    name = "made"
    directory = "\(NSTemporaryDirectory())/dmsnap-btrfs-\(UUID().uuidString)"
    let files = "\(directory)/files"
    try FileManager.default.createDirectory(atPath: files, withIntermediateDirectories: true)
    path = "\(directory)/made.img"
    try Data(file).write(to: URL(filePath: "\(files)/file"))
    try Data().write(to: URL(filePath: path))
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    try handle.truncate(atOffset: 300 << 20)
    try handle.close()
    _ = try Self.run("mkfs.btrfs", options + ["-q", "--rootdir", files, path])
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  /// A line for each file.
  func truth() throws -> Set<String> {
    let text = try Self.run("xz", ["-dc", Self.packed("\(name).truth")])
    return Set(text.split(separator: "\n").map(String.init))
  }

  func open(isLogReplayed: Bool = true) throws -> BtrfsFileSystem {
    try BtrfsFileSystem(FileSource(path: FilePath(path)), isLogReplayed: isLogReplayed)
  }

  /// Where the root of the log is, on a device whose addresses are those of the file system.
  func logRoot() throws -> UInt64 {
    let handle = try FileHandle(forReadingFrom: URL(filePath: path))
    try handle.seek(toOffset: 65536 + 0x60)
    let bytes = try handle.read(upToCount: 8) ?? Data()
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Turns all bits of bytes around.
  func damage(at byteOffset: UInt64, _ count: Int = 8) throws {
    let handle = try FileHandle(forUpdating: URL(filePath: path))
    try handle.seek(toOffset: byteOffset)
    let bytes = try handle.read(upToCount: count) ?? Data()
    try handle.seek(toOffset: byteOffset)
    try handle.write(contentsOf: Data(bytes.map { ~$0 }))
    try handle.close()
  }

  private static func packed(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Images/\(name).xz").path()
  }

  private static func run(_ tool: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.environment = [
      "PATH": "\(ProcessInfo.processInfo.environment["PATH"] ?? ""):/usr/sbin:/sbin"
    ]
    process.arguments = [tool] + arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failure(text: "\(tool) failed") }
    return String(decoding: data, as: UTF8.self)
  }
}
