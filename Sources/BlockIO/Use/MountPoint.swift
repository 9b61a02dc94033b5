internal import SystemPackage

/// A directory on which a file system is mounted.
///
/// All facts come from the kernel: the process that serves the file system is not asked; it may be
/// gone, or serve another user only.
///
/// - Source: Linux `/proc/self/fdinfo`, `/proc/self/mountinfo`.
package struct MountPoint: Sendable {
  /// Where it is, without links.
  package let path: String
  /// The type of the file system: `ext4`, `fuse.dmsnap`.
  package let type: String
  /// The mount points below it, the innermost first.
  package let inner: [String]

  /// The mount on a directory itself, not above it; nil if there is none.
  package init?(at directory: String) {
    let place = KernelText.place(of: directory)
    let mounts = KernelText.lines(of: "/proc/self/mountinfo").compactMap { Line($0) }
    guard let place, let own = mounts.last(where: { $0.identifier == place.mount }),
      own.path == place.path
    else { return nil }
    (path, type) = (own.path, own.type)
    var found: [Line] = [own]
    for mount in mounts where found.contains(where: { $0.identifier == mount.parent }) {
      found.append(mount)
    }
    inner = found.dropFirst().reversed().map(\.path)
  }

  /// A line of mountinfo; the type follows a hyphen, after any number of fields.
  private struct Line {
    let identifier: Substring
    let parent: Substring
    let path: String
    let type: String

    init?(_ line: Substring) {
      let fields = line.split(separator: " ")
      guard fields.count > 6, let hyphen = fields[6...].firstIndex(of: "-"),
        hyphen + 1 < fields.count
      else { return nil }
      (identifier, parent) = (fields[0], fields[1])
      path = KernelText.unescaped(fields[4])
      type = KernelText.unescaped(fields[hyphen + 1])
    }
  }
}
