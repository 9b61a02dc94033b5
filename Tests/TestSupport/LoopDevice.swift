internal import Foundation
internal import Glibc

/// A loop device over a file, as long as it lives.
public final class LoopDevice: Sendable {
  /// Whether loop devices can be made here: that takes root, and a kernel that lets it.
  public static let isAvailable: Bool = {
    guard geteuid() == 0, let directory = try? TemporaryDirectory(),
      let file = try? directory.write([UInt8](repeating: 0, count: 4096), to: "probe")
    else { return false }
    return withExtendedLifetime(directory) { (try? LoopDevice(over: file)) != nil }
  }()
  /// Why a test that needs them does not run.
  public static let unavailable = "loop devices are needed, which take root and /dev/loop-control"

  /// `/dev/loop7`, for example.
  public let path: String

  /// Attaches a device to a file; `options` are those of losetup.
  public init(over file: String, _ options: [String] = []) throws {
    guard let losetup = ToolRunner(named: "losetup") else { throw POSIXError(.ENOENT) }
    // Another process may take the device between finding and attaching it.
    var attempts = 0
    while true {
      let outcome = try losetup.run(["--find", "--show"] + options + [file])
      if outcome.status == 0, let path = outcome.outputLines.first {
        self.path = path
        return
      }
      attempts += 1
      if attempts == 5 { throw ToolRunner.Failure(outcome) }
    }
  }

  deinit {
    // A device that something still holds goes when that does.
    _ = try? ToolRunner(named: "losetup")?.run(["--detach", path])
  }
}

/// Something that is mounted, as long as this lives.
public final class Mount: Sendable {
  /// Whether file systems can be mounted here.
  public static let isAvailable: Bool = {
    guard geteuid() == 0, let directory = try? TemporaryDirectory() else { return false }
    return withExtendedLifetime(directory) {
      (try? Mount(["-t", "tmpfs", "-o", "size=64k", "none"], at: directory.path)) != nil
    }
  }()
  /// Why a test that needs them does not run.
  public static let unavailable = "file systems must be mounted, which takes root"

  /// Where it is mounted.
  public let path: String

  /// Mounts what mount's `arguments` say at a directory.
  public init(_ arguments: [String], at path: String) throws {
    guard let mount = ToolRunner(named: "mount") else { throw POSIXError(.ENOENT) }
    try mount.succeed(arguments + [path])
    self.path = path
  }

  deinit { _ = try? ToolRunner(named: "umount")?.run([path]) }
}
