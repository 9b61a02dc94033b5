import ArgumentParser
import BlockIO
import FoundationEssentials
import Glibc
import Inputs
import Serving
import SnapshotKit
import SystemPackage

/// `dmsnap mount`: the snapshot as a file.
struct MountCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mount",
    abstract: "Shows the snapshot as a file, DIR/snapshot.img, without copying it (FUSE).",
    usage: """
      dmsnap mount STORE DIR --origin ORIGIN [--loop] [OPTIONS]
      dmsnap mount VG/SNAPSHOT DIR --pv PATH... [--loop] [OPTIONS]
      dmsnap mount --end DIR
      """,
    discussion: """
      A disk's partitions are DIR/partition1.img and so on. Nothing is written to the store or the \
      origin, and only the mounting user can read the images. With --loop, root mounts the file \
      systems too, on DIR/files or DIR/files1 and so on, read-only and without replaying any \
      journal. The images are ordinary files: other commands take them as STORE or ORIGIN. The \
      status is that of an export: 2 if anything is lost, 1 if the origin is in doubt.
      """)

  @OptionGroup var input: OptionalStoreOptions

  @Argument(help: "An empty directory.")
  var directory: String?

  @OptionGroup var originInput: OriginOptions
  @OptionGroup var losses: LossOptions

  @Flag(
    help: ArgumentHelp(
      "Mount the file systems too, read-only, with options that leave them unchanged; needs root."))
  var loop = false

  @Option(help: ArgumentHelp("Unmount DIR.", valueName: "dir"))
  var end: String?

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func validate() throws {
    if end != nil {
      guard input.store == nil, directory == nil else {
        throw ValidationError("--end takes DIR only")
      }
      return
    }
    try input.require()
    guard directory != nil else { throw ValidationError("Missing expected argument '<directory>'") }
    try OriginOptions.require(originInput.origin, input.volumes)
  }

  func run() throws {
    if let end { return try Unmounting(end).run() }
    guard let argument = directory else {
      preconditionFailure("arguments were not validated")
    }
    // For programs that would take it for an option.
    let directory = argument.hasPrefix("-") ? "./\(argument)" : argument
    guard !loop || geteuid() == 0 else {
      throw Failure(
        .couldNotFinish, "--loop: only root mounts file systems; \(directory) was not touched",
        code: "mount.failed")
    }
    try Self.requireEmpty(directory)
    let request = ServeRequest(input.named, origin: originInput.origin, losses.lost)
    let report = try mount(request, directory)
    let paths = report.parts.map { "\(directory)/\($0.fileName)" }
    if !messages.quiet { for note in report.notes { Console.say("dmsnap: \(note)") } }
    var mounted: [String] = []
    if loop {
      do { mounted = try mountFileSystems(of: report, directory) } catch {
        try? Unmounting(directory).run()
        throw error
      }
    }
    switch format {
    case .json:
      try Console.print(
        json: ServedReport("dmsnap.mount.v1", report, paths, request, socket: nil))
    case .text:
      var lines = zip(report.parts, paths).map { part, path in
        "image    \(path)" + (part.type.map { "   \($0)" } ?? "")
      }
      lines += mounted.map { "files    \($0)" }
      if !messages.quiet { lines.append("end      dmsnap mount --end \(quoted(directory))") }
      try Console.print(lines: lines)
      report.sayLosses(request.policy)
    }
    try report.finish()
  }

  /// Refuses a place where a mount would hide something.
  private static func requireEmpty(_ directory: String) throws {
    if let mount = MountPoint(at: absolutePath(directory)) {
      throw Failure(
        .refused,
        "\(directory): \(mount.type) is mounted there"
          + (mount.type == Unmounting.type ? "; `dmsnap mount --end` ends it" : ""),
        at: ErrorPlace(directory))
    }
    do {
      try FileDescriptor.open(FilePath(directory), .readOnly, options: .directory).close()
    } catch {
      throw BlockIOError(directory, .open, .system(error as? Errno ?? .ioError))
    }
    guard try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty else {
      throw Failure(
        .refused, "\(directory): is not empty; a mount would hide what is in it",
        at: ErrorPlace(directory))
    }
  }

  /// Runs the program that mounts, until it is in the background.
  private func mount(_ request: ServeRequest, _ directory: String) throws -> ServeReport {
    guard let program = Helper.mount else {
      throw Failure(
        .couldNotFinish, "dmsnap-fuse: is not beside dmsnap, nor in ../lib/dmsnap",
        code: "mount.no-helper")
    }
    var request = request
    request.report = ChildProcess.reportDescriptor
    let child = try ChildProcess(
      program, [absolutePath(directory)] + request.parameters, hasReport: true)
    let status = try child.status() ?? 1
    switch ServeOutcome(json: child.report) {
    case .served(let report) where status == 0: return report
    case .failed(let failure): throw failure
    default:
      throw Failure(
        .couldNotFinish, "dmsnap-fuse: ended with status \(status); what it printed says why",
        code: "mount.failed")
    }
  }

  /// Mounts the file systems that are in the images.
  ///
  /// - Returns: Where.
  private func mountFileSystems(of report: ServeReport, _ directory: String) throws -> [String] {
    var places: [String] = []
    for part in report.parts {
      guard let options = part.mountOptions else { continue }
      let place = "\(directory)/\(part.filesName)"
      let child = try ChildProcess(
        "mount", ["-o", "loop,\(options)", "\(directory)/\(part.fileName)", place])
      guard try child.status() == 0 else {
        throw Failure(.couldNotFinish, "\(place): cannot be mounted", code: "mount.failed")
      }
      places.append(place)
    }
    if places.isEmpty {
      throw Failure(.noStore, "\(directory): no file system to mount", code: "filesystem.not-found")
    }
    return places
  }
}

/// The end of a mount.
struct Unmounting {
  private let directory: String

  init(_ directory: String) { self.directory = directory }

  /// The type that the kernel has for a mount of dmsnap.
  static let type = "fuse.dmsnap"

  /// Unmounts the file systems, and then the images.
  func run() throws {
    guard let mount = MountPoint(at: absolutePath(directory)), mount.type == Self.type else {
      throw Failure(
        .couldNotFinish, "\(directory): dmsnap has nothing mounted there", code: "mount.failed")
    }
    // A mount whose server was killed cannot be looked up.
    if isDead { return try unmount("fusermount3", ["-u", "-z", mount.path]) }
    for place in mount.inner { try unmount("umount", [place]) }
    try unmount("fusermount3", ["-u", mount.path])
  }

  private func unmount(_ program: String, _ arguments: [String]) throws {
    guard try ChildProcess(program, arguments).status() == 0 else {
      throw Failure(
        .couldNotFinish, "\(arguments.last ?? ""): cannot be unmounted: is it in use?",
        code: "mount.failed")
    }
  }

  private var isDead: Bool {
    let image = FilePath(directory).appending("snapshot.img")
    do { try FileDescriptor.open(image, .readOnly).close() } catch {
      return (error as? Errno) == .socketNotConnected
    }
    return false
  }
}
