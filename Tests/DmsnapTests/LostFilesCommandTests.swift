import Foundation
import TestSupport
import Testing

/// Which files `inspect --files` names where an area of a store is lost that Linux wrote: those
/// whose content differs from the intact snapshot's.
@Suite struct LostFilesCommandTests {
  private static let (size, perArea) = (4096, 256)

  private let dmsnap = ToolRunner.dmsnap

  private struct Report: Decodable {
    struct File: Decodable {
      let path: String?
      let partition: Int?
      let lostByteCount: Int
      let unnamedByteCount: Int
      let structureByteCount: Int
      let doubtfulByteCount: Int
      let likelyByteCount: Int

      var isLost: Bool { lostByteCount > 0 || structureByteCount > 0 }
    }
    struct Losses: Decodable {
      let complete: Bool
      let lostFileCount: Int
      let lostNames: [String]
      let files: [File]
    }
    let fileLosses: Losses?
  }

  /// Every file below a directory, by its path in it.
  private func contents(of path: String) throws -> [String: Data] {
    let found = try #require(FileManager.default.enumerator(atPath: path))
    var contents: [String: Data] = [:]
    for case let name as String in found
    where found.fileAttributes?[.type] as? FileAttributeType
      == .typeRegular
    {
      contents["/" + name] = try Data(contentsOf: URL(filePath: path + "/" + name))
    }
    return contents
  }

  private func modified(_ path: String) throws -> Date? {
    try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
  }

  private func files(
    _ store: String, _ origin: String, to path: String, _ more: String...
  ) throws -> [String: Data] {
    _ = try dmsnap.run(
      ["files", "get", store, "--origin", origin, "/", "--to", path, "--quiet"] + more)
    return try contents(of: path)
  }

  @Test(
    arguments: [
      "ext4-overlay", "ext4-origin", "xfs-overlay", "xfs-origin", "btrfs-overlay", "btrfs-origin",
    ])
  func `the files that are named differ, and those that differ are named`(name: String) throws {
    let directory = try TemporaryDirectory()
    let facts = try Corpus.read("file-systems/\(name)")
    let bytes = try Corpus.unpack(facts.store, of: "file-systems/\(name)")
    let store = try directory.write(bytes, to: "store")
    let origin = try directory.write(
      Corpus.unpack(facts.origin, of: "file-systems/\(name)"), to: "origin")
    let intact = try files(store, origin, to: directory.path("intact"))
    let count = ReferenceDecoder(bytes).exceptions.count
    // The last area may have been the end of the table: nothing tells that it is lost.
    for area in 0..<max(count / Self.perArea - 1, 1) {
      var damaged = bytes
      Damage.randomChunk(1 + area * (Self.perArea + 1), seed: UInt64(area))
        .apply(to: &damaged, of: StoreBuilder(chunkSectors: 8))
      let path = try directory.write(damaged, to: "store\(area)")
      let shown = try files(
        path, origin, to: directory.path("shown\(area)"), "--reading", "salvage")
      let outcome = try dmsnap.run([
        "inspect", path, "--origin", origin, "--files", "--format", "json",
      ])
      let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
      let losses = try #require(report.fileLosses, "area \(area)")
      let differing = Set(intact.keys.filter { intact[$0] != shown[$0] })
        .union(shown.keys.filter { intact[$0] == nil })
      let lost = Set(losses.files.filter(\.isLost).compactMap(\.path)).intersection(shown.keys)
      let named = Set(losses.files.compactMap(\.path)).union(losses.lostNames)
      #expect(lost.isSubset(of: differing), "area \(area): \(lost.subtracting(differing))")
      #expect(differing.isSubset(of: named), "area \(area): \(differing.subtracting(named))")
      #expect(losses.complete || outcome.status == 2)
      #expect(losses.files.allSatisfy { $0.unnamedByteCount <= $0.lostByteCount })
      #expect(losses.lostFileCount == losses.files.count { $0.isLost })
    }
  }

  @Test(
    arguments: [
      "ext4-overlay", "ext4-origin", "xfs-overlay", "xfs-origin", "btrfs-overlay", "btrfs-origin",
    ])
  func `if the last area is zeroes, what may be lost is in doubt, or known to be lost`(
    name: String
  ) throws {
    let directory = try TemporaryDirectory()
    let facts = try Corpus.read("file-systems/\(name)")
    let bytes = try Corpus.unpack(facts.store, of: "file-systems/\(name)")
    let store = try directory.write(bytes, to: "store")
    let origin = try directory.write(
      Corpus.unpack(facts.origin, of: "file-systems/\(name)"), to: "origin")
    let intact = try files(store, origin, to: directory.path("intact"))
    let area =
      1 + (ReferenceDecoder(bytes).exceptions.count - 1) / Self.perArea * (Self.perArea + 1)
    var damaged = bytes
    damaged.replaceSubrange(
      area * Self.size..<(area + 1) * Self.size, with: repeatElement(0, count: Self.size))
    let path = try directory.write(damaged, to: "damaged")
    let shown = try files(path, origin, to: directory.path("shown"), "--reading", "salvage")
    let outcome = try dmsnap.run([
      "inspect", path, "--origin", origin, "--files", "--format", "json",
    ])
    let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    let losses = try #require(report.fileLosses)
    let differing = Set(intact.keys.filter { shown[$0] != nil && intact[$0] != shown[$0] })
    let named = Set(losses.files.compactMap(\.path)).union(losses.lostNames)
    // A file whose own inode is lost shows its state on the other side, and looks whole.
    let known = try differing.filter {
      try modified(directory.path("intact") + $0) == modified(directory.path("shown") + $0)
    }
    #expect(known.isSubset(of: named), "\(known.subtracting(named))")
    let lost = Set(losses.files.filter(\.isLost).compactMap(\.path)).intersection(shown.keys)
    #expect(lost.isSubset(of: differing), "\(lost.subtracting(differing))")
  }

  /// A disk with one partition of Linux from 1 MiB on, and in it those bytes.
  private func disk(with content: [UInt8]) -> [UInt8] {
    var disk = [UInt8](repeating: 0, count: 1 << 20)
    let sectorCount = UInt32(content.count / 512)
    disk.replaceSubrange(446..<462, with: [0, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0])
    for index in 0..<4 { disk[458 + index] = UInt8(truncatingIfNeeded: sectorCount >> (8 * index)) }
    disk.replaceSubrange(510..<512, with: [0x55, 0xaa])
    return disk + content
  }

  /// The store of a snapshot of that disk.
  private func shifted(_ store: [UInt8]) -> [UInt8] {
    var store = store
    for position in ReferenceDecoder(store).exceptions.indices {
      let area = 1 + position / Self.perArea * (Self.perArea + 1)
      let place = area * Self.size + position % Self.perArea * 16
      let old = store[place..<place + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } + 256
      for index in 0..<8 { store[place + index] = UInt8(truncatingIfNeeded: old >> (8 * index)) }
    }
    return store
  }

  @Test(arguments: ["ext4-overlay", "xfs-origin"])
  func `the same files are named if they are in a partition`(name: String) throws {
    let directory = try TemporaryDirectory()
    let facts = try Corpus.read("file-systems/\(name)")
    let store = try Corpus.unpack(facts.store, of: "file-systems/\(name)")
    let origin = try Corpus.unpack(facts.origin, of: "file-systems/\(name)")
    func losses(_ store: [UInt8], _ origin: [UInt8], _ title: String) throws -> Report.Losses {
      var store = store
      Damage.randomChunk(1, seed: 3).apply(to: &store, of: StoreBuilder(chunkSectors: 8))
      let outcome = try dmsnap.run([
        "inspect", try directory.write(store, to: "store-\(title)"), "--origin",
        try directory.write(origin, to: "origin-\(title)"), "--files", "--format", "json",
      ])
      let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
      return try #require(report.fileLosses)
    }
    let plain = try losses(store, origin, "plain")
    let inside = try losses(shifted(store), disk(with: origin), "disk")
    #expect(!plain.files.isEmpty && plain.files.allSatisfy { $0.partition == nil })
    #expect(inside.files.allSatisfy { $0.partition == 1 })
    #expect(inside.files.map(\.path) == plain.files.map(\.path))
    #expect(inside.files.map(\.lostByteCount) == plain.files.map(\.lostByteCount))
    #expect(inside.lostNames == plain.lostNames)
  }
}
