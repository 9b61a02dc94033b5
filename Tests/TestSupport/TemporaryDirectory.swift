internal import BlockIO
internal import Crypto
internal import Foundation
internal import Glibc

/// A directory of a test's own, which goes away with it.
public final class TemporaryDirectory: Sendable {
  /// Where it is.
  public let path: String

  /// Makes a directory that others may look into.
  public init() throws {
    path =
      URL(filePath: NSTemporaryDirectory()).resolvingSymlinksInPath()
      .appending(path: "dmsnap-test-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }  // litter is no failure

  /// The path of something in it.
  public func path(_ name: String) -> String { "\(path)/\(name)" }

  /// The names of what is in it, sorted.
  public func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  /// Makes a file of those bytes, and returns its path.
  @discardableResult
  public func write(_ bytes: [UInt8], to name: String) throws -> String {
    try Data(bytes).write(to: URL(filePath: path(name)))
    return path(name)
  }

  /// Makes a script that can be executed, and returns its path.
  ///
  /// Another process writes it: children that tests in parallel start would inherit a file that is
  /// open for writing here, and such a file cannot be executed.
  public func writeScript(_ text: String, to name: String) throws -> String {
    let source = try write(Array(text.utf8), to: "\(name).txt")
    try ToolRunner(named: "install")?.succeed(["-m", "755", source, path(name)])
    try FileManager.default.removeItem(atPath: source)
    return path(name)
  }

  /// Makes a file of those bytes at some places and holes everywhere else, and returns its path.
  @discardableResult
  public func write(
    sparse byteCount: UInt64, _ pieces: [(at: UInt64, bytes: [UInt8])], to name: String
  ) throws -> String {
    try write([], to: name)
    let file = try FileHandle(forWritingTo: URL(filePath: path(name)))
    try file.truncate(atOffset: byteCount)
    for piece in pieces {
      try file.seek(toOffset: piece.at)
      try file.write(contentsOf: piece.bytes)
    }
    try file.close()
    return path(name)
  }

  /// Makes a copy of a file, and returns its path.
  @discardableResult
  public func copy(_ original: String, to name: String) throws -> String {
    try FileManager.default.copyItem(atPath: original, toPath: path(name))
    return path(name)
  }
}

/// Whole files, for tests. Reading them does not change their access times.
public enum Files {
  /// The content of a file.
  public static func bytes(_ path: String) throws -> [UInt8] { Array(try data(path)) }

  private static func data(_ path: String) throws -> Data {
    try open(path).readToEnd() ?? Data()
  }

  private static func open(_ path: String) throws -> FileHandle {
    let noAccessTime: Int32 = 0o1000000  // O_NOATIME hides behind _GNU_SOURCE
    var descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | noAccessTime)
    if descriptor < 0 { descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  /// The SHA-256 of a file, in hexadecimal.
  public static func sha256(_ path: String) throws -> String { try bytes(path).sha256 }

  /// A digest of all pieces of a file that are not zero, with their places: holes of gigabytes are
  /// not read.
  fileprivate static func sparseSHA256(_ path: String) throws -> String {
    let file = try open(path)
    let seekData: Int32 = 3  // SEEK_DATA hides behind _GNU_SOURCE too
    let pieceByteCount: off_t = 1 << 20
    let zeroes = Data(count: Int(pieceByteCount))
    var hash = SHA256()
    var position: off_t = 0
    while case let start = lseek(file.fileDescriptor, position, seekData), start >= 0 {
      // Where there are holes depends on the cache; in whole pieces it does not matter.
      position = max(position, start / pieceByteCount * pieceByteCount)
      try file.seek(toOffset: UInt64(position))
      guard let piece = try file.read(upToCount: Int(pieceByteCount)), !piece.isEmpty else {
        throw POSIXError(.EIO)  // there is data
      }
      if piece != zeroes.prefix(piece.count) {
        hash.update(data: Array("\(position) ".utf8))
        hash.update(data: piece)
      }
      position += pieceByteCount
    }
    guard errno == ENXIO else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    return Array(hash.finalize()).hexadecimal
  }

  /// Whether two files are equal.
  public static func areEqual(_ left: String, _ right: String) throws -> Bool {
    try data(left) == data(right)
  }

  /// Whether there is anything at `path`.
  public static func exist(_ path: String) -> Bool {
    var status = stat()
    return unsafe lstat(path, &status) == 0
  }

  /// Makes a file shorter or longer.
  public static func truncate(_ path: String, to byteCount: UInt64) throws {
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    try file.truncate(atOffset: byteCount)
    try file.close()
  }

  /// Puts bytes into a file.
  public static func overwrite(_ path: String, at byteOffset: UInt64, _ bytes: [UInt8]) throws {
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    try file.seek(toOffset: byteOffset)
    try file.write(contentsOf: bytes)
    try file.close()
  }

  /// Makes a file look long unread: the next read changes its access time on any mount that keeps
  /// access times at all.
  public static func age(_ path: String) {
    let old = timespec(tv_sec: 1_000_000_000, tv_nsec: 0)
    let written = timespec(tv_sec: 1_500_000_000, tv_nsec: 0)
    unsafe utimensat(AT_FDCWD, path, [old, written], 0)
  }
}

/// All that a look at a file must leave as it was.
public struct FileState: Equatable, Sendable {
  private let digest: String
  private let byteCount: Int
  private let mode: UInt32
  private let modified: [Int]
  private let changed: [Int]
  /// When it was last read, in nanoseconds; taken before the digest is.
  public let accessed: [Int]

  /// The state of the file at `path`. Taking it does not change the access time.
  public init(_ path: String) throws {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { throw POSIXError(.ENOENT) }
    byteCount = status.st_size
    mode = status.st_mode
    modified = [status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
    changed = [status.st_ctim.tv_sec, status.st_ctim.tv_nsec]
    accessed = [status.st_atim.tv_sec, status.st_atim.tv_nsec]
    digest = try Files.sparseSHA256(path)
  }
}
