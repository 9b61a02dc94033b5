#if TSK
  import BlockIO
  import Foundation
  import SystemPackage
  import Testing

  /// A folder for images that the family's own tools make, gone with this object.
  final class TSKImages {
    let path = NSTemporaryDirectory() + "tsk-\(UUID().uuidString)"
    /// The content of `big.bin`, which takes many blocks.
    let big = (0..<300_000).map { UInt8(truncatingIfNeeded: ($0 &* 7) >> 3 &+ $0 >> 9) }

    init() throws {
      for folder in ["tree/dir/sub", "tree/empty"] {
        try FileManager.default.createDirectory(
          atPath: "\(path)/\(folder)", withIntermediateDirectories: true)
      }
      try Data("hello\n".utf8).write(to: url("tree/hello.txt"))
      try Data("small".utf8).write(to: url("tree/dir/ünïcode ☃ name.txt"))
      try Data("gone".utf8).write(to: url("tree/dir/deleted.txt"))
      try Data().write(to: url("tree/empty.txt"))
      try Data(big).write(to: url("tree/dir/sub/big.bin"))
      try FileManager.default.createSymbolicLink(
        atPath: "\(path)/tree/link", withDestinationPath: "dir/sub")
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    private func url(_ name: String) -> URL { URL(fileURLWithPath: "\(path)/\(name)") }

    /// Runs a tool in the folder; it must succeed.
    func run(_ tool: String, _ arguments: String...) throws {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = [tool] + arguments
      process.currentDirectoryURL = URL(fileURLWithPath: path)
      process.environment = [
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
        "MTOOLS_SKIP_CHECK": "1", "TZ": "UTC",
      ]
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      try #require(process.terminationStatus == 0, "\(tool) \(arguments)")
    }

    /// A FAT file system of so many bits, with the tree less the link, and `deleted.txt` deleted.
    func fat(_ bits: Int) throws -> FileSource {
      try run("truncate", "-s", [12: "1M", 16: "16M"][bits] ?? "40M", "fat.img")
      try run("mkfs.vfat", "-F", "\(bits)", "-s", "1", "-n", "LABEL", "fat.img")
      try run(
        "mcopy", "-s", "-m", "-i", "fat.img", "tree/dir", "tree/empty", "tree/hello.txt",
        "tree/empty.txt", "::/")
      try run("mdel", "-i", "fat.img", "::/dir/deleted.txt")
      return try source("fat.img")
    }

    /// The exFAT file system that `Images/make` makes.
    func exFAT() throws -> FileSource {
      let packed = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "Images/exfat.img.xz")
      try FileManager.default.copyItem(at: packed, to: url("exfat.img.xz"))
      try run("xz", "-d", "exfat.img.xz")
      return try source("exfat.img")
    }

    /// An NTFS file system with some of the tree's files at the top, and a stream of `hello.txt`.
    func ntfs() throws -> FileSource {
      try run("truncate", "-s", "8M", "ntfs.img")
      try run("mkntfs", "-F", "-Q", "ntfs.img")
      try run("ntfscp", "-f", "ntfs.img", "tree/hello.txt", "/hello.txt")
      try run("ntfscp", "-f", "-N", "note", "ntfs.img", "tree/dir/deleted.txt", "/hello.txt")
      try run("ntfscp", "-f", "ntfs.img", "tree/dir/sub/big.bin", "/big.bin")
      return try source("ntfs.img")
    }

    /// An ISO 9660 file system with Rock Ridge and Joliet, and the HFS+ one of the same files in the same image.
    func iso() throws -> FileSource {
      try run("xorriso", "-as", "mkisofs", "-R", "-J", "-hfsplus", "-o", "iso.img", "tree")
      return try source("iso.img")
    }

    /// The source of an image.
    func source(_ name: String) throws -> FileSource {
      try FileSource(path: FilePath("\(path)/\(name)"))
    }
  }
#endif
