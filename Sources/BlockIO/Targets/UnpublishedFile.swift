internal import CLinux
internal import Glibc
internal import SystemPackage

/// A regular file that is being written, and gets its name only when it is whole.
///
/// It has no name until then: nothing is left of it, even if the process is killed. On a file
/// system without unnamed files it has a temporary one. One thread at a time publishes it.
final class UnpublishedFile: @unchecked Sendable {
  /// The descriptor to write through; a caller that takes it closes it.
  let descriptor: FileDescriptor
  private let name: [UInt8]
  /// The directory that names are relative to.
  private let directory: CInt
  /// Its name until it is published, if it has one.
  private var temporaryName: [UInt8]?

  /// Begins a file.
  ///
  /// - Parameters:
  ///   - name: The name that it will have.
  ///   - folder: The directory of that name.
  ///   - directory: The descriptor that both are relative to.
  ///   - temporaryName: Its name until then, if it needs one.
  init(
    _ name: [UInt8], in folder: [UInt8], relativeTo directory: CInt, temporaryName: [UInt8],
    permissions: mode_t
  ) throws(Errno) {
    (self.name, self.directory) = (name, directory)
    // A file without a name gets one through /proc, if there is a /proc.
    let canLink = unsafe access("/proc/self/fd", X_OK) == 0
    var number =
      canLink
      ? unsafe folder.withName {
        unsafe openat(directory, $0, O_RDWR | dmsnap_o_tmpfile | O_CLOEXEC, permissions)
      } : -1
    if !canLink || number < 0 && [EOPNOTSUPP, EISDIR, EINVAL].contains(Glibc.errno) {
      number = unsafe temporaryName.withName {
        unsafe openat(
          directory, $0, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, permissions)
      }
      self.temporaryName = temporaryName
    }
    descriptor = FileDescriptor(rawValue: number)
    guard number >= 0 else {
      let errno = Errno(rawValue: Glibc.errno)
      self.temporaryName = nil
      throw errno
    }
  }

  /// Begins a file of `byteCount` bytes, all a hole, that will be at `path`.
  ///
  /// - Throws: If something is at `path` already.
  convenience init(
    at path: FilePath, byteCount: UInt64, permissions: mode_t
  ) throws(BlockIOError) {
    try OutputFile.checkAbsent(path)
    do throws(Errno) {
      try self.init(
        path.bytes, in: OutputFile.directory(of: path).bytes, relativeTo: AT_FDCWD,
        temporaryName: path.bytes + Array(".dmsnap-\(getpid())".utf8), permissions: permissions)
    } catch {
      throw BlockIOError(path.string, .create, .system(error))
    }
    guard let length = off_t(exactly: byteCount), ftruncate(descriptor.rawValue, length) == 0
    else {
      let errno = off_t(exactly: byteCount) == nil ? EFBIG : Glibc.errno
      try? descriptor.close()  // the error that matters is the one being thrown
      throw BlockIOError(path.string, .create, .system(Errno(rawValue: errno)))
    }
  }

  deinit { removeTemporary() }

  private func removeTemporary() {
    _ = unsafe temporaryName?.withName { unsafe unlinkat(directory, $0, 0) }
    temporaryName = nil
  }

  /// Gives it its name, and never replaces anything.
  func publish() throws(Errno) {
    let isNamed = unsafe name.withName { name in
      guard let temporaryName else {
        let open = "/proc/self/fd/\(descriptor.rawValue)"
        return unsafe linkat(AT_FDCWD, open, directory, name, AT_SYMLINK_FOLLOW) == 0
      }
      return unsafe temporaryName.withName { unsafe rename($0, to: name) }
    }
    guard isNamed else { throw Errno(rawValue: Glibc.errno) }
  }

  /// Gives it its name, which survives a power cut.
  func publish(at path: FilePath) throws(BlockIOError) {
    do throws(Errno) { try publish() } catch {
      throw BlockIOError(
        path.string, .rename,
        error == .fileExists ? .refused("exists, and is not overwritten") : .system(error))
    }
    do throws(BlockIOError) { try OutputFile.flushDirectory(of: path) } catch {
      FileTarget.remove(path)
      throw error
    }
  }

  private func rename(
    _ temporary: UnsafePointer<CChar>, to name: UnsafePointer<CChar>
  ) -> Bool {
    if unsafe dmsnap_rename_exclusively(directory, temporary, name) == 0 {
      temporaryName = nil
      return true
    }
    // Some file systems lack this kind of rename; a link never replaces anything either.
    guard Glibc.errno == EINVAL else { return false }
    if unsafe linkat(directory, temporary, directory, name, 0) == 0 { return true }
    guard [EPERM, EOPNOTSUPP, ENOSYS, EMLINK].contains(Glibc.errno) else { return false }
    // Some file systems lack links as well: the replaced name was made just before.
    let placeholder = unsafe openat(
      directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard placeholder >= 0 else { return false }
    close(placeholder)
    guard unsafe renameat(directory, temporary, directory, name) == 0 else {
      let errno = Glibc.errno
      _ = unsafe unlinkat(directory, name, 0)
      Glibc.errno = errno
      return false
    }
    temporaryName = nil
    return true
  }
}

extension [UInt8] {
  /// Lends a name with the zero that ends it for the system.
  ///
  /// A zero within a name would cut off the rest: callers have no such names.
  func withName<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    unsafe (map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { bytes in
      guard let start = bytes.baseAddress else { preconditionFailure("an array without memory") }
      return unsafe body(start)
    }
  }
}

extension FilePath {
  /// Its bytes, without the zero that ends it for the system.
  var bytes: [UInt8] {
    unsafe withPlatformString { path in
      unsafe UnsafeBufferPointer(start: path, count: strlen(path)).map { UInt8(bitPattern: $0) }
    }
  }
}
