internal import CLinux
internal import Glibc
package import SystemPackage

/// A directory in which new files are made, and nothing is ever replaced.
///
/// Everything is made relative to its descriptor, by a name of one component, and no symbolic link
/// is followed: nothing outside the directory can be reached, whatever names a disk has.
package final class DirectoryTarget: Sendable {
  /// Its path, for messages.
  package let name: String
  private let number: CInt

  /// What can be said of a file besides its content.
  package struct Attributes: Sendable {
    /// Who owns it; nil to leave it the user's.
    package var owner: (user: UInt32, group: UInt32)?
    /// The lower twelve bits of its mode.
    package var permissions: UInt16
    /// When it was read last.
    package var accessed: (seconds: Int64, nanoseconds: UInt32)
    /// When its content was changed last.
    package var modified: (seconds: Int64, nanoseconds: UInt32)
    /// Its extended attributes.
    package var extended: [(name: [UInt8], value: [UInt8])]

    /// Those attributes.
    package init(
      owner: (user: UInt32, group: UInt32)?, permissions: UInt16,
      accessed: (seconds: Int64, nanoseconds: UInt32),
      modified: (seconds: Int64, nanoseconds: UInt32),
      extended: [(name: [UInt8], value: [UInt8])] = []
    ) {
      (self.owner, self.permissions, self.extended) = (owner, permissions, extended)
      (self.accessed, self.modified) = (accessed, modified)
    }
  }

  /// A file that is neither regular, a directory nor a link.
  package enum Special: Sendable {
    case fifo, socket
    case characterDevice(major: UInt32, minor: UInt32)
    case blockDevice(major: UInt32, minor: UInt32)
  }

  /// Opens a directory, and makes it if nothing is there.
  package init(path: FilePath) throws(BlockIOError) {
    name = path.string
    number = unsafe path.withPlatformString { path in
      _ = unsafe mkdir(path, 0o777)
      return unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    }
    guard number >= 0 else {
      throw BlockIOError(name, .create, .system(Errno(rawValue: Glibc.errno)))
    }
  }

  private init(name: String, owning number: CInt) { (self.name, self.number) = (name, number) }

  deinit { close(number) }

  /// Whether files can be given to other users.
  package static var canGiveAway: Bool { geteuid() == 0 }

  // MARK: - Directories

  /// Opens a directory in it.
  package func directory(_ part: [UInt8]) throws(BlockIOError) -> DirectoryTarget {
    let found = unsafe withName(part) {
      unsafe openat(number, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    }
    guard found >= 0 else { throw error(part, .open) }
    return DirectoryTarget(name: path(part), owning: found)
  }

  /// Makes a directory in it, which only its owner may enter until it is given its mode.
  ///
  /// - Returns: false if there is one of that name already.
  package func makeDirectory(_ part: [UInt8]) throws(BlockIOError) -> Bool {
    if unsafe withName(part, { unsafe mkdirat(number, $0, 0o700) }) == 0 { return true }
    guard Glibc.errno == EEXIST else { throw error(part, .create) }
    _ = try directory(part)
    return false
  }

  /// What identifies it, whatever its path.
  package func identity() throws(BlockIOError) -> FileIdentity {
    var status = stat()
    guard unsafe fstat(number, &status) == 0 else {
      throw BlockIOError(name, .open, .system(Errno(rawValue: Glibc.errno)))
    }
    return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
  }

  /// Gives the directory itself its attributes.
  ///
  /// - Returns: The names of the extended attributes that it may not have.
  package func set(_ attributes: Attributes) throws(BlockIOError) -> [[UInt8]] {
    try Self.set(attributes, of: number, named: name)
  }

  // MARK: - Files

  /// Makes a regular file of that length, all a hole, which only its owner may read until it is
  /// given its mode.
  package func makeFile(
    _ part: [UInt8], byteCount: UInt64
  ) throws(BlockIOError) -> NewFile {
    let made = unsafe withName(part) {
      unsafe openat(number, $0, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    }
    guard made >= 0 else { throw error(part, .create) }
    let file = NewFile(name: path(part), owning: made, byteCount: byteCount)
    guard let length = off_t(exactly: byteCount), ftruncate(made, length) == 0 else {
      throw BlockIOError(
        file.name, .create,
        .system(off_t(exactly: byteCount) == nil ? .fileTooLarge : Errno(rawValue: Glibc.errno)))
    }
    return file
  }

  /// Makes a symbolic link.
  package func makeLink(_ part: [UInt8], to target: [UInt8]) throws(BlockIOError) {
    let made = unsafe withName(target) { target in
      unsafe withName(part) { unsafe symlinkat(target, number, $0) }
    }
    guard made == 0 else { throw error(part, .create) }
  }

  /// Makes another name of a file, which is not followed if it is a symbolic link.
  package func makeHardLink(
    _ part: [UInt8], to other: [UInt8], in directory: DirectoryTarget
  ) throws(BlockIOError) {
    let made = unsafe withName(other) { other in
      unsafe withName(part) { unsafe linkat(directory.number, other, number, $0, 0) }
    }
    guard made == 0 else { throw error(part, .create) }
  }

  /// Makes a pipe, a socket or a device.
  package func makeSpecial(_ part: [UInt8], _ special: Special) throws(BlockIOError) {
    let (type, device): (mode_t, UInt64) =
      switch special {
      case .fifo: (S_IFIFO, 0)
      case .socket: (S_IFSOCK, 0)
      case .characterDevice(let major, let minor): (S_IFCHR, dmsnap_device(major, minor))
      case .blockDevice(let major, let minor): (S_IFBLK, dmsnap_device(major, minor))
      }
    let made = unsafe withName(part) { unsafe mknodat(number, $0, type | 0o600, dev_t(device)) }
    guard made == 0 else { throw error(part, .create) }
  }

  /// Gives a file that is not opened, a link or a special one, its attributes.
  ///
  /// - Returns: The names of the extended attributes that it may not have.
  package func set(
    _ attributes: Attributes, of part: [UInt8], isLink: Bool
  ) throws(BlockIOError) -> [[UInt8]] {
    var refused: [[UInt8]] = []
    if let owner = attributes.owner {
      let result = unsafe withName(part) {
        unsafe fchownat(number, $0, owner.user, owner.group, AT_SYMLINK_NOFOLLOW)
      }
      try Self.note(result, "its owner", &refused, path(part))
    }
    if !isLink {
      // Somebody else may have put a link in its place, if the directory was there before.
      let result = unsafe withName(part) {
        unsafe fchmodat(number, $0, mode_t(attributes.keptPermissions), AT_SYMLINK_NOFOLLOW)
      }
      try Self.note(result, "its mode", &refused, path(part))
    }
    let place = Array("/proc/self/fd/\(number)/".utf8) + part
    refused += attributes.extended.filter { attribute in
      unsafe withName(place) { place in
        unsafe withName(attribute.name) { name in
          unsafe attribute.value.withUnsafeBytes {
            unsafe lsetxattr(place, name, $0.baseAddress, $0.count, 0)
          }
        }
      } != 0
    }.map(\.name)
    let times = attributes.times
    let result = unsafe withName(part) {
      unsafe utimensat(number, $0, times, AT_SYMLINK_NOFOLLOW)
    }
    try Self.note(result, "its times", &refused, path(part))
    return refused
  }

  /// Notes what a file may not have, because of the user's rights or of the file system's kind.
  private static func note(
    _ result: CInt, _ what: String, _ refused: inout [[UInt8]], _ name: String
  ) throws(BlockIOError) {
    if result == 0 { return }
    let errno = Errno(rawValue: Glibc.errno)
    let isRefused: [Errno] = [
      .notPermitted, .invalidArgument, .notSupportedOnSocket, .notSupported,
    ]
    guard isRefused.contains(errno) else { throw BlockIOError(name, .write, .system(errno)) }
    refused.append(Array(what.utf8))
  }

  fileprivate static func set(
    _ attributes: Attributes, of number: CInt, named name: String
  ) throws(BlockIOError) -> [[UInt8]] {
    var refused: [[UInt8]] = []
    // First the owner: a change of it takes bits of the mode, and capabilities, away.
    if let owner = attributes.owner {
      try note(fchown(number, owner.user, owner.group), "its owner", &refused, name)
    }
    refused += attributes.extended.filter { attribute in
      unsafe withName(attribute.name) { attributeName in
        unsafe attribute.value.withUnsafeBytes {
          unsafe fsetxattr(number, attributeName, $0.baseAddress, $0.count, 0)
        }
      } != 0
    }.map(\.name)
    try note(fchmod(number, mode_t(attributes.keptPermissions)), "its mode", &refused, name)
    if attributes.keptPermissions != attributes.permissions {
      refused.append(Array("a part of its mode".utf8))
    }
    try note(unsafe futimens(number, attributes.times), "its times", &refused, name)
    return refused
  }

  private func path(_ part: [UInt8]) -> String {
    "\(name)/\(String(decoding: part, as: UTF8.self))"
  }

  private func error(_ part: [UInt8], _ operation: BlockIOError.Operation) -> BlockIOError {
    let errno = Errno(rawValue: Glibc.errno)
    return BlockIOError(
      path(part), operation,
      errno == .fileExists ? .refused("exists, and is not overwritten") : .system(errno))
  }
}

extension DirectoryTarget.Attributes {
  /// The mode without what would give a program its owner's rights, if the owner is another.
  fileprivate var keptPermissions: UInt16 { owner == nil ? permissions & 0o1777 : permissions }

  fileprivate var times: [timespec] {
    [accessed, modified].map {
      timespec(tv_sec: Int(clamping: $0.seconds), tv_nsec: Int(min($0.nanoseconds, 999_999_999)))
    }
  }
}

/// Lends a name with the zero that ends it for the system.
///
/// What follows a zero within a name would be cut off: callers have no such names.
private func withName<Result>(
  _ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Result
) -> Result {
  unsafe (name.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { bytes in
    guard let start = bytes.baseAddress else { preconditionFailure("an array without memory") }
    return unsafe body(start)
  }
}

/// A regular file that is being made in a ``DirectoryTarget``; it has its name from the beginning.
package final class NewFile: BlockTarget {
  package let name: String
  package let byteCount: UInt64
  private let descriptor: FileDescriptor

  fileprivate init(name: String, owning number: CInt, byteCount: UInt64) {
    (self.name, self.byteCount) = (name, byteCount)
    descriptor = FileDescriptor(rawValue: number)
  }

  deinit { try? descriptor.close() }  // writes were checked as they were made

  package func read(
    at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    let bytes = try checkBounds(at: byteOffset, count: range.count)
    try descriptor.readFully(bytes, into: buffer, range, name: name)
  }

  package func write(
    at byteOffset: UInt64, from buffer: IOBuffer, _ range: Range<Int>
  ) throws(BlockIOError) {
    _ = try checkBounds(at: byteOffset, count: range.count, to: .write)
    try descriptor.writeFully(at: byteOffset, from: buffer, range, name: name)
  }

  package func flush() throws(BlockIOError) { try descriptor.flush(name: name) }

  package func startWriting(_ range: Range<UInt64>) { descriptor.startWriting(range) }

  /// Gives it its attributes.
  ///
  /// - Returns: The names of the extended attributes that it may not have.
  package func set(_ attributes: DirectoryTarget.Attributes) throws(BlockIOError) -> [[UInt8]] {
    try DirectoryTarget.set(attributes, of: descriptor.rawValue, named: name)
  }
}
