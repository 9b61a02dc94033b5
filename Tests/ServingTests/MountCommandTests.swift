import Foundation
import Glibc
import TestSupport
import Testing

/// `dmsnap mount`: the snapshot is a file.
@Suite(.enabled(if: Files.exist("/dev/fuse"), "FUSE is needed: /dev/fuse"))
struct MountCommandTests {
  private let directory: TemporaryDirectory
  private let place: String

  init() throws {
    directory = try TemporaryDirectory()
    place = directory.path("mounted")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
  }

  private func mount(_ arguments: [String]) throws -> ToolOutcome {
    try ToolRunner.dmsnap.run(["mount", arguments[0], place] + arguments.dropFirst())
  }

  private func end() throws {
    let outcome = try ToolRunner.dmsnap.run(["mount", "--end", place])
    #expect(outcome.status == 0, "\(outcome)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: place).isEmpty)
  }

  @Test(arguments: ["written", "odd-origin", "ext4-snapshot-changed"])
  func `the image is what Linux shows`(name: String) throws {
    let pair = try Case(name, in: directory)
    let before = [try FileState(pair.store), try FileState(pair.origin)]
    let outcome = try mount(pair.arguments)
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.outputLines.first?.hasPrefix("image    \(place)/snapshot.img") == true)
    #expect(try Files.sha256("\(place)/snapshot.img") == pair.digest)
    for path in ["\(place)/snapshot.img", "\(place)/new"] {
      #expect(throws: (any Error).self) { try Data([1]).write(to: URL(filePath: path)) }
    }
    try end()
    #expect([try FileState(pair.store), try FileState(pair.origin)] == before)
  }

  @Test func `the image is an origin for other commands`() throws {
    let pair = try Case("ext4-snapshot-changed", in: directory)
    _ = try mount(pair.arguments)
    let store = try directory.write(
      StoreBuilder(chunkSectors: 8).copying([3]).image(), to: "over")
    let image = directory.path("image")
    let outcome = try ToolRunner.dmsnap.run(
      ["export", store, "--origin", "\(place)/snapshot.img", "--to", image])
    #expect(outcome.status == 0 || outcome.status == 1, "\(outcome)")
    #expect(try Files.bytes(image).count == Files.bytes("\(place)/snapshot.img").count)
    try end()
  }

  @Test func `reading what is lost fails, and only that`() throws {
    let (arguments, lost) = try directory.holed()
    let outcome = try mount(arguments + ["--format", "json"])
    #expect(outcome.status == 2, "\(outcome)")
    let file = try FileHandle(forReadingFrom: URL(filePath: "\(place)/snapshot.img"))
    for start in [lost.lowerBound - 4096, lost.lowerBound, lost.upperBound] {
      try file.seek(toOffset: UInt64(start))
      let bytes = try? file.read(upToCount: 4096)
      #expect(bytes?.count == (start == lost.lowerBound ? nil : 4096))
    }
    try file.close()
    try end()
  }

  @Test(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
  func `root gets the files as well`() throws {
    let pair = try Case("ext4-snapshot-changed", in: directory)
    let before = [try FileState(pair.store), try FileState(pair.origin)]
    let outcome = try mount(pair.arguments + ["--loop"])
    #expect(outcome.status == 0, "\(outcome)")
    let letter = try Files.bytes("\(place)/files/papers/letter")
    let read = try ToolRunner.dmsnap.run(["files", "cat"] + pair.arguments + ["/papers/letter"])
    #expect(read.outputBytes == letter && letter.count > 100, "\(read)")
    try end()
    #expect([try FileState(pair.store), try FileState(pair.origin)] == before)
  }

  @Test(
    .enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)),
    arguments: ["ext4-overlay", "xfs-overlay", "btrfs-overlay"])
  func `Linux mounts each kind of file system as it is`(name: String) throws {
    let kind = String(name.prefix { $0 != "-" })
    let known = try String(contentsOfFile: "/proc/filesystems", encoding: .utf8)
    // `make recipe-test` has kernels with all of them.
    guard known.contains("\t\(kind)\n") else { return }
    let facts = try Corpus.read("file-systems/\(name)")
    let files = [facts.store, facts.origin]
    let paths = try zip(files, ["store", "origin"]).map { file, path in
      try directory.write(Corpus.unpack(file, of: "file-systems/\(name)"), to: path)
    }
    let before = try paths.map { try FileState($0) }
    let arguments = [paths[0], "--origin", paths[1]]
    let outcome = try mount(arguments + ["--loop"])
    #expect(outcome.status == 0, "\(outcome)")
    let shown = try Tools.run("sh", ["-c", Self.digests, "\(place)/files"])
    try end()
    let read = directory.path("read")
    _ = try ToolRunner.dmsnap.succeed(["files", "get"] + arguments + ["/", "--to", read])
    let expected = try Tools.run("sh", ["-c", Self.digests, read])
    #expect(shown.output == expected.output && shown.outputLines.count > 10)
    #expect(try paths.map { try FileState($0) } == before)
  }

  /// Prints the digests of all files in a directory.
  private static let digests =
    #"cd "$0" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum"#

  /// What runs a command as a user who is not root.
  private static let user = ["--reuid=65534", "--regid=65534", "--clear-groups"]

  /// Whether that user can run the program: not if it lies in root's home.
  private static var canOthersRun: Bool {
    let outcome = try? Tools.run("setpriv", user + ["test", "-x", ToolRunner.dmsnap.path])
    return geteuid() == 0 && outcome?.status == 0
  }

  @Test(.enabled(if: canOthersRun, "root must be able to run the program as another user"))
  func `a user who is not root mounts, but no file systems`() throws {
    let pair = try Case("ext4-snapshot-changed", in: directory)
    let paths = [directory.path, place, pair.store, pair.origin]
    try #require(Tools.run("chown", ["65534:65534"] + paths).status == 0)
    func run(_ words: [String]) throws -> ToolOutcome {
      try Tools.run("setpriv", Self.user + words)
    }
    func dmsnap(_ words: String...) throws -> ToolOutcome {
      try run([ToolRunner.dmsnap.path, "mount"] + words)
    }
    let loop = try dmsnap(pair.store, place, "--origin", pair.origin, "--loop")
    #expect(loop.status == 5 && loop.errors.contains("only root"), "\(loop)")
    let mounted = try dmsnap(pair.store, place, "--origin", pair.origin)
    #expect(mounted.status == 0, "\(mounted)")
    let digest = try run(["sha256sum", "\(place)/snapshot.img"])
    #expect(digest.output.hasPrefix(pair.digest), "\(digest)")
    // It is that user's only: not even root can look.
    #expect(throws: (any Error).self) { try Files.bytes("\(place)/snapshot.img") }
    #expect(try dmsnap("--end", place).status == 0)
  }

  @Test func `a mount whose server was killed can be ended`() throws {
    let pair = try Case("written", in: directory)
    _ = try mount(pair.arguments)
    let killed = try Tools.run("pkill", ["-KILL", "-f", "dmsnap-fuse \(place) "])
    #expect(killed.status == 0, "\(killed)")
    while (try? Files.bytes("\(place)/snapshot.img")) != nil { usleep(2000) }
    try end()
  }

  @Test func `what cannot be mounted says why, and nothing stays mounted`() throws {
    let pair = try Case("written", in: directory)
    let nowhere = try ToolRunner.dmsnap.run(
      ["mount", pair.store, directory.path("nowhere"), "--origin", pair.origin])
    #expect(nowhere.status == 5 && nowhere.errors.contains("nowhere"), "\(nowhere)")
    let text = try directory.write(Array("text\n".utf8), to: "text")
    #expect(try mount([text, "--origin", pair.origin]).status == 3)
    let end = try ToolRunner.dmsnap.run(["mount", "--end", place])
    #expect(end.status == 5, "\(end)")
    #expect(try ToolRunner.dmsnap.run(["mount", "--end", place, "more"]).status == 64)
    #expect(try ToolRunner.dmsnap.run(["mount", "store"]).status == 64)
  }

  // MARK: - Where nothing is mounted

  @Test func `a mount hides nothing`() throws {
    let pair = try Case("written", in: directory)
    let file = try directory.write([1], to: "mounted/file")
    for place in [place, file, pair.origin] {
      let outcome = try ToolRunner.dmsnap.run(
        ["mount", pair.store, place, "--origin", pair.origin])
      #expect(outcome.status == (place == self.place ? 4 : 5), "\(outcome)")
    }
    #expect(try Files.bytes(file) == [1])
    try FileManager.default.removeItem(atPath: file)
    #expect(try mount(pair.arguments).status == 0)
    let second = try mount(pair.arguments)
    #expect(second.status == 4 && second.errors.contains("is mounted there"), "\(second)")
    try end()
  }

  @Test func `a mount is found by any of its names`() throws {
    let pair = try Case("written", in: directory)
    let link = directory.path("a link")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: place)
    #expect(try mount(pair.arguments).status == 0)
    for other in [directory.path, "\(place)/files", pair.store, "/proc"] {
      let outcome = try ToolRunner.dmsnap.run(["mount", "--end", other])
      #expect(
        outcome.status == 5 && outcome.errors.contains("dmsnap has nothing mounted there"),
        "\(outcome)")
    }
    #expect(try ToolRunner.dmsnap.run(["mount", "--end", "\(link)/"]).status == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: place).isEmpty)
  }

  @Test func `nothing stays mounted if nobody is told`() throws {
    let pair = try Case("written", in: directory)
    let program = (ToolRunner.dmsnap.path as NSString).deletingLastPathComponent + "/dmsnap-fuse"
    let script =
      "import os,sys; read, write = os.pipe(); os.close(read); os.dup2(write, 3);"
      + " os.set_inheritable(3, True); os.execv(sys.argv[1], sys.argv[1:])"
    let outcome = try Tools.run(
      "python3",
      ["-c", script, program, place, "store=\(pair.store)", "origin=\(pair.origin)", "report=3"])
    #expect(outcome.status == 5, "\(outcome)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: place).isEmpty)
  }

  @Test(.enabled(if: LoopDevice.isAvailable, Comment(rawValue: LoopDevice.unavailable)))
  func `file systems over a server that was killed are unmounted as well`() throws {
    let pair = try Case("ext4-snapshot-changed", in: directory)
    #expect(try mount(pair.arguments + ["--loop"]).status == 0)
    #expect(try Tools.run("pkill", ["-KILL", "-f", "dmsnap-fuse \(place) "]).status == 0)
    while (try? Files.bytes("\(place)/snapshot.img")) != nil { usleep(2000) }
    try end()
    let mounts = try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)
    #expect(!mounts.contains(place))
  }
}
