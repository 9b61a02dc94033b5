internal import CLinux
internal import Glibc
internal import SystemPackage

/// A socket in the file system, which a child of this process has made.
package struct SocketFile: Sendable {
  /// The maximum length of its path, in bytes.
  package static let pathByteCountMax = 107

  private let path: String
  private let identity: FileIdentity

  /// The socket at a path, for this user only from now on.
  ///
  /// - Throws: If there is none that this user made.
  package init(at path: String) throws(BlockIOError) {
    guard let status = Self.status(of: path), status.st_uid == geteuid() else {
      throw BlockIOError(path, .open, .refused("is not the socket that was made there"))
    }
    self.path = path
    identity = FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    // Never through a link, which somebody may have put in its place.
    guard unsafe fchmodat(AT_FDCWD, path, 0o600, AT_SYMLINK_NOFOLLOW) == 0 else {
      throw BlockIOError(path, .create, .system(Errno(rawValue: Glibc.errno)))
    }
  }

  /// Removes it, but nothing that has taken its place.
  package func remove() {
    guard let status = Self.status(of: path),
      identity == FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    else { return }
    unsafe unlink(path)
  }

  private static func status(of path: String) -> stat? {
    var status = stat()
    guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return nil }
    return status
  }
}
