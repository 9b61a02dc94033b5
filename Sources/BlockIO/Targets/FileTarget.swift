internal import CLinux
internal import Glibc
package import SystemPackage

/// An existing file or block device, opened for writing in place.
///
/// Opening it guards against mistakes: the target must not be mounted, held by a device above it,
/// set read-only, or locked by another process, and no other process may take it meanwhile (O_EXCL
/// for a device, locks for both).
package final class FileTarget: BlockTarget, ForwardingSource {
  let source: FileSource
  /// The new file, which gets its name when published; nil for an existing one.
  private let unpublished: UnpublishedFile?

  /// Opens the file or device at `path` for writing, or throws the obstacle.
  package convenience init(path: FilePath) throws(BlockIOError) {
    try self.init(reopening: FileSource(path: path))
  }

  /// Opens the very file or device that was opened for reading, wherever its name leads now, for
  /// writing, or throws the obstacle.
  package init(reopening shape: FileSource) throws(BlockIOError) {
    unpublished = nil
    let path = FilePath(shape.name)
    try Self.checkUnused(shape.identity, name: shape.name)
    let flags =
      O_RDWR | O_CLOEXEC | O_NONBLOCK | (shape.identity.isBlockDevice ? O_EXCL : 0)
    // A target that is refused has not been touched, its access time included.
    var number = openUntouched(
      FilePath("/proc/self/fd/\(shape.descriptor.rawValue)"), flags)
    if number < 0, Glibc.errno == ENOENT { number = openUntouched(path, flags) }  // without /proc
    guard number >= 0 else {
      let errno = Errno(rawValue: Glibc.errno)
      let reason: BlockIOError.Reason =
        switch errno {
        case .resourceBusy: .refused("is in use: \(Self.words(forBusy: shape.identity))")
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
    try TargetLock.take(number, of: source.identity, name: path.string)
  }

  /// Likely causes for a busy device without a known user; all that can be found out.
  private static func words(forBusy identity: FileIdentity) -> String {
    let openers = ProcessUse.openers(of: identity).map { "open in \($0)" }
    let users = ProcessUse.foreignMounts(of: identity) + openers
    return users.isEmpty
      ? "another user holds it exclusively" : users.joined(separator: ", ")
  }

  /// Throws if a file or device that is to be written is in use, and names its users.
  package static func checkUnused(
    _ identity: FileIdentity, name: String
  ) throws(BlockIOError) {
    let holders = DeviceUse.holders(of: identity)
    if !holders.isEmpty {
      throw BlockIOError(name, .open, .refused("is in use: \(holders.joined(separator: ", "))"))
    }
  }

  /// Throws if a file or device could not be opened for writing, or is locked, without opening it
  /// for writing.
  package static func checkWritable(_ file: FileSource) throws(BlockIOError) {
    try TargetLock.checkFree(file.descriptor.rawValue, of: file.identity, name: file.name)
    let path = FilePath("/proc/self/fd/\(file.descriptor.rawValue)")
    guard unsafe path.withPlatformString({ unsafe access($0, W_OK) }) != 0 else { return }
    let errno = Errno(rawValue: Glibc.errno)
    if errno == .noSuchFileOrDirectory { return }  // no /proc: the merge itself will find out
    throw BlockIOError(file.name, .open, .refused("cannot be written: \(errno)"))
  }

  /// Makes a new file of `byteCount` bytes at `path`, all a hole, for this user only, whose name
  /// survives a power cut.
  ///
  /// It has its length before it has its name, whenever the process is killed.
  ///
  /// - Throws: If something is at `path`.
  package convenience init(creating path: FilePath, byteCount: UInt64) throws(BlockIOError) {
    let made = try UnpublishedFile(at: path, byteCount: byteCount, permissions: 0o600)
    let shape = try FileSource(name: path.string, owning: made.descriptor)
    try made.publish(at: path)
    // Opened by its name, because the first descriptor goes by none.
    try self.init(reopening: FileSource(path: path))
    guard identity == shape.identity else {
      throw BlockIOError(path.string, .create, .refused("was replaced while it was being made"))
    }
  }

  /// Begins a new file of `byteCount` bytes, all a hole, for this user only.
  ///
  /// ``publish()`` makes it appear at `path`; before that, nothing is left of it.
  ///
  /// - Throws: If something is at `path`.
  package init(beginning path: FilePath, byteCount: UInt64) throws(BlockIOError) {
    let file = try UnpublishedFile(at: path, byteCount: byteCount, permissions: 0o600)
    unpublished = file
    source = try FileSource(name: path.string, owning: file.descriptor)
    try TargetLock.take(file.descriptor.rawValue, of: source.identity, name: path.string)
  }

  /// Gives a new file its name, which survives a power cut.
  package func publish() throws(BlockIOError) {
    guard let unpublished else { return }
    try unpublished.publish(at: FilePath(name))
  }

  /// Allocates room for all of the file now, so that none is missing later; not everywhere
  /// possible.
  package func reserve() throws(BlockIOError) {
    let reserved = posix_fallocate(
      source.descriptor.rawValue, 0, off_t(exactly: byteCount) ?? .max)
    if reserved != 0, reserved != EOPNOTSUPP, reserved != EINVAL {
      throw BlockIOError(name, .create, .system(Errno(rawValue: reserved)))
    }
  }

  /// Removes a file by its name.
  package static func remove(_ path: FilePath) {
    _ = unsafe path.withPlatformString { unsafe unlink($0) }
  }

  /// Removes a new file in which nothing is to be kept.
  package func discard() { Self.remove(FilePath(name)) }

  /// Whether anything is at `path`.
  package static func exists(_ path: FilePath) -> Bool {
    var status = stat()
    return unsafe path.withPlatformString { unsafe lstat($0, &status) } == 0
  }

  package var base: any BlockSource { source }
  /// Identifies the file or device.
  package var identity: FileIdentity { source.identity }

  package func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    // Never extend a target by accident.
    _ = try checkBounds(at: byteOffset, count: range.count, to: .write)
    try source.descriptor.writeFully(at: byteOffset, from: buffer, range, name: name)
  }

  package func flush() throws(BlockIOError) {
    try source.descriptor.flush(name: name)
  }

  package func readingBack() -> [any BlockSource] {
    if let source = UncachedSource(self) { return [source] }
    posix_fadvise(source.descriptor.rawValue, 0, 0, POSIX_FADV_DONTNEED)
    return [self]
  }

  package func startWriting(_ range: Range<UInt64>) {
    source.descriptor.startWriting(range)
  }
}

extension FileDescriptor {
  /// Writes all of `range` of `buffer`, in as many calls as that takes.
  func writeFully(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>, name: String
  ) throws(BlockIOError) {
    let place = byteOffset..<byteOffset + UInt64(range.count)
    let done = try wrapping(
      { BlockIOError(name, .write, .system($0), at: place) },
      try movingAll(range.count) { done in
        let bytes = unsafe buffer.memory(range.lowerBound + done..<range.upperBound)
        return unsafe Glibc.pwrite(
          rawValue, bytes.baseAddress, bytes.count, off_t(byteOffset + UInt64(done)))
      })
    // No system does this; going on as if all had been written would lose it.
    guard done == range.count else {
      throw BlockIOError(name, .write, .system(.ioError), at: place)
    }
  }

  /// Asks the system to begin to write `range` to the medium; it need not comply.
  func startWriting(_ range: Range<UInt64>) {
    _ = dmsnap_start_writing(rawValue, range.lowerBound, UInt64(range.count))
  }

  /// Flushes data, and the metadata needed to read it again, to the medium.
  func flush(name: String) throws(BlockIOError) {
    guard fdatasync(rawValue) == 0 else {
      throw BlockIOError(name, .flush, .system(Errno(rawValue: Glibc.errno)))
    }
  }
}
