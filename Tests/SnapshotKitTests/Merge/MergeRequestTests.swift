import BlockIO
import Foundation
import SnapshotFormat
import SnapshotKit
import SystemPackage
import TestSupport
import Testing

/// A program that uses the library has every guard that the command has.
@Suite struct MergeRequestTests {
  private let directory: TemporaryDirectory
  private let store: FilePath
  private let origin: FilePath

  init() throws {
    directory = try TemporaryDirectory()
    store = FilePath(
      try directory.write(StoreBuilder(chunkSectors: 8).copying(0..<40).image(), to: "store"))
    origin = FilePath(
      try directory.write(Stamp.origin(byteCount: 4096 * 100), to: "origin"))
  }

  private func request(
    _ store: FilePath, into origin: FilePath, wayBack: MergeRequest.WayBack = .none
  ) throws -> MergeRequest {
    MergeRequest(
      of: Store(try FileSource(path: store)), into: .bytes(try FileSource(path: origin)),
      wayBack: wayBack)
  }

  private func refusal(
    _ purpose: MergePurpose = .merge, _ request: MergeRequest
  ) -> MergeRefusalCode? {
    do throws(MergeError) {
      _ = try request.checked(for: purpose).merge()
    } catch {
      guard case .refused(let refusal) = error else { return nil }
      return refusal.code
    }
    return nil
  }

  @Test func `a merge, and its undo`() throws {
    let before = try Files.bytes(origin.string)
    let undo = FilePath(directory.path("undo"))
    do {
      let merge = try request(store, into: origin, wayBack: .undo(undo)).checked(for: .merge)
      #expect(!merge.isUndo && merge.byteCount == 40 * 4096)
      #expect(try merge.merge(verify: true).byteCount == 40 * 4096)
    }
    #expect(try Files.bytes(origin.string) != before)
    let back = try request(undo, into: origin).checked(for: .merge)
    #expect(back.isUndo)
    _ = try back.merge()
    #expect(try Files.bytes(origin.string) == before)
  }

  @Test func `a trial has all the refusals of the merge, and writes nothing`() throws {
    for purpose in [MergePurpose.trial, .merge] {
      #expect(refusal(purpose, try request(store, into: store)) == .storeIsOrigin)
      #expect(
        refusal(purpose, try request(store, into: origin, wayBack: .undo(store))) == .undoIsInput)
      #expect(
        refusal(purpose, try request(store, into: origin, wayBack: .undo(origin))) == .undoIsInput)
    }
    #expect(try directory.names() == ["origin", "store"])
  }

  @Test func `a merge that was checked as a trial is checked again before it writes`() throws {
    let trial = try request(store, into: origin).checked(for: .trial)
    let before = try Files.bytes(origin.string)
    let held = try FileTarget(path: origin)
    #expect(throws: MergeError.self) { try trial.merge() }
    #expect(try Files.bytes(origin.string) == before)
    withExtendedLifetime(held) {}
  }

  @Test func `a trial can be merged`() throws {
    let expected = try ReferenceDecoder(Files.bytes(store.string)).view(
      of: Files.bytes(origin.string)
    ).bytes
    #expect(try request(store, into: origin).checked(for: .trial).merge().byteCount == 40 * 4096)
    #expect(try Files.bytes(origin.string) == expected)
  }

  @Test func `a table that changed since it was looked at is read again`() throws {
    let source = FaultySource(try Files.bytes(store.string))
    let request = MergeRequest(
      of: Store(source), into: .bytes(try FileSource(path: origin)), wayBack: .none)
    func readCount() -> Int { source.reads.count { $0.contains(4096) } }
    _ = try request.checked(for: .copy)
    let once = readCount()
    #expect(once > 0)
    _ = try request.checked(for: .copy)
    #expect(readCount() == 2 * once)
  }

  @Test func `a store is not overwritten by any name`() throws {
    let before = try Files.bytes(store.string)
    let link = directory.path("link")
    try FileManager.default.createSymbolicLink(
      atPath: link, withDestinationPath: store.string)
    let hard = directory.path("hard")
    try FileManager.default.linkItem(atPath: store.string, toPath: hard)
    for name in [link, hard] {
      #expect(refusal(.merge, try request(store, into: FilePath(name))) == .storeIsOrigin)
    }
    // A part of the store's own file is the store's as well, unless no byte is in both.
    let whole = try FileSource(path: store)
    let part = MergeRequest(
      of: Store(whole), into: .bytes(try SliceSource(whole, 4096..<81_920)), wayBack: .none)
    #expect(refusal(.merge, part) == .storeIsOrigin)
    #expect(try Files.bytes(store.string) == before)
  }

  @Test func `what was looked at is what is written, wherever its name leads by now`() throws {
    let name = directory.path("name")
    try FileManager.default.createSymbolicLink(
      atPath: name, withDestinationPath: origin.string)
    let request = try request(store, into: FilePath(name))
    let before = try Files.bytes(store.string)
    try FileManager.default.removeItem(atPath: name)
    try FileManager.default.createSymbolicLink(atPath: name, withDestinationPath: store.string)
    _ = try request.checked(for: .merge).merge()
    #expect(try Files.bytes(store.string) == before)
    #expect(
      try Files.bytes(origin.string)
        == ReferenceDecoder(before).view(of: Stamp.origin(byteCount: 4096 * 100)).bytes)
  }

  @Test func `a part of a file is merged into in place, and nothing beside it is written`() throws {
    let own = try Files.bytes(origin.string)
    var random = SplitMix64(seed: 20_261_126)
    let (head, tail) = (random.bytes(512 * 77), random.bytes(512 * 13 + 5))
    let disk = FilePath(try directory.write(head + own + tail, to: "disk"))
    let undo = FilePath(directory.path("undo"))
    let range = UInt64(head.count)..<UInt64(head.count + own.count)
    func part() throws -> MergeOrigin {
      .bytes(try SliceSource(try FileSource(path: disk), range))
    }
    let merge = MergeRequest(
      of: Store(try FileSource(path: store)), into: try part(), wayBack: .undo(undo))
    _ = try merge.checked(for: .merge).merge(verify: true)
    let merged = ReferenceDecoder(try Files.bytes(store.string)).view(of: own).bytes
    #expect(try Files.bytes(disk.string) == head + merged + tail)
    let back = MergeRequest(
      of: Store(try FileSource(path: undo)), into: try part(), wayBack: .none)
    _ = try back.checked(for: .merge).merge(verify: true)
    #expect(try Files.bytes(disk.string) == head + own + tail)
  }

  @Test func `a forged undo store is a store like any other`() throws {
    // Two ext4 superblocks of different UUIDs, one in each.
    func superblock(_ uuid: UInt8) -> [UInt8] {
      var block = [UInt8](repeating: 0, count: 4096)
      block.put([0, 4, 0, 0], at: 1024)  // inodes
      block.put([100, 0, 0, 0], at: 1024 + 4)  // blocks
      block.put([1, 0, 0, 0], at: 1024 + 20)  // the first data block
      block.put([2, 0, 0, 0], at: 1024 + 24)  // blocks of 4 KiB
      block.put([0x53, 0xef], at: 1024 + 56)
      block.put([1, 0, 0, 0], at: 1024 + 76)
      block.put([UInt8](repeating: uuid, count: 16), at: 1024 + 104)
      return block
    }
    let path = try directory.write(
      superblock(0x11) + Stamp.origin(byteCount: 4096 * 99), to: "ext4")
    var forged = StoreBuilder(chunkSectors: 8).copying(0..<40).image()
    forged.put(superblock(0x22), at: 2 * 4096)
    let plain = FilePath(try directory.write(forged, to: "plain"))
    #expect(refusal(.merge, try request(plain, into: FilePath(path))) == .unrelatedOrigin)
    var manifest = [UInt8](repeating: 0, count: 112)
    manifest.put(Array("dmsnapun".utf8), at: 0)
    manifest.put(UInt32(2).littleEndianBytes + UInt32(3).littleEndianBytes, at: 8)
    manifest.put(UInt64(4096 * 100).littleEndianBytes + UInt64(40).littleEndianBytes, at: 16)
    forged.put(manifest, at: 16)
    let digest = manifest.sha256
    forged.put((0..<32).map { UInt8(digest.dropFirst($0 * 2).prefix(2), radix: 16) ?? 0 }, at: 128)
    let fake = FilePath(try directory.write(forged, to: "fake"))
    #expect(try #require(Store(FileSource(path: fake)).undoDescription).contains("finished"))
    #expect(refusal(.merge, try request(fake, into: FilePath(path))) == .unrelatedOrigin)
  }
}
