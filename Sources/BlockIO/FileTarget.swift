internal import CLinux
internal import Glibc
public import SystemPackage

/// An existing file or block device, opened for writing in place.
///
/// Opening is where carelessness is stopped: the target must not be mounted, held by a device
/// above it, set read-only, or locked by another process, and nobody else may take it meanwhile
/// (O_EXCL for a device, a lock for a file).
public final class FileTarget: BlockTarget {
  private let source: FileSource

  /// Opens what lies at `path` for writing, or says who is in the way.
  public init(path: FilePath) throws(BlockIOError) {
    let shape = try FileSource(path: path)
    try Self.checkUnused(shape.identity, name: path.string)
    let exclusive = shape.identity.isBlockDevice ? O_EXCL : 0
    // A target that is refused after a look at it has not been touched, its access time included.
    let number = openUntouched(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | exclusive)
    guard number >= 0 else {
      let errno = Errno(rawValue: Glibc.errno)
      let reason: BlockIOError.Reason =
        switch errno {
        case .resourceBusy: .refused("is in use: the system does not let anyone else have it")
        case .readOnlyFileSystem, .permissionDenied, .notPermitted:
          .refused("cannot be written: \(errno)")
        default: .system(errno)
        }
      throw BlockIOError(path.string, .open, reason)
    }
    source = try FileSource(name: path.string, owning: FileDescriptor(rawValue: number))
    guard source.identity == shape.identity else {
      throw BlockIOError(path.string, .open, .refused("was replaced while it was being opened"))
    }
    var flag: CInt = 0
    if source.identity.isBlockDevice, unsafe dmsnap_is_read_only(number, &flag) == 0, flag != 0 {
      throw BlockIOError(
        path.string, .open, .refused("is set read-only (blockdev --setrw undoes it)"))
    }
    if flock(number, LOCK_EX | LOCK_NB) != 0, Glibc.errno == EWOULDBLOCK {
      throw BlockIOError(path.string, .open, .refused("is locked by another process"))
    }
  }

  /// Throws, with who it is, when anyone uses a file or device that is to be written.
  public static func checkUnused(
    _ identity: FileIdentity, name: String
  ) throws(BlockIOError) {
    let holders = DeviceUse.holders(of: identity)
    if !holders.isEmpty {
      throw BlockIOError(name, .open, .refused("is in use: \(holders.joined(separator: ", "))"))
    }
  }

  /// Makes a new file of `byteCount` bytes at `path`, which is a hole all over, and takes care
  /// that its name survives a power cut.
  ///
  /// - Throws: When something is at `path`, and when there is no room for all of it.
  public init(creating path: FilePath, byteCount: UInt64) throws(BlockIOError) {
    let number = unsafe path.withPlatformString {
      unsafe Glibc.open($0, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    }
    guard number >= 0 else {
      throw BlockIOError(path.string, .create, .system(Errno(rawValue: Glibc.errno)))
    }
    let descriptor = FileDescriptor(rawValue: number)
    let length = off_t(exactly: byteCount) ?? .max
    // Room is taken now, so that none is missing later; some file systems cannot.
    let reserved = posix_fallocate(number, 0, length)
    if reserved != 0, reserved != EOPNOTSUPP, reserved != EINVAL {
      close(number)
      _ = unsafe path.withPlatformString { unsafe unlink($0) }
      throw BlockIOError(path.string, .create, .system(Errno(rawValue: reserved)))
    }
    guard reserved == 0 || ftruncate(number, length) == 0 else {
      let errno = Errno(rawValue: Glibc.errno)
      close(number)
      _ = unsafe path.withPlatformString { unsafe unlink($0) }
      throw BlockIOError(path.string, .create, .system(errno))
    }
    flock(number, LOCK_EX | LOCK_NB)  // nobody else knows the file yet
    source = try FileSource(name: path.string, owning: descriptor)
    try OutputFile.flushDirectory(of: path)
  }

  /// Whether anything is at `path`.
  public static func exists(_ path: FilePath) -> Bool {
    var status = stat()
    return unsafe path.withPlatformString { unsafe lstat($0, &status) } == 0
  }

  public var name: String { source.name }
  public var byteCount: UInt64 { source.byteCount }
  /// Which file or device it is.
  public var identity: FileIdentity { source.identity }

  public func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try source.read(at: byteOffset, into: buffer, range)
  }

  public func readUncached(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    try source.readUncached(at: byteOffset, into: buffer, range)
  }

  public func nextData(from byteOffset: UInt64) throws(BlockIOError) -> Range<UInt64>? {
    try source.nextData(from: byteOffset)
  }

  public func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    // Never make a target longer by accident.
    _ = try checkBounds(at: byteOffset, count: range.count, to: .write)
    try source.descriptor.writeFully(at: byteOffset, from: buffer, range, name: name)
  }

  public func flush() throws(BlockIOError) {
    try source.descriptor.flush(name: name)
  }

  /// Tells the cache to forget what it holds of the target, so that the next read asks the medium.
  public func dropCache() {
    posix_fadvise(source.descriptor.rawValue, 0, 0, POSIX_FADV_DONTNEED)
  }
}

extension FileDescriptor {
  /// Writes all of `range` of `buffer`, however many calls that takes.
  func writeFully(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>, name: String
  ) throws(BlockIOError) {
    var done = 0
    while done < range.count {
      let bytes = unsafe buffer.memory(range.lowerBound + done..<range.upperBound)
      let count = unsafe Glibc.pwrite(
        rawValue, bytes.baseAddress, bytes.count, off_t(byteOffset + UInt64(done)))
      if count >= 0 {
        done += count
        continue
      }
      let errno = Errno(rawValue: Glibc.errno)
      if errno == .interrupted { continue }
      throw BlockIOError(
        name, .write, .system(errno), at: byteOffset..<byteOffset + UInt64(range.count))
    }
  }

  /// Flushes data, and the metadata needed to read it again, to the medium.
  func flush(name: String) throws(BlockIOError) {
    guard fdatasync(rawValue) == 0 else {
      throw BlockIOError(name, .flush, .system(Errno(rawValue: Glibc.errno)))
    }
  }
}
