import BlockIO
import FileSystems
import SnapshotFormat
import SnapshotKit
import TestSupport
import Testing

/// The files of a snapshot beside those of its origin, on file systems in memory whose bytes are a
/// real view's.
@Suite struct FilesTests {
  private typealias Node = MemoryFileSystem.Node

  private static let blockByteCount = MemoryFileSystem.blockByteCount

  /// A snapshot of an origin, with the chunks in its store in which the two differ.
  private func files(
    _ before: [Node], _ after: [Node], rootSeconds: Int64 = 1_700_000_001
  ) throws -> SnapshotFiles {
    let old = MemoryFileSystem(before, named: "before")
    let new = MemoryFileSystem(after, named: "after", seconds: rootSeconds)
    let count = Int(max(old.source.byteCount, new.source.byteCount))
    var (olds, news) = (try bytes(of: old.source), try bytes(of: new.source))
    olds += [UInt8](repeating: 0, count: count - olds.count)
    news += [UInt8](repeating: 0, count: count - news.count)
    func block(_ bytes: [UInt8], _ index: Int) -> ArraySlice<UInt8> {
      bytes[index * Self.blockByteCount..<(index + 1) * Self.blockByteCount]
    }
    let changed = (0..<count / Self.blockByteCount).filter { block(olds, $0) != block(news, $0) }
    // In the order of first writes, which is not that of the origin.
    let builder = StoreBuilder().copying(changed.reversed())
    var store = builder.image()
    for exception in builder.exceptions {
      let start = Int(exception.new) * Self.blockByteCount
      store.replaceSubrange(
        start..<start + Self.blockByteCount, with: block(olds, Int(exception.old)))
    }
    let snapshot = try Snapshot(Store(MemorySource(store)), of: MemorySource(news))
    return try SnapshotFiles(snapshot) { (source) throws(FileSystemError) in
      source is SnapshotView ? old : new
    }
  }

  private func bytes(of source: any BlockSource) throws -> [UInt8] {
    let buffer = IOBuffer(byteCount: Int(source.byteCount))
    try source.read(at: 0, into: buffer, 0..<buffer.byteCount)
    return buffer.bytes(0..<buffer.byteCount)
  }

  private func changes(_ files: SnapshotFiles, comparesContent: Bool = false) throws -> [String] {
    let found = try FileChanges(files, comparesContent: comparesContent)
    #expect(found.damage.isEmpty)
    return found.changes.map {
      "\($0.status.letter) \($0.path)\($0.from.map { " from \($0)" } ?? "") \($0.changedByteCount)"
    }
  }

  @Test func `every kind of change is found, and nothing else`() throws {
    let before: [Node] = [
      .file("same", "same").with(number: 20), .file("written", "before").with(number: 21),
      .file("touched", "touched").with(number: 22), .file("old name", "kept").with(number: 24),
      .directory("d", [.file("inside", "in").with(number: 28)]).with(number: 27),
      .file("saved", "first").with(number: 29), .file("linked", "l").with(number: 32),
      .link("link", to: "one").with(number: 26), .file("gone", "gone!").with(number: 23),
      .file("kind", "file").with(number: 25),
      .directory("empty", [.file("deep", "deep").with(number: 34)]).with(number: 33),
    ]
    // What stays is in the same blocks, as it would be on a disk.
    let after: [Node] = [
      .file("same", "same").with(number: 20), .file("written", "after!").with(number: 21),
      .file("touched", "touched").with(seconds: 1_800_000_000, number: 22),
      .file("new name", "kept").with(number: 24),
      .directory("e", [.file("inside", "in").with(number: 28)]).with(number: 27),
      .file("saved", "2nd one").with(number: 31), .file("linked", "l").with(number: 32),
      // Linux makes a new link for another target.
      .link("link", to: "two").with(seconds: 1_800_000_000, number: 26),
      .hardLink("linked too", to: "/linked"),
      .directory("kind", []).with(number: 30),
    ]
    let found = try changes(files(before, after))
    #expect(
      found == [
        "m / 0", "R /e from /d 0", "- /empty 0", "- /empty/deep 4", "- /gone 5", "T /kind 0",
        "M /link 0", "+ /linked too 1", "R /new name from /old name 0", "M /saved 7",
        "m /touched 0", "M /written 6",
      ])
  }

  @Test func `a change that no inode tells of is found by its bytes`() throws {
    let files = try files([.file("f", "one")], [.file("f", "two")], rootSeconds: 1_700_000_000)
    #expect(try changes(files) == ["m / 0", "M /f 3"])
    #expect(try changes(files, comparesContent: true) == ["m / 0", "M /f 3"])
  }

  @Test func `with --content, data that was only moved is no change`() throws {
    let moved: [Node] = [
      .file("", "pad").with(name: Array("pad".utf8), number: 50),
      .file("f", "same").with(number: 11),
    ]
    let files = try files([.file("f", "same").with(number: 11)], moved)
    #expect(try changes(files) == ["m / 0", "M /f 4", "+ /pad 3"])
    #expect(try changes(files, comparesContent: true) == ["m / 0", "+ /pad 3"])
  }

  @Test func `damage of either side is said`() throws {
    let files = try files(
      [.file("a", "a").with(isDamaged: true), .file("b", "b")], [.file("a", "a"), .file("b", "c")])
    let found = try FileChanges(files)
    #expect(found.damage.contains { $0.side == .snapshot })
    #expect(found.changes.contains { $0.path == "/b" })
  }

  @Test func `bytes have their owners on both sides, and exceptions their order`() throws {
    let files = try files(
      [.file("x", "one").with(number: 20), .file("y", "two").with(number: 21)],
      [.file("x", "ONE").with(number: 20), .file("z", "TWO").with(number: 22)])
    let block = UInt64(Self.blockByteCount)
    let owners = try FileOwners(of: [block..<block + 3, block * 2..<block * 3], in: files)
    #expect(
      owners.owners.map { "\($0.side) \($0.paths) \($0.contentByteCount)" } == [
        "snapshot [\"/x\"] 3", "snapshot [\"/y\"] 3", "origin [\"/x\"] 3", "origin [\"/z\"] 3",
      ])
    #expect(owners.unowned.map { $0.bytes.lowerBound } == [block * 2 + 3, block * 2 + 3])
    #expect(try FileOwners(of: [0..<512], in: files).unowned.map(\.what) == ["free", "free"])
    let events = try FileTimeline(files).events
    #expect(events.map(\.oldChunk) == [2, 1])
    #expect(events.map { $0.before?.path } == ["/y", "/x"])
    #expect(events.map { $0.after?.path } == ["/z", "/x"])
    let x = try FileTree(files.before).find("/x").inode
    let pieces = try FileExceptions(
      of: x, in: files.before, of: files.snapshot, in: files.part
    ).pieces
    #expect(pieces.map(\.oldChunk) == [1] && pieces.map(\.newChunk) == [3])
    #expect(pieces.map(\.store) == [block * 3..<block * 3 + 3])
  }
}
