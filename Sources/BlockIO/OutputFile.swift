internal import CLinux
internal import Glibc
public import SystemPackage

/// A new file, which appears under its name only when it is whole.
///
/// It is written without a name; ``publish()`` flushes it and links it to its own, and never
/// replaces what is there. An output that is not published leaves nothing behind, not even when
/// the process is killed. Where the file system has no files without a name, it has a temporary
/// one until then.
public final class OutputFile: BlockTarget, @unchecked Sendable {
  public let name: String
  public let byteCount: UInt64
  private let path: FilePath
  /// Its name until it is published, if it has one.
  private let temporaryPath: FilePath?
  private let source: FileSource
  private var isPublished = false

  /// Begins a file of `byteCount` bytes, all of it a hole, that will be at `path`.
  ///
  /// - Throws: When something is at `path` already.
  public init(path: FilePath, byteCount: UInt64) throws(BlockIOError) {
    name = path.string
    self.path = path
    self.byteCount = byteCount
    try Self.checkAbsent(path)
    // A file without a name gets one through /proc, where there is a /proc.
    let canLink = unsafe access("/proc/self/fd", X_OK) == 0
    var number =
      canLink
      ? unsafe Self.directory(of: path).withPlatformString {
        unsafe Glibc.open($0, O_RDWR | dmsnap_o_tmpfile | O_CLOEXEC, 0o666)
      } : -1
    if !canLink || number < 0 && [EOPNOTSUPP, EISDIR, EINVAL].contains(Glibc.errno) {
      let temporaryPath = FilePath("\(path.string).dmsnap-\(getpid())")
      self.temporaryPath = temporaryPath
      number = unsafe temporaryPath.withPlatformString {
        unsafe Glibc.open($0, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      }
    } else {
      temporaryPath = nil
    }
    guard number >= 0 else {
      throw BlockIOError(name, .create, .system(Errno(rawValue: Glibc.errno)))
    }
    do throws(BlockIOError) {
      guard let length = off_t(exactly: byteCount), ftruncate(number, length) == 0 else {
        let errno = off_t(exactly: byteCount) == nil ? EFBIG : Glibc.errno
        close(number)
        throw BlockIOError(name, .create, .system(Errno(rawValue: errno)))
      }
      source = try FileSource(name: name, owning: FileDescriptor(rawValue: number))
    } catch {
      _ = unsafe temporaryPath?.withPlatformString { unsafe unlink($0) }
      throw error
    }
  }

  deinit {
    if !isPublished { _ = unsafe temporaryPath?.withPlatformString { unsafe unlink($0) } }
  }

  private static func directory(of path: FilePath) -> FilePath {
    let directory = path.removingLastComponent()
    return directory.isEmpty ? FilePath(".") : directory
  }

  /// Throws when something is at `path`: outputs are new files.
  public static func checkAbsent(_ path: FilePath) throws(BlockIOError) {
    if FileTarget.exists(path) {
      throw BlockIOError(path.string, .create, .refused("exists, and is not overwritten"))
    }
  }

  /// Makes a new file of a text.
  public static func write(_ text: String, to path: FilePath) throws(BlockIOError) {
    let bytes = text.utf8
    let buffer = IOBuffer(byteCount: bytes.count)
    buffer.withMutableBytes(0..<bytes.count) { target in
      for (index, byte) in bytes.enumerated() { target[index] = byte }
    }
    let file = try OutputFile(path: path, byteCount: UInt64(bytes.count))
    try file.write(at: 0, from: buffer, 0..<bytes.count)
    try file.publish()
  }

  /// How many bytes can still be written to the file system where `path` would be.
  public static func availableByteCount(at path: FilePath) throws(BlockIOError) -> UInt64 {
    let place = Self.directory(of: path)
    var status = statvfs()
    guard unsafe place.withPlatformString({ unsafe statvfs($0, &status) }) == 0 else {
      throw BlockIOError(path.string, .create, .system(Errno(rawValue: Glibc.errno)))
    }
    return UInt64(status.f_bavail) * UInt64(status.f_frsize)
  }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try source.read(at: byteOffset, into: buffer, range)
  }

  public func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try source.descriptor.writeFully(at: byteOffset, from: buffer, range, name: name)
  }

  public func flush() throws(BlockIOError) {
    try source.descriptor.flush(name: name)
  }

  /// Makes the whole file share the extents of `origin`, which must be as long.
  ///
  /// - Returns: false where the file systems cannot share; then nothing has changed.
  public func clone(from origin: FileSource) -> Bool {
    !origin.identity.isBlockDevice && origin.byteCount == byteCount
      && dmsnap_clone(source.descriptor.rawValue, origin.descriptor.rawValue) == 0
  }

  /// Makes a range share the extents of `other`; see FICLONERANGE for what must be aligned.
  ///
  /// - Returns: false where they cannot be shared; then nothing has changed.
  public func clone(from other: FileSource, at otherOffset: UInt64, to range: Range<UInt64>) -> Bool
  {
    dmsnap_clone_range(
      source.descriptor.rawValue, range.lowerBound, other.descriptor.rawValue, otherOffset,
      UInt64(range.count)) == 0
  }

  /// Makes a hole of a range, which reads as zeroes then.
  ///
  /// - Returns: false where the file system has no holes.
  public func punchHole(_ range: Range<UInt64>) -> Bool {
    dmsnap_punch_hole(source.descriptor.rawValue, range.lowerBound, UInt64(range.count)) == 0
  }

  /// Flushes the file and gives it its name.
  public func publish() throws(BlockIOError) {
    try flush()
    let isNamed = temporaryPath.map(rename(_:)) ?? link()
    guard isNamed else {
      let errno = Errno(rawValue: Glibc.errno)
      throw BlockIOError(
        name, .rename,
        errno == .fileExists ? .refused("exists, and is not overwritten") : .system(errno))
    }
    isPublished = true
    try Self.flushDirectory(of: path)
  }

  /// Gives its name to a file that has none; a link never replaces anything.
  private func link() -> Bool {
    let open = "/proc/self/fd/\(source.descriptor.rawValue)"
    return unsafe path.withPlatformString {
      unsafe linkat(AT_FDCWD, open, AT_FDCWD, $0, AT_SYMLINK_FOLLOW) == 0
    }
  }

  /// Gives its name to a file that has another.
  private func rename(_ temporaryPath: FilePath) -> Bool {
    unsafe temporaryPath.withPlatformString { temporary in
      unsafe path.withPlatformString { final in
        if unsafe dmsnap_rename_exclusively(temporary, final) == 0 { return true }
        // Some file systems cannot rename so; a link never replaces anything either.
        guard Glibc.errno == EINVAL, unsafe Glibc.link(temporary, final) == 0 else { return false }
        _ = unsafe unlink(temporary)
        return true
      }
    }
  }

  /// Flushes the directory that holds `path`, so that the name survives a power cut as well.
  public static func flushDirectory(of path: FilePath) throws(BlockIOError) {
    let place = Self.directory(of: path)
    let number = unsafe place.withPlatformString {
      unsafe Glibc.open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    }
    guard number >= 0 else {
      throw BlockIOError(place.string, .open, .system(Errno(rawValue: Glibc.errno)))
    }
    defer { close(number) }
    // EINVAL: a file system without flushing of directories; there is nothing more to do on it.
    guard fsync(number) == 0 || Glibc.errno == EINVAL else {
      throw BlockIOError(place.string, .flush, .system(Errno(rawValue: Glibc.errno)))
    }
  }
}
