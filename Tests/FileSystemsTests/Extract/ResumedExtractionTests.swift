import BlockIO
import FileSystems
import Foundation
import Glibc
import SystemPackage
import TestSupport
import Testing

/// An extraction that was interrupted is gone on with, and nothing that is there is half a file.
@Suite struct ResumedExtractionTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private static let nodes: [MemoryFileSystem.Node] = [
    .directory(
      "d", [.file("secret", "x").with(permissions: 0), .link("up", to: "../b"), .file("more", "m")]
    ).with(permissions: 0o500),
    .file("b", "content").with(seconds: 1_600_000_000), .hardLink("other", to: "/b"),
    .file("sparse", pieces: [.hole(3 << 20), .bytes([1, 2, 3]), .hole(70_000)]),
    .special("pipe", .fifo), .file("empty", ""),
    .file("large", pieces: [.bytes([UInt8](repeating: 5, count: 3 << 20))]),
  ]

  private func extract(
    _ fileSystem: any FileSystem, _ paths: [String] = ["/"], resumes: Bool = false,
    isFinished: Bool = true
  ) throws -> Extraction {
    let path = FilePath(directory.path("out"))
    var extraction = Extraction(fileSystem, to: try DirectorySink(path: path, resumes: resumes))
    for path in paths { try extraction.extract(FileTree(fileSystem).find(path)) }
    if isFinished { try extraction.finish() }
    return extraction
  }

  /// What a directory holds, as `find` says it.
  private func listing() throws -> [String] {
    let find = try #require(ToolRunner(named: "find"))
    let text = try find.succeed([
      directory.path("out"), "-mindepth", "1", "-printf", "%P|%y|%m|%s|%T@|%l|%n\\n",
    ])
    return text.outputLines.sorted()
  }

  private func clear() throws {
    try #require(ToolRunner(named: "chmod")).succeed(["-R", "u+rwX", directory.path("out")])
    try FileManager.default.removeItem(atPath: directory.path("out"))
  }

  @Test func `what is missing is added, and all get their attributes`() throws {
    let fileSystem = MemoryFileSystem(Self.nodes)
    _ = try extract(fileSystem)
    let whole = try listing()
    // Once all of it is there, once a part of it, once all but what is made last.
    let again = try extract(fileSystem, resumes: true)
    #expect(again.losses.isEmpty && again.presentCount == 11, "\(again.losses)")
    #expect(try listing() == whole)
    try clear()
    _ = try extract(fileSystem, ["/d/secret", "/b", "/sparse"], isFinished: false)
    let rest = try extract(fileSystem, resumes: true)
    #expect(rest.losses.isEmpty && rest.presentCount == 5, "\(rest.losses)")
    #expect(try listing() == whole)
    try clear()
    _ = try extract(fileSystem, isFinished: false)
    #expect(try listing() != whole)
    #expect(try extract(fileSystem, resumes: true).losses.isEmpty)
    #expect(try listing() == whole)
    try clear()
  }

  @Test func `what differs is not taken for it, and not replaced`() throws {
    let out = directory.path("out")
    try FileManager.default.createDirectory(
      atPath: out + "/pipe", withIntermediateDirectories: true)
    try directory.write(Array("CONTENT".utf8), to: "out/b")
    try directory.write(Array("long".utf8), to: "out/empty")
    try directory.write([], to: "out/d")
    // Of the right length, with nothing written.
    try directory.write([UInt8](repeating: 0, count: 3 << 20), to: "out/large")
    let extraction = try extract(MemoryFileSystem(Self.nodes), resumes: true)
    #expect(
      extraction.losses.map { "\($0.path): \($0.reason)" }.sorted() == [
        "/b: exists with other content, and was not overwritten",
        "/d: cannot be made there: Not a directory",
        "/empty: exists with other content, and was not overwritten",
        "/large: exists with other content, and was not overwritten",
        "/pipe: exists, and is not overwritten",
      ])
    #expect(try Data(contentsOf: URL(filePath: out + "/b")) == Data("CONTENT".utf8))
    // Its other name gets what it has.
    #expect(try Data(contentsOf: URL(filePath: out + "/other")) == Data("content".utf8))
  }

  @Test func `what is lost of a file is listed though it is there`() throws {
    let block = [UInt8](repeating: 1, count: 4096)
    let fileSystem = MemoryFileSystem([
      .file("half", pieces: [.bytes(block), .lost(4096), .bytes(block)])
    ])
    let first = try extract(fileSystem).losses
    let again = try extract(fileSystem, resumes: true)
    #expect(again.losses == first && first.count == 1 && again.presentCount == 2)
  }

  @Test func `a file that is not whole has no name`() throws {
    let fileSystem = StoppingFileSystem(MemoryFileSystem(Self.nodes))
    #expect(throws: ExtractionError.self) { try extract(fileSystem) }
    // Everything before it is there, and no other name.
    let names = try listing().map { String($0.prefix { $0 != "|" }) }.sorted()
    #expect(names == ["b", "d", "d/more", "d/secret", "empty"])
    #expect(try extract(fileSystem.base, resumes: true).losses.isEmpty)
    try clear()
  }

  @Test func `a file that is too large for the target is listed, and is not there`() throws {
    let fileSystem = MemoryFileSystem([.file("huge", pieces: [.hole(.max - 4096)])])
    let extraction = try extract(fileSystem)
    #expect(extraction.losses.map(\.reason) == ["cannot be made there: File too large"])
    #expect(try listing() == [])
  }

  /// A file system of which one large file cannot be read to its end, by no fault of the medium.
  private struct StoppingFileSystem: FileSystem {
    let base: MemoryFileSystem

    init(_ base: MemoryFileSystem) { self.base = base }

    var source: any BlockSource { base.source }
    var family: String { base.family }
    var root: FileID { base.root }

    func inode(_ id: FileID) throws(FileSystemError) -> FileSystems.Inode { try base.inode(id) }

    func forEachEntry(
      of directory: FileSystems.Inode, _ body: (DirectoryEntry) throws(FileSystemError) -> Bool
    ) throws(FileSystemError) -> [FileSystemDamage] {
      try base.forEachEntry(of: directory, body)
    }

    func map(of inode: FileSystems.Inode) throws(FileSystemError) -> FileMap {
      try base.map(of: inode)
    }

    func content(of inode: FileSystems.Inode) throws(FileSystemError) -> any BlockSource {
      let content = try base.content(of: inode)
      return inode.byteCount == 3 << 20 ? Stopping(content) : content
    }

    func target(ofLink inode: FileSystems.Inode) throws(FileSystemError) -> [UInt8] {
      try base.target(ofLink: inode)
    }

    func attributes(
      of inode: FileSystems.Inode
    ) throws(FileSystemError) -> ExtendedAttributes { try base.attributes(of: inode) }

    func forEachInode(
      isDeletedIncluded: Bool, _ body: (FileSystems.Inode) throws(FileSystemError) -> Bool
    ) throws(FileSystemError) -> [FileSystemDamage] {
      try base.forEachInode(isDeletedIncluded: isDeletedIncluded, body)
    }

    func freeRanges() throws(FileSystemError) -> [Range<UInt64>] { try base.freeRanges() }
    func structure(at byteOffset: UInt64) -> String? { base.structure(at: byteOffset) }
  }

  private final class Stopping: BlockSource {
    let base: any BlockSource

    init(_ base: any BlockSource) { self.base = base }

    var name: String { base.name }
    var byteCount: UInt64 { base.byteCount }

    func read(
      at byteOffset: UInt64, into buffer: IOBuffer, _ range: Range<Int>
    ) throws(BlockIOError) {
      if byteOffset + UInt64(range.count) > 2 << 20 {
        throw BlockIOError(name, .read, .system(.permissionDenied))
      }
      try base.read(at: byteOffset, into: buffer, range)
    }
  }
}
