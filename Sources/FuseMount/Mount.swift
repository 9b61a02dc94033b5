internal import BlockIO
internal import Glibc
internal import Serving

/// `dmsnap-fuse /DIRECTORY KEY=VALUE...`: mounts a snapshot's image, and goes into the background.
///
/// `dmsnap mount` runs it. A report of the served snapshot, or of the failure, goes to the
/// descriptor `report=`.
@main
struct Mount {
  static func main() {
    let arguments = CommandLine.arguments.dropFirst()
    // In the background it is at the root, where a relative path would lead elsewhere.
    guard let directory = arguments.first, directory.hasPrefix("/") else {
      say("usage: dmsnap-fuse /DIRECTORY KEY=VALUE...; `dmsnap mount` runs it")
      exit(64)
    }
    let parameters = arguments.dropFirst().map { argument in
      let pair = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return (key: String(pair[0]), value: pair.count > 1 ? String(pair[1]) : "")
    }
    exit(mount(directory, parameters))
  }

  private static func say(_ line: String) {
    // If it is closed, there is nowhere to report it.
    try? OutputStream.standardError.write(line + "\n")
  }

  /// Mounts, and serves until it is unmounted.
  private static func mount(
    _ directory: String, _ parameters: [(key: String, value: String)]
  ) -> Int32 {
    var descriptor: Int32?
    do {
      let request = try ServeRequest(parameters: parameters)
      descriptor = request.report
      #if Fuse
        // In the background there is no reader for messages: reading fails, or a loss reads as
        // requested.
        let served = try Served(request) { _ in }
        let session = try FuseSession(SnapshotDirectory(served), at: directory)
        do {
          try descriptor.map { try ServeOutcome.served(served.report).write(to: $0) }
        } catch {
          session.end()  // whoever asked for it is gone
          throw error
        }
        return session.serve()
      #else
        throw MountError.notBuilt
      #endif
    } catch {
      guard let descriptor else {
        say("dmsnap-fuse: \(error)")
        return ServeFailure(error).status.rawValue
      }
      try? ServeOutcome.failed(ServeFailure(error)).write(to: descriptor)
      return ServeFailure(error).status.rawValue
    }
  }
}

/// A reason why nothing is mounted.
enum MountError: CodedError {
  /// The program knows nothing of FUSE.
  case notBuilt
  /// The system does not mount there.
  case cannotMount(String)

  var status: ExitStatus { .couldNotFinish }

  var code: String { "mount.failed" }

  var place: ErrorPlace? {
    if case .cannotMount(let directory) = self { ErrorPlace(directory) } else { nil }
  }

  var description: String {
    switch self {
    case .notBuilt: "dmsnap-fuse was built without libfuse3 (the trait Fuse)"
    case .cannotMount(let directory):
      "\(directory): cannot be mounted; it must be a directory that you can write to; see"
        + " fusermount3's message above"
    }
  }
}
