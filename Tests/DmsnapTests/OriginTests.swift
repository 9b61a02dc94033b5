import Foundation
import SnapshotFormat
import TestSupport
import Testing

/// An origin that cannot be right is told of by every command that takes one.
@Suite struct OriginTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  /// What each command ends with and says on either stream.
  private func outcomes(_ store: String, _ origin: String) throws -> [(String, ToolOutcome)] {
    let image = directory.path("image")
    return try ["inspect", "audit", "diff", "export", "merge"].map { command in
      var line = [command, store, "--origin", origin]
      if ["export", "merge"].contains(command) { line += ["--to", image] }
      let outcome = try dmsnap.run(line)
      if Files.exist(image) { try FileManager.default.removeItem(atPath: image) }
      return (command, outcome)
    }
  }

  private func expect(_ code: String, _ words: String, _ store: String, _ origin: String) throws {
    for (command, outcome) in try outcomes(store, origin) {
      #expect(outcome.status == 1, "\(command): \(outcome)")
      let isReport = ["inspect", "audit"].contains(command)
      let text = (isReport ? outcome.output : outcome.errors)
        .split(whereSeparator: \.isWhitespace).joined(separator: " ")
      #expect(text.contains(words), "\(command): \(outcome)")
      if isReport { #expect(text.contains(code), "\(outcome)") }
      if !isReport { #expect(outcome.complaint(naming: origin) == nil) }
    }
  }

  @Test func `a disk in the place of its partition`() throws {
    let pair = try Pair("ext4-snapshot-changed", in: directory)
    let part = try Files.bytes(pair.origin)
    var disk = [UInt8](repeating: 0, count: 1 << 20) + part
    let count = UInt32(part.count / 512)
    disk.put([0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0] + count.littleEndianBytes, at: 446)
    disk.put([0x55, 0xaa], at: 510)
    let path = try directory.write(disk, to: "disk")
    let slice = "\(path),offset=1048576,length=\(part.count)"
    try expect("context.origin-is-disk", slice, pair.store, path)
    let inspected = try dmsnap.run(["inspect", pair.store, "--origin", path])
    #expect(inspected.output.contains("export \(pair.store) --origin \(slice)"), "\(inspected)")
    for (command, outcome) in try outcomes(pair.store, slice) {
      #expect(outcome.status == 0, "\(command): \(outcome)")
    }
  }

  /// What a store has of one partition's metadata would do for the partition alone.
  @Test(arguments: ["ext4-overlay", "xfs-overlay", "btrfs-overlay"])
  func `a disk that is the origin is not taken for one of its partitions`(name: String) throws {
    let facts = try Corpus.read("file-systems/\(name)")
    let store = try directory.write(
      OnePartition.store(Corpus.unpack(facts.store, of: "file-systems/\(name)")), to: "store")
    let origin = try directory.write(
      OnePartition.disk(with: Corpus.unpack(facts.origin, of: "file-systems/\(name)")),
      to: "origin")
    for (command, outcome) in try outcomes(store, origin) where command != "merge" {
      #expect(outcome.status == 0, "\(command): \(outcome)")
      #expect(!(outcome.output + outcome.errors).contains("origin-is-disk"), "\(outcome)")
    }
  }

  @Test func `another image of the same size`() throws {
    let pair = try Pair("ext4-snapshot-changed", in: directory)
    var other = try Files.bytes(pair.origin)
    other.put(Array(repeating: 0x22, count: 16), at: 1024 + 0x68)
    // Without the checksum's feature the superblock has none that would be wrong.
    other.put([other[1024 + 0x65] & ~4], at: 1024 + 0x65)
    let path = try directory.write(other, to: "other")
    try expect("context.unrelated-origin", "is it the right origin?", pair.store, path)
  }

  @Test func `the store in the place of the origin`() throws {
    let pair = try Pair("ext4-snapshot-changed", in: directory)
    let store = try Files.bytes(pair.store)
    let room = try Files.bytes(pair.origin).count - store.count
    let copy = try directory.write(store + [UInt8](repeating: 0, count: room), to: "copy")
    try expect("context.origin-is-store", "is a COW store itself", pair.store, copy)
  }

  @Test func `an origin that is too short is lengthened before anything is dropped`() throws {
    let pair = try Pair("origin-too-short", in: directory)
    let outcome = try dmsnap.run(["inspect", pair.store, "--origin", pair.origin])
    #expect(outcome.status == 2)
    #expect(outcome.output.contains("lost     nothing in the store"), "\(outcome)")
    let size = 910 * 4096
    let next = outcome.outputLines.drop { !$0.hasPrefix("next") }.map { $0.dropFirst(9) }
    #expect(next.first == "cp --sparse=always \(pair.origin) COPY", "\(next)")
    #expect(next.dropFirst().first == "truncate --size \(size) COPY", "\(next)")
    let longer = try directory.write(
      Files.bytes(pair.origin) + [UInt8](repeating: 0, count: size - (2 << 20)), to: "longer")
    #expect(try dmsnap.run(["inspect", pair.store, "--origin", longer]).status == 0)
  }

  @Test func `of an overflowed snapshot nobody says that the origin is as it was`() throws {
    let pair = try Pair("overflow-p", in: directory)
    let inspected = try dmsnap.run(["inspect", pair.store, "--origin", pair.origin])
    #expect(
      inspected.status == 2 && inspected.output.contains("origin   unknown; assume that it"))
    #expect(!inspected.output.contains("exactly"))
    let bare = try dmsnap.run(["inspect", pair.store])
    #expect(bare.output.contains("unknown; assume that it"), "\(bare)")
    let image = directory.path("image")
    let exported = try dmsnap.run(
      ["export", pair.store, "--origin", pair.origin, "--reading", "salvage", "--to", image])
    #expect(exported.status != 0 && exported.errors.contains("unknown; assume"), "\(exported)")
  }
}
