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

/// A loop device with two partitions of 4 MiB, the first at 1 MiB, as long as it lives.
public final class PartitionedDisk: Sendable {
  /// Whether the kernel knows partitions on loop devices.
  public static let isAvailable: Bool = {
    guard LoopDevice.isAvailable, let directory = try? TemporaryDirectory() else { return false }
    return withExtendedLifetime(directory) {
      (try? directory.write(sparse: 16 << 20, [], to: "probe"))
        .flatMap { try? PartitionedDisk(on: $0) } != nil
    }
  }()
  /// Why a test that needs one does not run.
  public static let unavailable =
    "loop devices with partitions are needed, which take root, sfdisk and partx"

  /// The whole.
  public let disk: LoopDevice
  /// `/dev/loop7p1`, for example, and the second.
  public let partitions: [String]

  /// Writes a table to a file, the first 512 bytes of it, and attaches the file.
  public init(on file: String) throws {
    guard let sh = ToolRunner(named: "sh"), let partx = ToolRunner(named: "partx") else {
      throw POSIXError(.ENOENT)
    }
    try sh.succeed([
      "-c", #"printf 'start=2048,size=8192\nstart=10240,size=8192\n' | sfdisk -q -W never "$0""#,
      file,
    ])
    let disk = try LoopDevice(over: file, ["--partscan"])
    self.disk = disk
    partitions = [1, 2].map { "\(disk.path)p\($0)" }
    // Some kernels know no partition tables, but take what they are told.
    if !Files.exist(partitions[0]) { try partx.succeed(["--add", disk.path]) }
    guard partitions.allSatisfy(Files.exist) else { throw POSIXError(.ENODEV) }
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
