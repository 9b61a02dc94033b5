import Blkid
import BlockIO
import Foundation
import SystemPackage
import Testing

/// What is found in a file, held against blkid(8) and wipefs(8).
///
/// - All signatures are listed, also where blkid(8) gives up because there are two.
/// - Nothing that a file can hold makes the probe fail.
/// - The file is as it was before: bytes and times.
@Suite struct ProbeTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  @Test(arguments: [["mkfs.ext4", "-q", "-L", "Pictures"], ["mkswap", "-L", "Pictures"]])
  func `what a tool made is named as blkid names it`(_ tool: [String]) throws {
    let image = try scratch.file("image", byteCount: 64 << 20)
    try Tool.run(tool[0], tool.dropFirst() + [image])
    try expectOnly(image)
  }

  @Test func `the boot code of a file system is no partition table`() throws {
    try expectOnly(Images.fat32(scratch, label: "PICTURES"))
    try expectOnly(Images.ntfs(scratch, label: "Pictures"))
  }

  /// The image holds one thing, and blkid(8) and wipefs(8) say the same of it.
  private func expectOnly(_ image: String) throws {
    let identity = try Probe.identify(FileSource(path: FilePath(image)))
    let truth = try #require(try Oracle.blkid(image))
    #expect(identity.signatures.count == 1)
    #expect(identity.partitionTable == nil)
    let signature = try #require(identity.signatures.first)
    #expect(signature.type == truth["TYPE"])
    #expect(signature.label == truth["LABEL"])
    #expect(signature.uuid == truth["UUID"])
    #expect(signature.version == truth["VERSION"])
    #expect(signature.usage.rawValue == truth["USAGE"])
    #expect(!signature.hasBadChecksum)
    #expect(try Oracle.wipefs(image).contains(Oracle.Listed(signature)))
  }

  @Test func `a superblock in the data of a COW store does not hide the store`() throws {
    let image = try Images.storeWithSuperblock(scratch)
    let identity = try Probe.identify(FileSource(path: FilePath(image)))
    #expect(try Oracle.blkid(image) == nil, "blkid gives no answer when there are two")
    #expect(identity.signatures.map(\.type).sorted() == ["DM_snapshot_cow", "ext4"])
    let (ours, listed) = (identity.signatures.map(Oracle.Listed.init), try Oracle.wipefs(image))
    #expect(ours.allSatisfy(listed.contains))
    #expect(ours.count == listed.count)
    let store = try #require(identity.signatures.first { $0.type == "DM_snapshot_cow" })
    #expect(store == Signature(type: "DM_snapshot_cow", usage: .other, byteOffset: 0))
  }

  @Test(arguments: [0, 1, 16, 511, 512, 1024, 1025, 1536, 4096, 1440 << 10, 1 << 21])
  func `a COW store of any length is seen where wipefs sees it`(_ byteCount: Int) throws {
    var store = [UInt8](repeating: 0, count: max(byteCount, 16))
    store.put(Images.storeHeader(chunkSectors: 8), at: 0)
    let image = try scratch.file("store", Array(store.prefix(byteCount)))
    let identity = try Probe.identify(FileSource(path: FilePath(image)))
    #expect(identity.signatures.map(Oracle.Listed.init) == (try Oracle.wipefs(image)))
    #expect(identity.signatures.isEmpty == (byteCount <= 1024))
    #expect(identity.unreadable.isEmpty)
  }

  @Test(arguments: 1...20)
  func `random bytes are what wipefs takes them for`(_ seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    let random = (0..<1 << 16).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let image = try scratch.file("random", random)
    let source = try FileSource(path: FilePath(image))
    let identity = try Probe.identify(source)
    #expect(identity.signatures.map(Oracle.Listed.init) == (try Oracle.wipefs(image)))
    #expect(try Probe.identify(OpaqueSource(source)) == identity)
  }

  @Test func `a part of a file is looked at by itself, and counted from its beginning`() throws {
    let inner = try Images.storeWithSuperblock(scratch)
    let offset: UInt64 = 3 << 20
    let image = try scratch.file("outer", byteCount: 9 << 20)
    let content = try bytes(of: inner, at: 0, count: 2 << 20)
    try patch(image, at: offset, content)
    let source = try FileSource(path: FilePath(image))
    let alone = try Probe.identify(FileSource(path: FilePath(inner)))
    let range = offset..<offset + UInt64(content.count)
    #expect(try Probe.identify(source, range: range) == alone)
    #expect(try Probe.identify(OpaqueSource(source), range: range) == alone)
    let half = try SliceSource(source, 1 << 20..<9 << 20)
    #expect(
      try Probe.identify(half, range: 2 << 20..<4 << 20) == alone, "a part of a part of a file")
    #expect(try Probe.identify(source).isEmpty)
  }

  @Test func `a range that does not lie in the source is an error`() throws {
    let source = MemorySource([UInt8](repeating: 0, count: 4096))
    let error = #expect(throws: BlkidError.self) {
      try Probe.identify(source, range: 4000..<5000)
    }
    #expect(
      error?.description
        == "memory: cannot open 1000 bytes at byte 4000: it ends at byte 4096")
  }

  @Test func `a signature with a wrong checksum is listed and marked`() throws {
    let image = try scratch.file("image", byteCount: 16 << 20)
    try patch(image, at: 512, Images.physicalVolume())
    let identity = try Probe.identify(FileSource(path: FilePath(image)))
    #expect(identity.signatures.map(\.type) == ["LVM2_member"])
    #expect(identity.signatures.map(\.hasBadChecksum) == [true])
    #expect(identity.signatures.map(Oracle.Listed.init) == (try Oracle.wipefs(image)))
    #expect(try Oracle.blkid(image) == [:], "blkid does not mention it")
  }

  @Test func `a file is as it was before`() throws {
    let image = try Images.storeWithSuperblock(scratch)
    let content = try bytes(of: image, at: 0, count: 2 << 20)
    let times = try Tool.run("stat", ["--format", "%x %y %z", image]).output
    _ = try Probe.identify(FileSource(path: FilePath(image)))
    #expect(try Tool.run("stat", ["--format", "%x %y %z", image]).output == times)
    #expect(try bytes(of: image, at: 0, count: 2 << 20) == content)
  }
}
