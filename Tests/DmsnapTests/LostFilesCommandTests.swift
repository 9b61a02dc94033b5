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

  /// A stored case, unpacked.
  private struct Case {
    let bytes: [UInt8]
    let origin: String
    /// The files of the intact snapshot.
    let intact: [String: Data]
    var exceptionCount: Int { ReferenceDecoder(bytes).exceptions.count }
  }

  private func unpack(_ name: String, in directory: TemporaryDirectory) throws -> Case {
    let facts = try Corpus.read("file-systems/\(name)")
    let bytes = try Corpus.unpack(facts.store, of: "file-systems/\(name)")
    let store = try directory.write(bytes, to: "store")
    let origin = try directory.write(
      Corpus.unpack(facts.origin, of: "file-systems/\(name)"), to: "origin")
    return Case(
      bytes: bytes, origin: origin, intact: try files(store, origin, to: directory.path("intact")))
  }

  /// What `inspect --files` says.
  private func inspect(
    _ store: String, _ origin: String
  ) throws -> (losses: Report.Losses, status: Int32?) {
    let outcome = try dmsnap.run([
      "inspect", store, "--origin", origin, "--files", "--format", "json",
    ])
    let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    return try (#require(report.fileLosses, "\(store)"), outcome.status)
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
    let stored = try unpack(name, in: directory)
    let (bytes, origin, intact) = (stored.bytes, stored.origin, stored.intact)
    // The last area may have been the end of the table: nothing tells that it is lost.
    for area in 0..<max(stored.exceptionCount / Self.perArea - 1, 1) {
      var damaged = bytes
      Damage.randomChunk(1 + area * (Self.perArea + 1), seed: UInt64(area))
        .apply(to: &damaged, of: StoreBuilder(chunkSectors: 8))
      let path = try directory.write(damaged, to: "store\(area)")
      let shown = try files(
        path, origin, to: directory.path("shown\(area)"), "--reading", "salvage")
      let (losses, status) = try inspect(path, origin)
      let differing = Set(intact.keys.filter { intact[$0] != shown[$0] })
        .union(shown.keys.filter { intact[$0] == nil })
      let lost = Set(losses.files.filter(\.isLost).compactMap(\.path)).intersection(shown.keys)
      let named = Set(losses.files.compactMap(\.path)).union(losses.lostNames)
      #expect(lost.isSubset(of: differing), "area \(area): \(lost.subtracting(differing))")
      #expect(differing.isSubset(of: named), "area \(area): \(differing.subtracting(named))")
      #expect(losses.complete || status == 2)
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
    let stored = try unpack(name, in: directory)
    let (bytes, origin, intact) = (stored.bytes, stored.origin, stored.intact)
    let area =
      1 + (stored.exceptionCount - 1) / Self.perArea * (Self.perArea + 1)
    var damaged = bytes
    damaged.replaceSubrange(
      area * Self.size..<(area + 1) * Self.size, with: repeatElement(0, count: Self.size))
    let path = try directory.write(damaged, to: "damaged")
    let shown = try files(path, origin, to: directory.path("shown"), "--reading", "salvage")
    let losses = try inspect(path, origin).losses
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

  @Test(arguments: ["ext4-overlay", "xfs-origin"])
  func `the same files are named if they are in a partition`(name: String) throws {
    let directory = try TemporaryDirectory()
    let facts = try Corpus.read("file-systems/\(name)")
    let store = try Corpus.unpack(facts.store, of: "file-systems/\(name)")
    let origin = try Corpus.unpack(facts.origin, of: "file-systems/\(name)")
    func losses(_ store: [UInt8], _ origin: [UInt8], _ title: String) throws -> Report.Losses {
      var store = store
      Damage.randomChunk(1, seed: 3).apply(to: &store, of: StoreBuilder(chunkSectors: 8))
      return try inspect(
        directory.write(store, to: "store-\(title)"),
        directory.write(origin, to: "origin-\(title)")
      ).losses
    }
    let plain = try losses(store, origin, "plain")
    let inside = try losses(
      OnePartition.store(store), OnePartition.disk(with: origin), "disk")
    #expect(!plain.files.isEmpty && plain.files.allSatisfy { $0.partition == nil })
    #expect(inside.files.allSatisfy { $0.partition == 1 })
    #expect(inside.files.map(\.path) == plain.files.map(\.path))
    #expect(inside.files.map(\.lostByteCount) == plain.files.map(\.lostByteCount))
    #expect(inside.lostNames == plain.lostNames)
  }
}
