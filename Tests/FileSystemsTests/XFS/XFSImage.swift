import BlockIO
import FileSystems
import Foundation
import SystemPackage

/// An XFS that Linux made, with files of all kinds, and what Linux said of each: see `Images/make`.
///
/// One that is dirty was left with a log to replay, and Linux said that after it had replayed it.
final class XFSImage {
  enum Version: String, CaseIterable, Sendable { case v4, v5 }

  struct Failure: Error { let text: String }

  let path: String
  private let name: String
  private let directory: String

  convenience init(_ version: Version, isDirty: Bool = false) throws {
    try self.init(named: isDirty ? "dirty-\(version)" : "\(version)")
  }

  /// The image of that name.
  init(named name: String) throws {
    self.name = name
    directory = "\(NSTemporaryDirectory())/dmsnap-xfs-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    path = "\(directory)/\(name).img"
    try FileManager.default.copyItem(
      atPath: Self.packed("\(name).img"), toPath: "\(path).xz")
    _ = try Self.xz(["-d", "\(path).xz"])
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  /// A line for each file.
  func truth() throws -> Set<String> {
    let text = try Self.xz(["-dc", Self.packed("\(name).truth")])
    return Set(text.split(separator: "\n").map(String.init))
  }

  /// An image that mkfs.xfs makes, with nothing in it.
  init(madeWith options: [String]) throws {
    name = "made"
    directory = "\(NSTemporaryDirectory())/dmsnap-xfs-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    path = "\(directory)/made.img"
    try Data().write(to: URL(filePath: path))
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    try handle.truncate(atOffset: 300 << 20)
    try handle.close()
    _ = try Self.run(["mkfs.xfs", "-q"] + options + [path])
  }

  /// Clears the log as xfs_repair does, changes and all.
  func clearLog() throws { _ = try Self.run(["xfs_repair", "-L", path]) }

  func source() throws -> FileSource { try FileSource(path: FilePath(path)) }

  func open(isLogReplayed: Bool = true) throws -> XFSFileSystem {
    try XFSFileSystem(source(), isLogReplayed: isLogReplayed)
  }

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

  private static func xz(_ arguments: [String]) throws -> String { try run(["xz"] + arguments) }

  private static func run(_ command: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.environment = [
      "PATH": "\(ProcessInfo.processInfo.environment["PATH"] ?? ""):/usr/sbin:/sbin"
    ]
    process.arguments = command
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failure(text: "\(command[0]) failed") }
    return String(decoding: data, as: UTF8.self)
  }
}
