import BlockIO
@testable import SnapshotKit
import SystemPackage
import TestSupport
import Testing

/// An undo file is made with room for all of it, or is an undo store already; nothing else is touched.
@Suite struct UndoFileTests {
  @Test func `a new file has its length, and nothing in it`() throws {
    let directory = try TemporaryDirectory()
    let (file, isNew) = try UndoFile.open(
      FilePath(directory.path("undo.cow")), existing: nil, byteCount: 12_800)
    #expect(isNew)
    #expect(file.byteCount == 12_800)
    #expect(try file.allBytes().allSatisfy { $0 == 0 })
  }

  @Test func `more room than there is is refused before anything is made`() throws {
    let directory = try TemporaryDirectory()
    let error = #expect(throws: MergeError.self) {
      try UndoFile.open(
        FilePath(directory.path("undo.cow")), existing: nil, byteCount: 1 << 60)
    }
    #expect(error?.refusal?.code == .noRoom)
    #expect(error?.refusal?.description.contains("needs \(1 << 60) bytes") == true)
    #expect(try directory.names() == [])
  }

  @Test func `what is there and no undo store is refused, and stays as it is`() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(StoreBuilder().image(), to: "undo.cow")
    let before = try FileState(path)
    let error = #expect(throws: MergeError.self) {
      try UndoFile.open(
        FilePath(path), existing: FileSource(path: FilePath(path)), byteCount: 8192)
    }
    #expect(error?.refusal?.code == .undoExists)
    #expect(try FileState(path) == before)
  }

  /// What a crash leaves that comes before the header.
  @Test func `a file of the right length that is all zero is as good as new`() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write([UInt8](repeating: 0, count: 8192), to: "undo.cow")
    let (_, isNew) = try UndoFile.open(
      FilePath(path), existing: FileSource(path: FilePath(path)), byteCount: 8192)
    #expect(isNew)
  }

  @Test func `zeroes of another length, or not all zeroes, are somebody's file`() throws {
    let directory = try TemporaryDirectory()
    var bytes = [UInt8](repeating: 0, count: 8192)
    for (name, content) in [("short", bytes), ("empty", [])] {
      let path = FilePath(try directory.write(content, to: name))
      #expect(throws: MergeError.self) {
        try UndoFile.open(path, existing: FileSource(path: path), byteCount: 8704)
      }
    }
    bytes[8191] = 1
    let used = FilePath(try directory.write(bytes, to: "used"))
    #expect(throws: MergeError.self) {
      try UndoFile.open(used, existing: FileSource(path: used), byteCount: 8192)
    }
    #expect(try directory.names() == ["empty", "short", "used"])
  }

  @Test func `an undo store is opened to go on`() throws {
    let directory = try TemporaryDirectory()
    let store = StoreBuilder().copying(0..<3).image()
    let origin = Stamp.origin(byteCount: 5 * 4096)
    let rig = MergeRig(store, into: origin, undo: try MergeRig.emptyUndo(of: store, into: origin))
    try rig.merge()
    let path = try directory.write(try #require(rig.undo).bytes, to: "undo.cow")
    let (file, isNew) = try UndoFile.open(
      FilePath(path), existing: FileSource(path: FilePath(path)), byteCount: 1)
    #expect(!isNew)
    #expect(UndoManifest(file)?.state == .finished)
  }
}
