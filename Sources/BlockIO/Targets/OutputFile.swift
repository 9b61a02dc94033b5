internal import CLinux
internal import Glibc
public import SystemPackage

/// A new file, which appears under its name only when it is complete.
///
/// It is written without a name; ``publish()`` flushes it and links it to its name, and never
/// replaces an existing file. An unpublished output leaves no file, even if the process is killed.
/// On a file system without unnamed files, it has a temporary name until then.
public final class OutputFile: BlockTarget, ForwardingSource {
  public let name: String
  public let byteCount: UInt64
  private let path: FilePath
  private let file: UnpublishedFile
  let source: FileSource

  /// Begins a file of `byteCount` bytes, all a hole, that will be at `path`.
  ///
  /// - Throws: If something is at `path` already.
  public init(path: FilePath, byteCount: UInt64) throws(BlockIOError) {
    name = path.string
    self.path = path
    self.byteCount = byteCount
    file = try UnpublishedFile(at: path, byteCount: byteCount, permissions: 0o666)
    source = try FileSource(name: name, owning: file.descriptor)
  }

  static func directory(of path: FilePath) -> FilePath {
    let directory = path.removingLastComponent()
    return directory.isEmpty ? FilePath(".") : directory
  }

  /// A name in TMPDIR, or in /tmp, for a file that is never published.
  static func temporaryPath() -> FilePath {
    let directory = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    return FilePath("\(directory)/dmsnap-\(getpid()).tmp")
  }

  /// Throws if something is at `path`: outputs are new files.
  package static func checkAbsent(_ path: FilePath) throws(BlockIOError) {
    if FileTarget.exists(path) {
      throw BlockIOError(path.string, .create, .refused("exists, and is not overwritten"))
    }
  }

  /// The number of bytes that can still be written to the file system of `path`.
  package static func availableByteCount(at path: FilePath) throws(BlockIOError) -> UInt64 {
    let place = Self.directory(of: path)
    var status = statvfs()
    guard unsafe place.withPlatformString({ unsafe statvfs($0, &status) }) == 0 else {
      throw BlockIOError(path.string, .create, .system(Errno(rawValue: Glibc.errno)))
    }
    return UInt64(status.f_bavail) * UInt64(status.f_frsize)
  }

  package var base: any BlockSource { source }

  /// None: it is written, and so is never unchanged.
  public var files: [FileSource] { [] }

  public func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    _ = try checkBounds(at: byteOffset, count: range.count, to: .write)
    try source.descriptor.writeFully(at: byteOffset, from: buffer, range, name: name)
  }

  package func startWriting(_ range: Range<UInt64>) {
    source.descriptor.startWriting(range)
  }

  package func flush() throws(BlockIOError) {
    try source.descriptor.flush(name: name)
  }

  /// Makes the whole file share the extents of `origin`, which must be as long.
  ///
  /// - Returns: false if the file systems cannot share; then nothing has changed.
  package func clone(from origin: FileSource) -> Bool {
    !origin.identity.isBlockDevice && origin.byteCount == byteCount
      && dmsnap_clone(source.descriptor.rawValue, origin.descriptor.rawValue) == 0
  }

  /// Zeroes a range: a hole, if the file system has holes.
  package func zero(_ range: Range<UInt64>) throws(BlockIOError) {
    _ = try checkBounds(at: range.lowerBound, count: range.count, to: .write)
    let number = source.descriptor.rawValue
    if dmsnap_punch_hole(number, range.lowerBound, UInt64(range.count)) == 0 { return }
    let zeroes = IOBuffer(byteCount: min(range.count, 1 << 20))
    var position = range.lowerBound
    while position < range.upperBound {
      let count = Int(min(range.upperBound - position, UInt64(zeroes.byteCount)))
      try write(at: position, from: zeroes, 0..<count)
      position += UInt64(count)
    }
  }

  /// Flushes the file and gives it its name.
  public func publish() throws(BlockIOError) {
    try flush()
    try file.publish(at: path)
  }

  /// Flushes the directory that holds `path`, so that the name survives a power cut too.
  static func flushDirectory(of path: FilePath) throws(BlockIOError) {
    let place = Self.directory(of: path)
    let number = unsafe place.withPlatformString {
      unsafe Glibc.open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    }
    guard number >= 0 else {
      throw BlockIOError(place.string, .open, .system(Errno(rawValue: Glibc.errno)))
    }
    defer { close(number) }
    // EINVAL: the file system cannot flush directories; there is nothing more to do.
    guard fsync(number) == 0 || Glibc.errno == EINVAL else {
      throw BlockIOError(place.string, .flush, .system(Errno(rawValue: Glibc.errno)))
    }
  }
}
