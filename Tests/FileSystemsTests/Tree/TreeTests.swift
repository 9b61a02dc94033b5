import BlockIO
import FileSystems
import TestSupport
import Testing

/// Names as text, paths, walks and owners, on a file system in memory.
@Suite struct TreeTests {
  private let fileSystem = MemoryFileSystem([
    .directory("usr", [.directory("etc", [.file("passwd", "root")]), .link("up", to: "../../..")]),
    .link("etc", to: "usr/etc"), .link("abs", to: "/usr/etc"), .link("loop", to: "loop"),
    .link("out", to: "../../../etc/passwd"), .file("b", "b"), .hardLink("a", to: "/b"),
    .file("", "").with(name: Array("x/y".utf8)), .file("", "").with(name: Array("..".utf8)),
    .file("a\\x41", "literal"),
  ])

  // MARK: - Names

  @Test(arguments: [
    ("plain", "plain"), ("über", "über"), ("a/b", "a\\x2fb"), (".", "\\x2e"), ("..", "\\x2e\\x2e"),
    ("...", "..."), ("", "\\x"), ("\\x", "\\x5cx"), ("new\nline", "new\\x0aline"),
    ("sys-a\\x2db", "sys-a\\x5cx2db"), ("back\\slash", "back\\slash"),
    ("\u{202e}gpj", "\\xe2\\x80\\xaegpj"),
    ("\\x4", "\\x4"),
  ])
  func `a name's text is its name again`(name: String, text: String) {
    #expect(EscapedName.text(Array(name.utf8)) == text)
    #expect(EscapedName.name(text) == Array(name.utf8))
  }

  @Test func `any bytes have a text of their own`() {
    for first in UInt8.min...(.max) {
      for name in [
        [first], [first, first], [0x5c, first], [0x5c, 0x78, 0x34, first], [0xc3, first],
      ] {
        let text = EscapedName.text(name)
        #expect(EscapedName.name(text) == name)
        #expect(!text.contains("/") && text != "." && text != ".." && !text.isEmpty)
      }
    }
  }

  @Test func `only what Linux cannot make is escaped in a directory`() {
    for (name, safe) in [
      ("..", "\\x2e\\x2e"), ("a/b", "a\\x2fb"), ("a\0b", "a\\x00b"), ("", "\\x"),
      ("new\nline", "new\nline"),
      ("a\\x2db", "a\\x2db"),
    ] {
      #expect(EscapedName.safe(Array(name.utf8)) == Array(safe.utf8))
    }
    #expect(EscapedName.safe([0xff, 0x80]) == [0xff, 0x80])
  }

  // MARK: - Paths

  @Test(arguments: [
    ("/usr/etc/passwd", "/usr/etc/passwd"), ("usr//etc/./passwd", "/usr/etc/passwd"),
    ("/etc/passwd", "/usr/etc/passwd"), ("abs/passwd", "/usr/etc/passwd"), ("/etc", "/etc"),
    ("/etc/", "/usr/etc"), ("/usr/up/b", "/b"), ("/usr/../../b", "/b"), ("/", "/"), ("", "/"),
    ("/x\\x2fy", "/x\\x2fy"), ("/\\x2e\\x2e", "/\\x2e\\x2e"), ("/a\\x41", "/a\\x5cx41"),
    ("/a\\x5cx41", "/a\\x5cx41"), ("/out", "/out"),
  ])
  func `a path is found within the file system`(path: String, found: String) throws {
    #expect(try FileTree(fileSystem).find(path).path == found)
  }

  @Test func `links lead to the file that Linux would open with this root`() throws {
    let tree = FileTree(fileSystem)
    #expect(try tree.find("/etc", followsLast: true).path == "/usr/etc")
    #expect(try tree.find("/out", followsLast: true).path == "/usr/etc/passwd")
    #expect(throws: FileSystemError.self) { try tree.find("/loop", followsLast: true) }
  }

  @Test(arguments: ["/none", "/b/c", "/loop/x", "/usr/etc/passwd/"])
  func `what is not there is not found`(path: String) {
    #expect(throws: FileSystemError.self) { try FileTree(fileSystem).find(path) }
  }

  @Test func `an inode has all its paths`() throws {
    let paths = try TreePaths(fileSystem)
    let id = try FileTree(fileSystem).find("/a").inode.id
    #expect(paths.paths(of: id) == ["/a", "/b"])
    #expect(paths.paths(of: fileSystem.root) == ["/"])
    #expect(paths.paths(of: FileID(4711)).isEmpty)
    let passwd = try FileTree(fileSystem).find("/usr/etc/passwd").inode.id
    #expect(try TreePaths(fileSystem, of: [passwd]).path(of: passwd) == "/usr/etc/passwd")
    #expect(try TreePaths(fileSystem, of: [passwd]).path(of: id) == nil)
  }

  // MARK: - Walks

  private func walk(
    _ fileSystem: MemoryFileSystem, from path: String = "/", isRecursive: Bool = true,
    includesDeleted: Bool = false
  ) throws -> (paths: [String], damage: [String]) {
    var walk = TreeWalk(
      fileSystem, from: try FileTree(fileSystem).find(path), isRecursive: isRecursive,
      includesDeleted: includesDeleted)
    var paths: [String] = []
    while let entry = try walk.next() { paths.append("\(entry.depth) \(entry.path)") }
    return (paths, walk.damage.map { "\($0.path): \($0.damage.problem)" })
  }

  @Test func `a walk visits directories first, and names in order`() throws {
    let (paths, damage) = try walk(fileSystem)
    #expect(
      paths == [
        "0 /", "1 /\\x2e\\x2e", "1 /a", "1 /a\\x5cx41", "1 /abs", "1 /b", "1 /etc", "1 /loop",
        "1 /out", "1 /usr", "2 /usr/etc", "3 /usr/etc/passwd", "2 /usr/up", "1 /x\\x2fy",
      ])
    #expect(damage.isEmpty)
    #expect(try walk(fileSystem, from: "/usr", isRecursive: false).paths.count == 3)
    #expect(try walk(fileSystem, from: "/b").paths == ["0 /b"])
  }

  @Test func `cycles and damaged inodes are said, and the rest is visited`() throws {
    let bad = MemoryFileSystem([
      .directory("d", [.directory("e", [.again("up", "/d"), .again("root", "")])]),
      .directory("gone", []).with(isDamaged: true), .file("z", "z"),
      .file("old", "x").with(isDeleted: true),
    ])
    let (paths, damage) = try walk(bad)
    #expect(
      paths == ["0 /", "1 /d", "2 /d/e", "3 /d/e/root", "3 /d/e/up", "1 /gone", "1 /z"])
    #expect(
      damage == [
        "/d/e/root: directory 2 again", "/d/e/up: directory 11 again",
        "/gone: inode 13: wrong checksum",
      ])
    #expect(try walk(bad, includesDeleted: true).paths.contains("1 /old"))
    #expect(try TreePaths(bad).damage.count == 1)
  }

  @Test func `a tree deeper than can be is left at its bound`() throws {
    var node = MemoryFileSystem.Node.file("f", "x")
    for _ in 0..<20 { node = .directory("d", [node]) }
    let fileSystem = MemoryFileSystem([node])
    var walk = TreeWalk(fileSystem, from: try FileTree(fileSystem).find("/"), depthMax: 8)
    var count = 0
    while try walk.next() != nil { count += 1 }
    #expect(count == 9)
    #expect(walk.damage.map(\.damage.problem) == ["is nested too deep"])
  }

  // MARK: - Owners

  @Test func `bytes have their owners`() throws {
    let block = UInt64(MemoryFileSystem.blockByteCount)
    let files = MemoryFileSystem([
      .file("one", pieces: [.bytes([1])]),
      .file("two", pieces: [.bytes([UInt8](repeating: 2, count: 8192)), .hole(4096), .bytes([3])]),
    ])
    let one = try FileTree(files).find("/one").inode.id
    let two = try FileTree(files).find("/two").inode.id
    let ranges = [0..<block + 1, block + 1..<block * 2, block * 2 + 7..<block * 5]
    let owned = try OwnerIndex(files).owners(of: ranges)
    let expected = [
      OwnerIndex.Owned(bytes: block..<block + 1, id: one, part: .content),
      OwnerIndex.Owned(bytes: block * 2 + 7..<block * 4, id: two, part: .content),
      OwnerIndex.Owned(bytes: block * 4..<block * 4 + 1, id: two, part: .content),
    ]
    #expect(owned == expected)
    #expect(try OwnerIndex(files, within: [0..<block * 2]).owners(of: ranges) == [expected[0]])
  }

  @Test func `a map that is damaged is told of with the owners`() throws {
    let files = MemoryFileSystem([
      .file("whole", "whole"), .file("torn", pieces: [.lost(4096), .bytes([1])]),
    ])
    let index = try OwnerIndex(files)
    #expect(index.damage.map(\.problem) == ["extent lost"])
    #expect(index.unmapped == [try FileTree(files).find("/torn").inode.id])
  }

  @Test func `ranges without others`() {
    let ranges: [Range<UInt64>] = [0..<10, 20..<30, 40..<50]
    #expect(ranges.without([5..<25, 29..<41, 60..<70]) == [0..<5, 25..<29, 41..<50])
    #expect(ranges.without([]) == ranges && ranges.without([0..<100]).isEmpty)
    #expect(ranges.parts(in: 5..<45) == [5..<10, 20..<30, 40..<45])
    #expect(ranges.touches(29..<31) && !ranges.touches(30..<40))
  }
}
