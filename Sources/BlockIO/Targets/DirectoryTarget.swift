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

  /// The metadata of a file.
  package struct Attributes: Sendable {
    /// Its owner; nil to leave it the user's.
    package var owner: (user: UInt32, group: UInt32)?
    /// The lower twelve bits of its mode.
    package var permissions: UInt16
    /// When it was last read.
    package var accessed: (seconds: Int64, nanoseconds: UInt32)
    /// When its content was last changed.
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
  package enum Special: Equatable, Sendable {
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
    let found = unsafe part.withName {
      unsafe openat(number, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    }
    guard found >= 0 else { throw error(part, .open) }
    return DirectoryTarget(name: path(part), owning: found)
  }

  /// Makes a directory in it, which only its owner may enter until it is given its mode.
  ///
  /// - Returns: false if there is one of that name already.
  package func makeDirectory(_ part: [UInt8]) throws(BlockIOError) -> Bool {
    if unsafe part.withName({ unsafe mkdirat(number, $0, 0o700) }) == 0 { return true }
    guard Glibc.errno == EEXIST else { throw error(part, .create) }
    _ = try directory(part)
    return false
  }

  /// The identity of the directory, whatever its path.
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

  /// Flushes the file system that it is on.
  package func flush() throws(BlockIOError) {
    guard dmsnap_flush_all(number) == 0 else {
      throw BlockIOError(name, .flush, .system(Errno(rawValue: Glibc.errno)))
    }
  }

  // MARK: - What is there already

  /// The kind of entry at a name.
  package enum Kind: Equatable, Sendable {
    case directory, link, regular
    case special(Special)
  }

  /// The kind of entry at a name; nil if there is none.
  package func kind(of part: [UInt8]) throws(BlockIOError) -> Kind? {
    guard let status = try status(of: part) else { return nil }
    let number = UInt64(status.st_rdev)
    let device = (dmsnap_major(number), dmsnap_minor(number))
    switch status.st_mode & S_IFMT {
    case S_IFDIR: return .directory
    case S_IFLNK: return .link
    case S_IFREG: return .regular
    case S_IFIFO: return .special(.fifo)
    case S_IFCHR: return .special(.characterDevice(major: device.0, minor: device.1))
    case S_IFBLK: return .special(.blockDevice(major: device.0, minor: device.1))
    default: return .special(.socket)
    }
  }

  private func status(of part: [UInt8]) throws(BlockIOError) -> stat? {
    var status = stat()
    let result = unsafe part.withName {
      unsafe fstatat(number, $0, &status, AT_SYMLINK_NOFOLLOW)
    }
    if result == 0 { return status }
    guard Glibc.errno == ENOENT else { throw error(part, .open) }
    return nil
  }

  /// The identity of the entry at a name, which must exist.
  package func identity(of part: [UInt8]) throws(BlockIOError) -> FileIdentity {
    guard let status = try status(of: part) else {
      throw BlockIOError(path(part), .open, .system(.noSuchFileOrDirectory))
    }
    return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
  }

  /// The target of a symbolic link, which must exist.
  package func target(ofLink part: [UInt8]) throws(BlockIOError) -> [UInt8] {
    var target = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = unsafe part.withName {
      unsafe readlinkat(number, $0, &target, target.count)
    }
    guard count >= 0 else { throw error(part, .open) }
    return target.prefix(count).map { UInt8(bitPattern: $0) }
  }

  /// Opens a regular file that is there, to be read; its owner may have to be allowed that.
  package func file(_ part: [UInt8]) throws(BlockIOError) -> FileSource {
    func open() -> CInt {
      unsafe part.withName {
        unsafe openat(number, $0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
      }
    }
    var found = open()
    if found < 0, Glibc.errno == EACCES {
      try permit(0o600, part)
      found = open()
    }
    guard found >= 0 else { throw error(part, .open) }
    return try FileSource(name: path(part), owning: FileDescriptor(rawValue: found))
  }

  /// Lets only its owner use a directory that is there, until it is given its mode.
  package func reclaim(_ part: [UInt8]) throws(BlockIOError) { try permit(0o700, part) }

  private func permit(_ permissions: mode_t, _ part: [UInt8]) throws(BlockIOError) {
    let result = unsafe part.withName {
      unsafe fchmodat(number, $0, permissions, AT_SYMLINK_NOFOLLOW)
    }
    guard result == 0 else { throw error(part, .write) }
  }

  /// Gives a file that was opened its attributes.
  ///
  /// - Returns: The names of the extended attributes that it may not have.
  package func set(
    _ attributes: Attributes, of file: FileSource
  ) throws(BlockIOError) -> [[UInt8]] {
    try Self.set(attributes, of: file.descriptor.rawValue, named: file.name)
  }

  // MARK: - Files

  /// Begins a regular file of that length, all a hole, which only its owner may read until it is
  /// given its mode, and which gets its name when it is published.
  package func makeFile(
    _ part: [UInt8], byteCount: UInt64
  ) throws(BlockIOError) -> NewFile {
    guard try kind(of: part) == nil else { throw exists(part) }
    let suffix = String(UInt64.random(in: 0 ... .max), radix: 16)
    do throws(Errno) {
      let file = try UnpublishedFile(
        part, in: [UInt8(ascii: ".")], relativeTo: number,
        temporaryName: Array(".dmsnap-\(suffix)".utf8), permissions: 0o600)
      return try NewFile(part, in: self, named: path(part), file, byteCount: byteCount)
    } catch {
      throw BlockIOError(path(part), .create, .system(error))
    }
  }

  /// Makes a symbolic link.
  package func makeLink(_ part: [UInt8], to target: [UInt8]) throws(BlockIOError) {
    let made = unsafe target.withName { target in
      unsafe part.withName { unsafe symlinkat(target, number, $0) }
    }
    guard made == 0 else { throw error(part, .create) }
  }

  /// Makes another name of a file, which is not followed if it is a symbolic link.
  package func makeHardLink(
    _ part: [UInt8], to other: [UInt8], in directory: DirectoryTarget
  ) throws(BlockIOError) {
    let made = unsafe other.withName { other in
      unsafe part.withName { unsafe linkat(directory.number, other, number, $0, 0) }
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
    let made = unsafe part.withName { unsafe mknodat(number, $0, type | 0o600, dev_t(device)) }
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
      let result = unsafe part.withName {
        unsafe fchownat(number, $0, owner.user, owner.group, AT_SYMLINK_NOFOLLOW)
      }
      try Self.note(result, "its owner", &refused, path(part))
    }
    if !isLink {
      // Somebody else may have put a link in its place, if the directory was there before.
      let result = unsafe part.withName {
        unsafe fchmodat(number, $0, mode_t(attributes.keptPermissions), AT_SYMLINK_NOFOLLOW)
      }
      try Self.note(result, "its mode", &refused, path(part))
    }
    let place = Array("/proc/self/fd/\(number)/".utf8) + part
    refused += attributes.extended.filter { attribute in
      unsafe place.withName { place in
        unsafe attribute.name.withName { name in
          unsafe attribute.value.withUnsafeBytes {
            unsafe lsetxattr(place, name, $0.baseAddress, $0.count, 0)
          }
        }
      } != 0
    }.map(\.name)
    let times = attributes.times
    let result = unsafe part.withName {
      unsafe utimensat(number, $0, times, AT_SYMLINK_NOFOLLOW)
    }
    try Self.note(result, "its times", &refused, path(part))
    return refused
  }

  /// Notes attributes that a file may not have, because of the user's rights or of the file
  /// system's kind.
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

  static func set(
    _ attributes: Attributes, of number: CInt, named name: String
  ) throws(BlockIOError) -> [[UInt8]] {
    var refused: [[UInt8]] = []
    // First the owner: a change of it takes bits of the mode, and capabilities, away.
    if let owner = attributes.owner {
      try note(fchown(number, owner.user, owner.group), "its owner", &refused, name)
    }
    refused += attributes.extended.filter { attribute in
      unsafe attribute.name.withName { attributeName in
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
    return errno == .fileExists
      ? exists(part) : BlockIOError(path(part), operation, .system(errno))
  }

  /// The error that something is there already.
  func exists(_ part: [UInt8]) -> BlockIOError {
    BlockIOError(path(part), .create, .refused("exists, and is not overwritten"))
  }
}

extension DirectoryTarget.Attributes {
  /// The mode without the bits that would give a program its owner's rights, if the owner is
  /// another.
  fileprivate var keptPermissions: UInt16 { owner == nil ? permissions & 0o1777 : permissions }

  fileprivate var times: [timespec] {
    [accessed, modified].map {
      timespec(tv_sec: Int(clamping: $0.seconds), tv_nsec: Int(min($0.nanoseconds, 999_999_999)))
    }
  }
}
