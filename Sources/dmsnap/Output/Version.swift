import Blkid

/// The output of `dmsnap --version`.
enum Version {
  /// The version itself, which is also JSON's.
  static let number = "0.1.0"

  /// The version, and other facts that affect dmsnap's view of a store.
  static var page: String {
    """
    dmsnap \(number)\(builtCommit.map { " (\($0))" } ?? "")
    Swift \(_SwiftStdlibVersion.current)
    libblkid \(Probe.libraryVersion)
    kernel rules: Linux 6.1 and 6.12
    """
  }
}
