internal import Foundation
internal import Glibc

/// A mounted file system whose files can share data (reflink), as long as this lives.
public final class SharingFileSystem: Sendable {
  /// Whether there can be one.
  public static let isAvailable =
    LoopDevice.isAvailable && ToolRunner(named: "filefrag") != nil
    && (try? SharingFileSystem()) != nil
  /// Why a test that needs one does not run.
  public static let unavailable =
    "an XFS must be made and mounted, which takes root, xfsprogs and e2fsprogs"

  private let directory: TemporaryDirectory
  /// Where it is mounted.
  public let path: String

  /// Makes an XFS, the smallest there is, and mounts it.
  public init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("mounted")
    let image = try directory.write(sparse: 320 << 20, [], to: "xfs.img")
    guard let mkfs = ToolRunner(named: "mkfs.xfs"), let mount = ToolRunner(named: "mount") else {
      throw POSIXError(.ENOENT)
    }
    try mkfs.succeed(["-q", "-m", "reflink=1", image])
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    try mount.succeed(["-o", "loop", image, path])
  }

  deinit { _ = try? ToolRunner(named: "umount")?.run([path]) }

  /// Makes a file of those bytes in it, and returns its path.
  @discardableResult
  public func write(_ bytes: [UInt8], to name: String) throws -> String {
    try Data(bytes).write(to: URL(filePath: "\(path)/\(name)"))
    return "\(path)/\(name)"
  }

  /// Takes all room but so many bytes.
  public func fill(leaving byteCount: Int) throws {
    var status = statvfs()
    guard unsafe statvfs(path, &status) == 0 else { throw POSIXError(.EIO) }
    let count = Int(status.f_bavail * status.f_frsize) - byteCount
    let file = try FileHandle(forWritingTo: URL(filePath: try write([], to: "ballast")))
    guard posix_fallocate(file.fileDescriptor, 0, count) == 0 else { throw POSIXError(.ENOSPC) }
  }

  /// How many bytes of a file are shared with others.
  public static func sharedByteCount(of path: String) throws -> Int {
    guard let filefrag = ToolRunner(named: "filefrag") else { throw POSIXError(.ENOENT) }
    // "   0:        0..      31:        160..       191:     32:             last,shared,eof"
    return try filefrag.succeed(["-s", "-v", "-b512", path]).outputLines.reduce(0) { count, line in
      let fields = line.split(separator: ":").map { $0.trimmingCharacters(in: .whitespaces) }
      guard fields.count >= 4, line.contains("shared") else { return count }
      return count + (Int(fields[3]) ?? 0) * 512
    }
  }
}
