internal import CLinux
internal import Glibc
public import SystemPackage

/// A new file, which appears under its name only when it is complete.
///
/// It is written without a name; ``publish()`` flushes it and links it to its name, and never
/// replaces an existing file. An output that is not published leaves nothing behind, even if the
/// process is killed. On a file system without unnamed files, it has a temporary name until then.
public final class OutputFile: BlockTarget, ForwardingSource, @unchecked Sendable {
  public let name: String
  public let byteCount: UInt64
  private let path: FilePath
  /// Its name until it is published, if it has one.
  private let temporaryPath: FilePath?
  let source: FileSource
  private var isPublished = false

  /// Begins a file of `byteCount` bytes, all a hole, that will be at `path`.
  ///
  /// - Throws: If something is at `path` already.
  public init(path: FilePath, byteCount: UInt64) throws(BlockIOError) {
    name = path.string
    self.path = path
    self.byteCount = byteCount
    try Self.checkAbsent(path)
    // A file without a name gets one through /proc, if there is a /proc.
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

  /// How many bytes can still be written to the file system of `path`.
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

  /// Gives its name to a file without one; a link never replaces anything.
  private func link() -> Bool {
    let open = "/proc/self/fd/\(source.descriptor.rawValue)"
    return unsafe path.withPlatformString {
      unsafe linkat(AT_FDCWD, open, AT_FDCWD, $0, AT_SYMLINK_FOLLOW) == 0
    }
  }

  /// Gives its name to a file that has a temporary one.
  private func rename(_ temporaryPath: FilePath) -> Bool {
    unsafe temporaryPath.withPlatformString { temporary in
      unsafe path.withPlatformString { final in
        if unsafe dmsnap_rename_exclusively(temporary, final) == 0 { return true }
        // Some file systems lack this kind of rename; a link never replaces anything either.
        guard Glibc.errno == EINVAL, unsafe Glibc.link(temporary, final) == 0 else { return false }
        _ = unsafe unlink(temporary)
        return true
      }
    }
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
