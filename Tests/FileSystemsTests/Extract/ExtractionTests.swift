import BlockIO
import FileSystems
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Files that are taken out of a file system in memory, judged by the system and by tar.
@Suite struct ExtractionTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let longName = String(repeating: "long ", count: 40)

  private static let nodes: [MemoryFileSystem.Node] = [
    .directory(
      "etc",
      [
        .file("passwd", "root").with(permissions: 0o600, seconds: 1_600_000_000),
        .hardLink("other", to: "/etc/passwd"), .link("up", to: "../b"),
      ]
    ).with(permissions: 0o500),
    .file("b", "content").with(
      permissions: 0o4755, seconds: -5,
      attributes: [ExtendedAttribute(name: Array("user.kind".utf8), value: [1, 0, 2])]),
    .file(
      "sparse",
      pieces: [
        .hole(1 << 20), .bytes([UInt8](repeating: 7, count: 8192)), .hole(3 << 20), .bytes([9]),
        .hole(70_000),
      ]),
    .file("large", pieces: [.bytes([UInt8](repeating: 5, count: 3 << 20))]),
    .file(longName, "long"), .file("", "slash").with(name: Array("a/b".utf8)),
    .file("", "dots").with(name: Array("..".utf8)), .file("über\n", "line"),
    .file("", "latin").with(name: [0xe9, 0x41]), .special("pipe", .fifo), .file("empty", ""),
    .link("absolute", to: "/etc/passwd"),
  ]

  private func extract(
    _ fileSystem: MemoryFileSystem, _ paths: [String] = ["/"], to sink: any ExtractionSink
  ) throws -> Extraction {
    var extraction = Extraction(fileSystem, to: sink)
    for path in paths { try extraction.extract(FileTree(fileSystem).find(path)) }
    try extraction.finish()
    return extraction
  }

  /// What a directory holds, as `find` says it.
  private func listing(_ path: String) throws -> [String] {
    let find = try #require(ToolRunner(named: "find"))
    let text = try find.succeed([path, "-printf", "%P|%y|%m|%s|%T@|%l|%n\\0"]).outputBytes
    return text.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      .filter { !$0.hasPrefix("|") }.sorted()
  }

  @Test func `a directory gets files with all that belongs to them`() throws {
    let fileSystem = MemoryFileSystem(Self.nodes)
    let path = directory.path("out")
    let extraction = try extract(fileSystem, to: DirectorySink(path: FilePath(path)))
    #expect(extraction.losses.isEmpty)
    let list = try listing(path)
    #expect(list.contains("etc|d|500|4096|1700000000.1234567890||2"), "\(list)")
    #expect(list.contains("etc/passwd|f|600|4|1600000000.0000000000||2"), "\(list)")
    #expect(list.contains("etc/other|f|600|4|1600000000.0000000000||2"))
    #expect(list.contains("etc/up|l|777|4|1700000000.1234567890|../b|1"))
    #expect(list.contains("absolute|l|777|11|1700000000.1234567890|/etc/passwd|1"))
    #expect(list.contains { $0.hasPrefix("b|f|\(geteuid() == 0 ? 4755 : 755)|7|-5.0000000000|") })
    #expect(list.contains("a\\x2fb|f|644|5|1700000000.1234567890||1"))
    #expect(list.contains("\\x2e\\x2e|f|644|4|1700000000.1234567890||1"))
    #expect(list.contains("über\n|f|644|4|1700000000.1234567890||1"))
    #expect(list.contains { $0.hasPrefix("pipe|p|644|0|") })
    #expect(list.count == 15)
    let large = try Data(contentsOf: URL(filePath: path + "/large"))
    #expect(large == Data(repeating: 5, count: 3 << 20))
    let sparse = try Data(contentsOf: URL(filePath: path + "/sparse"))
    #expect(sparse.count == (4 << 20) + 8192 + 1 + 70_000)
    #expect(sparse[1 << 20] == 7 && sparse[(4 << 20) + 8192] == 9 && sparse[5] == 0)
    let blocks = try #require(ToolRunner(named: "stat")).succeed(["-c", "%b", path + "/sparse"])
    #expect(Int(blocks.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 999 < 64)
    try clear(path)
  }

  /// Lets a directory that may not be written be removed.
  private func clear(_ path: String) throws {
    try #require(ToolRunner(named: "chmod")).succeed(["-R", "u+rwX", path])
  }

  @Test func `tar makes of the stream what the directory has`() throws {
    let fileSystem = MemoryFileSystem(Self.nodes)
    let (path, archive) = (directory.path("out"), directory.path("a.tar"))
    _ = try extract(fileSystem, to: DirectorySink(path: FilePath(path)))
    let output = try OutputText(path: FilePath(archive))
    let extraction = try extract(fileSystem, to: TarSink(output))
    try output.publish()
    #expect(extraction.losses.isEmpty)
    let again = try TemporaryDirectory()
    let tar = try #require(ToolRunner(named: "tar"))
    let outcome = try tar.succeed([
      "-x", "-p", "--warning=no-timestamp", "-f", archive, "-C", again.path,
    ])
    #expect(outcome.errors.isEmpty)
    // tar keeps the bits of a mode that dmsnap takes away where nobody can be given the file.
    let list = try listing(again.path).map { $0.replacing("|4755|", with: "|755|") }
    #expect(try listing(path).map { $0.replacing("|4755|", with: "|755|") } == list)
    let diff = try #require(ToolRunner(named: "diff"))
    try diff.succeed(["-r", "--no-dereference", "--exclude=pipe", path, again.path])
    let python = try #require(ToolRunner(named: "python3"))
    let names = try python.succeed([
      "-c",
      "import tarfile,sys\nfor m in tarfile.open(sys.argv[1]): print(repr(m.name), m.size, m.type.decode(), m.pax_headers.get('SCHILY.xattr.user.kind', ''))",
      archive,
    ]).outputLines
    #expect(names.contains("'b' 7 0 \u{1}\u{0}\u{2}"))
    #expect(names.contains("'sparse' \(sparseByteCount) 0 "))
    try clear(path)
    try clear(again.path)
  }

  private var sparseByteCount: Int { (4 << 20) + 8192 + 1 + 70_000 }

  @Test func `one file comes with the directories that it is in`() throws {
    let fileSystem = MemoryFileSystem([.directory("a", [.directory("b", [.file("c", "x")])])])
    let path = directory.path("out")
    let extraction = try extract(
      fileSystem, ["/a/b/c", "/a/b"], to: DirectorySink(path: FilePath(path)))
    #expect(extraction.losses.map(\.reason) == ["exists, and is not overwritten"])
    let names = try listing(path).map { String($0.prefix { $0 != "|" }) }.sorted()
    #expect(names == ["a", "a/b", "a/b/c"])
  }

  @Test func `what is lost of a file is listed, and the rest is there`() throws {
    let block = [UInt8](repeating: 1, count: 4096)
    let fileSystem = MemoryFileSystem([
      .file("half", pieces: [.bytes(block), .lost(4096), .bytes(block)]),
      .file("gone", "x").with(isDamaged: true), .file("twice", "1"), .file("twice", "2"),
    ])
    let path = directory.path("out")
    let extraction = try extract(fileSystem, to: DirectorySink(path: FilePath(path)))
    #expect(
      extraction.losses == [
        ExtractionLoss(path: "/gone", reason: "inode 12: wrong checksum", ranges: []),
        ExtractionLoss(
          path: "/half", reason: "4096 of its bytes are lost", ranges: [4096..<8192]),
        ExtractionLoss(path: "/twice", reason: "its directory has this name twice", ranges: []),
      ])
    let bytes = try Data(contentsOf: URL(filePath: path + "/half"))
    #expect(bytes == Data(block) + Data(count: 4096) + Data(block))
  }

  @Test func `nothing is replaced, and no link leads out of the directory`() throws {
    let outside = try TemporaryDirectory()
    let path = directory.path("out")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(
      atPath: path + "/etc", withDestinationPath: outside.path)
    try directory.write(Array("mine".utf8), to: "out/b")
    let fileSystem = MemoryFileSystem(Self.nodes)
    let extraction = try extract(fileSystem, to: DirectorySink(path: FilePath(path)))
    #expect(extraction.losses.map(\.path).contains("/b"))
    #expect(extraction.losses.map(\.path).contains("/etc"))
    #expect(try outside.names().isEmpty)
    #expect(try Data(contentsOf: URL(filePath: path + "/b")) == Data("mine".utf8))
  }
}
