import Foundation
import SnapshotFormat
import TestSupport
import Testing

/// What `files get` leaves if it is stopped, or cannot write everything, and how it goes on.
@Suite(.enabled(if: ToolRunner(named: "mke2fs") != nil, "mke2fs must be installed"))
struct FilesGetTests {
  private let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap
  private let store: String

  init() throws {
    directory = try TemporaryDirectory()
    store = try directory.write(StoreBuilder().image(), to: "store")
  }

  /// An ext4 with what `body` makes in a directory.
  private func origin(_ body: (String) throws -> Void) throws -> String {
    let (tree, path) = (directory.path("tree"), directory.path("origin"))
    try FileManager.default.createDirectory(atPath: tree, withIntermediateDirectories: true)
    try body(tree)
    try #require(ToolRunner(named: "mke2fs")).succeed(["-q", "-t", "ext4", "-d", tree, path, "64M"])
    return path
  }

  /// Twenty small files, and one of 3 MiB among them.
  private func fillings(_ tree: String) throws {
    for index in 0..<20 {
      let name = "\(tree)/file \(index)"
      let bytes = [UInt8](repeating: UInt8(index + 1), count: index == 11 ? 3 << 20 : 5000)
      try Data(bytes).write(to: URL(filePath: name))
    }
  }

  private func names(_ path: String) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: path).sorted()
  }

  private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(filePath: path)) }

  /// Every file below `path` is whole, and nothing else is there.
  private func expectWhole(_ path: String) throws -> Int {
    let found = try names(path).filter { $0 != "lost+found" }
    for name in found {
      #expect(try bytes("\(path)/\(name)") == bytes(directory.path("tree/\(name)")), "\(name)")
    }
    return found.count
  }

  private func get(_ origin: String, _ more: [String]) -> [String] {
    ["files", "get", store, "--origin", origin] + more + ["--to", directory.path("out")]
  }

  @Test(
    .enabled(
      if: Strace.tool != nil, "strace must be installed and allowed to trace a program"),
    arguments: [
      "pwrite64:signal=SIGKILL:when=12", "pwrite64:signal=SIGKILL:when=14",
      "linkat:signal=SIGKILL:when=5", "pwrite64:error=ENOSPC:when=14+",
      "pwrite64:error=EIO:when=13+", "linkat:error=EDQUOT:when=7+",
    ])
  func `what was interrupted is whole as far as it goes, and goes on`(end: String) throws {
    let origin = try origin(fillings)
    let out = directory.path("out")
    let outcome = try Strace.run(get(origin, ["/"]), inject: end)
    if !end.contains("signal") {
      #expect(outcome.status == 5 && outcome.errors.contains("with --resume"), "\(outcome)")
    }
    let before = try expectWhole(out)
    #expect(0 < before && before < 20, "\(outcome)")
    let again = try dmsnap.run(get(origin, ["/", "--resume", "--format", "json"]))
    #expect(again.status == 0, "\(again)")
    // And the directory itself.
    #expect(try again.object()["presentCount"] as? Int == before + 1)
    #expect(try expectWhole(out) == 20)
  }

  @Test func `a path that does not exist is listed, and the others come`() throws {
    let origin = try origin(fillings)
    let some = try dmsnap.run(get(origin, ["/file 1", "/none", "/file 2", "--inode", "999999"]))
    #expect(some.status == 2, "\(some)")
    #expect(some.errors.contains("dmsnap: /none: no such file\n"), "\(some)")
    #expect(some.errors.contains("dmsnap: inode 999999: no such file\n"), "\(some)")
    #expect(try names(directory.path("out")) == ["file 1", "file 2"])
    let none = try dmsnap.run(
      ["files", "get", store, "--origin", origin, "/none", "--to", directory.path("new")])
    #expect(none.status == 3 && none.complaint(naming: store) == nil, "\(none)")
    #expect(!Files.exist(directory.path("new")))
  }

  /// A directory is opened once while what is in it is made, however deep it is.
  @Test(
    .enabled(
      if: Strace.tool != nil, "strace must be installed and allowed to trace a program"))
  func `a deep tree does not take quadratic time, or a descriptor for each directory`() throws {
    let depth = 300
    let origin = try origin { tree in
      var path = tree
      for index in 0..<depth {
        // A file before the directory, and one after it.
        for name in ["a", "z"] {
          try Data("\(index)".utf8).write(to: URL(filePath: "\(path)/\(name)"))
        }
        path += "/d"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      }
    }
    let log = directory.path("log")
    let words = ([dmsnap.path] + get(origin, ["/"])).map { "'\($0)'" }.joined(separator: " ")
    let outcome = try #require(ToolRunner(named: "bash")).run([
      "-c",
      "ulimit -n 150; exec '\(try #require(Strace.tool).path)' -f -qq -e trace=openat -o '\(log)' \(words)",
    ])
    #expect(outcome.status == 0, "\(outcome)")
    #expect(try expectWholeTree(depth))
    let calls = String(decoding: try bytes(log), as: UTF8.self).split(separator: "\n").count {
      $0.contains("O_DIRECTORY")
    }
    // Each directory when it is made, perhaps again after what is in it, and at the end.
    #expect(calls < depth * 20, "\(calls)")
  }

  private func expectWholeTree(_ depth: Int) throws -> Bool {
    var path = directory.path("out")
    for index in 0..<depth {
      for name in ["a", "z"] {
        guard try bytes("\(path)/\(name)") == Data("\(index)".utf8) else { return false }
      }
      path += "/d"
    }
    return Files.exist(path)
  }

  @Test func `bytes before a partition are nobody's, and it is said`() throws {
    let part = try bytes(try origin(fillings))
    let disk = try directory.write(OnePartition.disk(with: [UInt8](part)), to: "disk")
    func owner(_ more: String...) throws -> ToolOutcome {
      try dmsnap.run(["files", "owner", store, "--origin", disk, "--partition", "1"] + more)
    }
    for (words, what) in [(["--chunk", "5"], "chunk 5"), (["--offset", "100"], "byte 100")] {
      let outcome = try dmsnap.run(
        ["files", "owner", store, "--origin", disk, "--partition", "1"] + words)
      #expect(outcome.status == 3 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.errors.contains("\(what) is not in partition 1"), "\(outcome)")
    }
    #expect(try owner("--chunk", "300").status == 0)
  }
}

/// Targets that have no files without a name, and to which two names may be one: NTFS through FUSE,
/// without regard to case.
@Suite(.enabled(if: ForeignTarget.canMount, "ntfs-3g must be installed and allowed to mount"))
struct ForeignTargetTests {
  @Test func `names that are one, files that are not whole, and a run that goes on`() throws {
    let target = try ForeignTarget()
    let directory = try TemporaryDirectory()
    let store = try directory.write(StoreBuilder().image(), to: "store")
    let tree = directory.path("tree")
    for name in ["dir", "DIR"] {
      try FileManager.default.createDirectory(
        atPath: "\(tree)/\(name)", withIntermediateDirectories: true)
      try Data(name.utf8).write(to: URL(filePath: "\(tree)/\(name)/\(name)"))
    }
    for name in ["File", "file", "other"] {
      try Data(name.utf8).write(to: URL(filePath: "\(tree)/\(name)"))
    }
    let origin = directory.path("origin")
    try #require(ToolRunner(named: "mke2fs")).succeed([
      "-q", "-t", "ext4", "-d", tree, origin, "16M",
    ])
    let words = ["files", "get", store, "--origin", origin, "/", "--to", target.path + "/out"]
    let outcome = try ToolRunner.dmsnap.run(words)
    #expect(outcome.status == 2, "\(outcome)")
    #expect(
      outcome.errors.contains("/dir: the same name as /DIR to the target's file system"),
      "\(outcome)")
    #expect(outcome.errors.contains("/file: exists, and is not overwritten"), "\(outcome)")
    let names = try FileManager.default.subpathsOfDirectory(atPath: target.path + "/out").sorted()
    #expect(names == ["dir", "dir/dir", "file", "lost+found", "other"])
    #expect(try Data(contentsOf: URL(filePath: target.path + "/out/dir/dir")) == Data("DIR".utf8))
    let again = try ToolRunner.dmsnap.run(words + ["--resume"])
    #expect(again.status == 2 && again.errors.contains("other content"), "\(again)")
    try FileManager.default.removeItem(atPath: target.path + "/out/other")
    _ = try ToolRunner.dmsnap.run(words + ["--resume"])
    #expect(try Data(contentsOf: URL(filePath: target.path + "/out/other")) == Data("other".utf8))
  }
}

/// An NTFS that is mounted without regard to case, until this object is gone.
private final class ForeignTarget {
  let path: String
  private let directory: TemporaryDirectory

  static let canMount: Bool = (try? ForeignTarget()) != nil

  init() throws {
    directory = try TemporaryDirectory()
    path = directory.path("mounted")
    let image = directory.path("image")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    try #require(ToolRunner(named: "truncate")).succeed(["-s", "16M", image])
    try #require(ToolRunner(named: "mkntfs")).succeed(["-F", "-Q", "-q", image])
    try #require(ToolRunner(named: "lowntfs-3g")).succeed(["-o", "ignore_case", image, path])
  }

  deinit { _ = try? ToolRunner(named: "umount")?.run([path]) }
}
