internal import CLinux
internal import Glibc
internal import SystemPackage

/// A new directory that only this user can enter, and that no other user can replace: for a socket,
/// and anything else that lives only as long as a process.
package struct PrivateDirectory: Sendable {
  /// Where it is.
  package let path: String

  /// Makes one in XDG_RUNTIME_DIR, if that is this user's alone, and otherwise in /tmp.
  ///
  /// - Parameter longest: How long the path may become, in bytes; a socket's is limited.
  package init(longest: Int) throws(BlockIOError) {
    // Its name cannot be guessed, so no other user can keep us from making it.
    let name = "dmsnap-\(UInt64.random(in: 0 ... .max))"
    let runtime = unsafe getenv("XDG_RUNTIME_DIR").map { unsafe String(cString: $0) }
    let parent = runtime.flatMap { parent in
      Self.isPrivate(parent) && parent.utf8.count + 1 + name.utf8.count <= longest ? parent : nil
    }
    path = "\(parent ?? "/tmp")/\(name)"
    guard unsafe mkdir(path, 0o700) == 0 else {
      throw BlockIOError(path, .create, .system(Errno(rawValue: Glibc.errno)))
    }
  }

  /// Removes it, with the files in it.
  package func remove() {
    for file in KernelText.names(in: path) { unsafe unlink("\(path)/\(file)") }
    unsafe rmdir(path)
  }

  /// Whether a directory belongs to this user, and no other user can write to it.
  private static func isPrivate(_ directory: String) -> Bool {
    var status = stat()
    guard directory.hasPrefix("/"), unsafe lstat(directory, &status) == 0 else { return false }
    return status.st_mode & S_IFMT == S_IFDIR && status.st_uid == geteuid()
      && status.st_mode & 0o022 == 0
  }
}
