import BlockIO
import FileSystems
import SnapshotFormat
import SnapshotKit
import TestSupport
import Testing

/// Which files losses are in, by what the files of both sides say.
@Suite struct LostFilesTests {
  private typealias Node = MemoryFileSystem.Node

  private static let blockByteCount = MemoryFileSystem.blockByteCount

  /// The blocks that each file system has, filled up to the same number.
  private static func blocks(_ fileSystems: [MemoryFileSystem]) throws -> [[[UInt8]]] {
    let count = fileSystems.map { Int($0.source.byteCount) / blockByteCount }.max() ?? 0
    return try fileSystems.map { fileSystem in
      let source = fileSystem.source
      let buffer = IOBuffer(byteCount: Int(source.byteCount))
      try source.read(at: 0, into: buffer, 0..<buffer.byteCount)
      let bytes = buffer.bytes(0..<buffer.byteCount)
      return (0..<count).map { index in
        let start = index * blockByteCount
        return start < bytes.count
          ? Array(bytes[start..<start + blockByteCount])
          : [UInt8](repeating: 0, count: blockByteCount)
      }
    }
  }

  /// The files of one side and those of the other.
  private typealias Sides = (snapshot: [Node], origin: [Node])

  /// A snapshot that Linux invalidated when it had copied the blocks that differ, the last of them
  /// in flight: those in `lost` have no exception.
  ///
  /// - Parameter uncopied: Blocks that were written when it was invalid already.
  private func files(
    snapshot: [Node], origin: [Node], lost: [Int], uncopied: [Int] = [],
    placing: PlacementLevel = .none, sharing: ExtentSharing = .never, blockCount: Int = 0
  ) throws -> SnapshotFiles {
    let found = try files(
      [(snapshot, origin)], lost: lost, uncopied: uncopied, placing: placing, sharing: sharing,
      blockCount: blockCount)
    return try #require(found.first)
  }

  /// The same of a disk: each of several file systems in a partition, or one in all of it.
  private func files(
    _ parts: [Sides], lost: [Int], uncopied: [Int] = [], placing: PlacementLevel = .none,
    sharing: ExtentSharing = .never, blockCount: Int = 0
  ) throws -> [SnapshotFiles] {
    let systems = parts.map { sides in
      [sides.snapshot, sides.origin].map {
        MemoryFileSystem($0, sharing: sharing, blockCount: blockCount)
      }
    }
    let each = try systems.map { try Self.blocks($0) }
    let blocks = (0...1).map { side in each.flatMap { $0[side] } }
    let changed = blocks[0].indices.filter { blocks[0][$0] != blocks[1][$0] }
    var builder = StoreBuilder().copying(
      changed.filter { !lost.contains($0) && !uncopied.contains($0) })
    builder.header.valid = 0
    let inFlight = lost.indices.map { builder.dataChunk(builder.exceptions.count + $0) }
    let chunkCount = builder.dataChunk(builder.exceptions.count + lost.count)
    var store = builder.sized(chunkCount).image()
    for exception in builder.exceptions {
      store.put(blocks[0][Int(exception.old)], at: Int(exception.new) * Self.blockByteCount)
    }
    for (chunk, old) in zip(inFlight, lost) {
      store.put(blocks[0][old], at: chunk * Self.blockByteCount)
    }
    let view = try Snapshot(
      Store(MemorySource(store)), of: MemorySource(blocks[1].flatMap(\.self)), reading: .salvage,
      placing: Placing(placing))
    var start: UInt64 = 0
    return try parts.indices.map { index in
      let end = start + UInt64(each[index][0].count * Self.blockByteCount)
      defer { start = end }
      let part = parts.count == 1 ? nil : SnapshotPart(.partition(index + 1), start..<end)
      var sides = systems[index][...]
      return try SnapshotFiles(view, in: part) { _ throws(FileSystemError) in sides.removeFirst() }
    }
  }

  private func words(_ found: LostFiles) -> [String] {
    found.files.map { file in
      "\(file.paths.first ?? "?") lost \(file.lost.map { Int($0.upperBound - $0.lowerBound) })"
        + " unnamed \(file.unnamedByteCount) doubtful \(file.doubtfulByteCount)"
    }
  }

  @Test func `a file of an overlay that nobody had before has lost what no exception names`() throws
  {
    let origin: [Node] = [.file("old", "as it was").with(number: 20)]
    let overlay: [Node] = [
      .file("old", "as it was").with(number: 20),
      .file("there", "copied").with(seconds: 1_800_000_000, number: 21),
      .file("lost", "in flight").with(seconds: 1_800_000_000, number: 22),
    ]
    let files = try files(snapshot: overlay, origin: origin, lost: [3])
    let found = try #require(try LostFiles.search([files])?.first)
    #expect(words(found) == ["/lost lost [9] unnamed 9 doubtful 0"])
    // The one exception that is lost is accounted for.
    #expect(!found.hasUnknown && found.unknownCount == 0 && found.names.isEmpty)
    let losses = try FileLosses(files)
    let lost = try FileTree(files.before).find("/lost").inode
    #expect(try losses.counts(of: lost, in: files.before) == FileLosses.Counts(lost: 9))
  }

  @Test func `after an overflow the rest of a file is in doubt, though all copies have places`()
    throws
  {
    func text(_ word: String) -> String {
      (0..<20).map { "\($0) \(word) ".padded(to: Self.blockByteCount, with: word) }.joined()
    }
    let files = try files(
      snapshot: [.file("log", text("before")).with(number: 20)],
      origin: [.file("log", text("after!")).with(seconds: 1_800_000_000, number: 20)],
      lost: [12, 13, 14], uncopied: Array(15...20), placing: .likely)
    let losses = try FileLosses(files)
    #expect(losses.hasUnknown && losses.unknownCount == 0)
    let block = UInt64(Self.blockByteCount)
    #expect(losses.likely == [12 * block..<15 * block])
    #expect(losses.doubtful == [15 * block..<21 * block])
  }

  @Test func `what another file has by now is lost, and what was written in place is in doubt`()
    throws
  {
    // The newest inode is the same on both sides, as where the snapshot shows its origin's.
    let snapshot: [Node] = [
      .file("written", "before").with(number: 20), .file("gone", "was here").with(number: 21),
      .file("same", "same").with(seconds: 1_900_000_000, number: 22),
      .file("kept", "kept").with(number: 23),
    ]
    let origin: [Node] = [
      .file("written", "after!").with(seconds: 1_800_000_000, number: 20),
      .file("new", "is here!").with(seconds: 1_800_000_000, number: 30),
      .file("same", "same").with(seconds: 1_900_000_000, number: 22),
      .file("kept", "KEPT").with(seconds: 1_800_000_000, number: 23),
    ]
    let files = try files(snapshot: snapshot, origin: origin, lost: [1, 2])
    let found = try #require(try LostFiles.search([files])?.first)
    #expect(
      words(found) == [
        "/gone lost [8] unnamed 8 doubtful 0", "/same lost [] unnamed 0 doubtful 4",
        "/written lost [] unnamed 0 doubtful 6",
      ])
    #expect(found.hasUnknown && found.unknownCount == 1)
  }

  /// A clone has the same place as its original, and nothing of it was written.
  @Test(arguments: [ExtentSharing.never, .present])
  func `a new file is lost where files share nothing, and if it may be a clone where it was free`(
    sharing: ExtentSharing
  ) throws {
    let origin: [Node] = [.file("old", "as it was").with(number: 20)]
    let overlay: [Node] = [
      .file("old", "as it was").with(number: 20),
      .clone("clone", of: "/old").with(seconds: 1_800_000_000, number: 21),
      .file("lost", "in flight").with(seconds: 1_800_000_000, number: 22),
    ]
    let files = try files(
      snapshot: overlay, origin: origin, lost: [2], sharing: sharing, blockCount: 4)
    let found = try #require(try LostFiles.search([files])?.first)
    let lost = "/lost lost [9] unnamed 9 doubtful 0"
    #expect(
      words(found)
        == (sharing == .present
          ? [lost]
          : [
            "/clone lost [9] unnamed 9 doubtful 0", lost, "/old lost [9] unnamed 9 doubtful 0",
          ]))
    #expect(!found.hasUnknown)
  }

  /// XFS no longer marks a clone that shares nothing any more.
  @Test(arguments: [ExtentSharing.never, .past])
  func
    `a file in the place of one that is gone may have been its clone, but at the same offset only`(
      sharing: ExtentSharing
    ) throws
  {
    let block = [UInt8](repeating: 0x61, count: Self.blockByteCount)
    let origin: [Node] = [
      .file("original", "as it was").with(number: 20),
      .file("other", pieces: [.bytes(block), .bytes(block)]).with(number: 21),
    ]
    let overlay: [Node] = [
      .file("clone", "as it was").with(seconds: 1_800_000_000, number: 22),
      .file("first", "written").with(seconds: 1_800_000_000, number: 23),
      .file("second", "in flight").with(seconds: 1_800_000_000, number: 24),
    ]
    let files = try files(snapshot: overlay, origin: origin, lost: [3], sharing: sharing)
    let found = try #require(try LostFiles.search([files])?.first)
    let second = "/second lost [9] unnamed 9 doubtful 0"
    #expect(
      words(found)
        == (sharing == .past ? [second] : ["/clone lost [9] unnamed 9 doubtful 0", second]))
    #expect(!found.hasUnknown)
  }

  /// As `fallocate --collapse-range` moves it.
  @Test func `what a file has elsewhere in itself was not written, and is in doubt at most`() throws
  {
    let (cut, kept) = (
      [UInt8](repeating: 0x61, count: Self.blockByteCount),
      [UInt8](repeating: 0x62, count: Self.blockByteCount)
    )
    let origin: [Node] = [.file("log", pieces: [.bytes(cut), .bytes(kept)]).with(number: 20)]
    let overlay: [Node] = [
      .file("new", "in flight").with(seconds: 1_800_000_000, number: 21),
      .file("log", pieces: [.bytes(kept)]).with(seconds: 1_800_000_000, number: 20),
    ]
    let files = try files(snapshot: overlay, origin: origin, lost: [1])
    let found = try #require(try LostFiles.search([files])?.first)
    #expect(words(found) == ["/new lost [9] unnamed 9 doubtful 0"])
    #expect(!found.hasUnknown)
  }

  /// An exception is for one place of the disk.
  @Test func `what the files of one partition tell, the others are not in doubt for`() throws {
    let origin: [Node] = [
      .file("old", "as it was").with(number: 20), .file("log", "one").with(number: 21),
    ]
    func overlay(_ name: String) -> [Node] {
      [
        .file("old", "as it was").with(number: 20),
        .file("log", "two").with(seconds: 1_800_000_000, number: 21),
        .file(name, "new").with(seconds: 1_800_000_000, number: 22),
      ]
    }
    // Blocks 3 and 7 have the new files; 2 and 6 the logs, which were written in place.
    let all: [Sides] = [(overlay("a"), origin), (overlay("b"), origin)]
    let both = try #require(try LostFiles.search(files(all, lost: [3, 7])))
    #expect(
      both.map(words) == [
        ["/a lost [3] unnamed 3 doubtful 0"], ["/b lost [3] unnamed 3 doubtful 0"],
      ])
    #expect(both.allSatisfy { !$0.hasUnknown && $0.unknownCount == 0 })
    let third = try #require(try LostFiles.search(files(all, lost: [2, 3, 7])))
    #expect(
      third.map(words) == [
        ["/a lost [3] unnamed 3 doubtful 0", "/log lost [] unnamed 0 doubtful 3"],
        ["/b lost [3] unnamed 3 doubtful 0"],
      ])
    #expect(third.allSatisfy { $0.hasUnknown && $0.unknownCount == 1 })
  }

  @Test func `a name whose inode is lost is said`() throws {
    let files = try files(
      snapshot: [
        .file("a", "a").with(isDamaged: true, number: 20),
        .file("b", "b").with(seconds: 1_800_000_000, number: 21),
      ], origin: [.file("a", "a").with(number: 20)], lost: [2])
    let found = try #require(try LostFiles.search([files])?.first)
    #expect(found.names == ["/a"])
    #expect(words(found) == ["/b lost [1] unnamed 1 doubtful 0"])
  }

  @Test func `where nothing is lost, no file system is read`() throws {
    let nodes: [Node] = [.file("a", "a").with(isDamaged: true)]
    let files = try files(snapshot: nodes, origin: nodes, lost: [])
    let found = try #require(try LostFiles.search([files], fileCountMax: 0)?.first)
    #expect(found.isNone && found.damage.isEmpty)
  }

  @Test func `too many files are not looked at`() throws {
    let nodes: [Node] = [.file("a", "a"), .file("b", "b")]
    let files = try files(
      snapshot: nodes + [.file("c", "c").with(seconds: 1_800_000_000)], origin: nodes, lost: [3])
    #expect(try LostFiles.search([files], fileCountMax: 2) == nil)
    #expect(try LostFiles.search([files], fileCountMax: 5) != nil)
  }

  @Test func `of an overlay the origin is before, unless another side is asked for`() throws {
    let origin: [Node] = [
      .directory("x", [.file("a", "one").with(number: 20), .file("b", "b").with(number: 21)])
        .with(number: 30)
    ]
    let overlay: [Node] = [
      .directory(
        "x",
        [
          .file("a", "two").with(seconds: 1_800_000_000, number: 20),
          .file("c", "b").with(number: 21), .file("d", "d").with(number: 22),
        ]
      ).with(seconds: 1_800_000_000, number: 30)
    ]
    let files = try files(snapshot: overlay, origin: origin, lost: [])
    func changes(_ before: SnapshotFiles.Side?) throws -> [String] {
      let found = try FileChanges(files, before: before)
      return ["\(found.before)"]
        + found.changes.map { "\($0.status.letter) \($0.path) \($0.from ?? "")" }
    }
    let (automatic, asked) = (try changes(nil), try changes(.snapshot))
    #expect(automatic == ["origin", "m /x ", "M /x/a ", "R /x/c /x/b", "+ /x/d "])
    #expect(asked == ["snapshot", "m /x ", "M /x/a ", "R /x/b /x/c", "- /x/d "])
  }

  @Test func `what is in no file is one stream`() throws {
    let files = try files(
      snapshot: [.file("a", "a")], origin: [.file("a", "b")], lost: [])
    let free = try FreeBytes(
      of: files.before, files.snapshot, .snapshot, in: files.part,
      FileLosses(files.snapshot, .snapshot, in: files.part))
    #expect(free.byteCount == 4096 && free.lost.isEmpty)
    #expect(
      free.pieces.map { "\($0.streamOffset) \($0.byteOffset) \($0.byteCount) \($0.inStore)" } == [
        "0 0 4096 false"
      ])
  }
}

extension String {
  /// A string of that many characters that goes on with a word, again and again.
  fileprivate func padded(to count: Int, with word: String) -> String {
    var text = self
    while text.count < count { text += word }
    return String(text.prefix(count))
  }
}
