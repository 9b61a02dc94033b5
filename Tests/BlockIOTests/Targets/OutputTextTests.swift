import BlockIO
import SystemPackage
import TestSupport
import Testing

/// A text of any length appears under its name when it is whole.
@Suite struct OutputTextTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private var path: FilePath { FilePath(directory.path("new.txt")) }

  /// Lines that end at all kinds of places of a buffer, with characters of several bytes.
  private static let lines = (0..<9000).map {
    "line \($0) → \(String(repeating: "é", count: $0 % 37))\n"
  }

  @Test func `a text has all that was written when it gets its name`() throws {
    let output = try OutputText(path: path)
    for line in Self.lines { try output.write(line) }
    try output.write("")
    try output.write(String(repeating: "long ", count: 40_000))
    #expect(!Files.exist(path.string))
    try output.publish()
    #expect(try directory.names() == ["new.txt"])
    let expected = Self.lines.joined() + String(repeating: "long ", count: 40_000)
    #expect(try Files.bytes(path.string).firstDifference(from: Array(expected.utf8)) == nil)
  }

  @Test func `a text without a word is an empty file`() throws {
    try OutputText(path: path).publish()
    #expect(try Files.bytes(path.string) == [])
  }

  @Test func `a text that is given up leaves nothing`() throws {
    func giveUp() throws {
      let output = try OutputText(path: path)
      for line in Self.lines { try output.write(line) }
    }
    try giveUp()
    #expect(try directory.names().isEmpty)
  }

  @Test func `nothing that is there is replaced, not even if it comes late`() throws {
    let late = try OutputText(path: path)
    try late.write("late\n")
    try directory.write([1, 2, 3], to: "new.txt")
    let error = #expect(throws: BlockIOError.self) { try late.publish() }
    #expect(error?.reason == .refused("exists, and is not overwritten"))
    #expect(throws: BlockIOError.self) { try OutputText(path: path) }
    #expect(try Files.bytes(path.string) == [1, 2, 3])
  }

  @Test func `what is read back while it is made is what was written`() throws {
    let output = try OutputText(path: path)
    for line in Self.lines { try output.write(line) }
    try output.publish()
    var reader = LineReader(try FileSource(path: path))
    for line in Self.lines { #expect(try reader.next() == String(line.dropLast())) }
    #expect(try reader.next() == nil)
  }
}
