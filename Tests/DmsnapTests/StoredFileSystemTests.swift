import Foundation
import TestSupport
import Testing

/// File systems under snapshots that Linux wrote, of which an area is lost: what gets its place back
/// is what the intact snapshot has there.
@Suite struct StoredFileSystemTests {
  private static let size = 4096
  private static let perArea = 256

  private let dmsnap = ToolRunner.dmsnap

  /// A stored case, and how many of the lost chunks that differ from the origin must be found again,
  /// over all areas: as many as were found when it was made.
  ///
  /// The stores of origins hold much that was free, and file data, which nothing proves.
  struct Stored: Sendable, CustomStringConvertible {
    let name: String
    /// By proof.
    let provenMin: Int
    /// With what is likely as well.
    let backMin: Int
    var description: String { name }
  }

  static let stored = [
    Stored(name: "ext4-overlay", provenMin: 279, backMin: 513),
    Stored(name: "ext4-origin", provenMin: 27, backMin: 27),
    Stored(name: "xfs-overlay", provenMin: 513, backMin: 573),
    Stored(name: "xfs-origin", provenMin: 22, backMin: 71),
    Stored(name: "btrfs-overlay", provenMin: 979, backMin: 979),
    Stored(name: "btrfs-origin", provenMin: 9, backMin: 9),
  ]

  private struct Result: Decodable {
    struct Placed: Decodable {
      let old: Int
      let new: Int
      let count: Int
      let strength: String
    }
    struct Counts: Decodable {
      struct Part: Decodable { let chunkCount: Int }
      let orphanCount: Int
      let unplacedCount: Int
      let unplaced: [Part]
    }
    let complete: Bool
    let placement: Counts
    let placements: [Placed]
  }

  private func chunk(_ bytes: [UInt8], _ index: Int) -> ArraySlice<UInt8> {
    bytes[index * Self.size..<min((index + 1) * Self.size, bytes.count)]
  }

  @Test(arguments: stored)
  func `what is placed is what the intact snapshot has there`(_ stored: Stored) throws {
    let directory = try TemporaryDirectory()
    let facts = try Corpus.read("file-systems/\(stored.name)")
    let store = try Corpus.unpack(facts.store, of: "file-systems/\(stored.name)")
    let origin = try Corpus.unpack(facts.origin, of: "file-systems/\(stored.name)")
    let originPath = try directory.write(origin, to: "origin")
    var truth: [Int: Int] = [:]
    for exception in ReferenceDecoder(store).exceptions {
      truth[Int(exception.old)] = Int(exception.new)
    }
    func snapshot(_ old: Int) -> ArraySlice<UInt8> {
      truth[old].map { chunk(store, $0) } ?? chunk(origin, old)
    }
    let areaCount = (truth.count + Self.perArea - 1) / Self.perArea
    try #require(areaCount > 1)
    var (needed, back) = (0, ["proven": 0, "likely": 0])
    var (likely, likelyWrong) = (0, 0)
    for area in 0..<areaCount {
      var damaged = store
      let place = 1 + area * (Self.perArea + 1)
      let builder = StoreBuilder(chunkSectors: 8)
      Damage.randomChunk(place, seed: UInt64(area)).apply(to: &damaged, of: builder)
      let path = try directory.write(damaged, to: "store\(area)")
      let outcome = try dmsnap.run([
        "salvage", path, "--origin", originPath, "--place", "likely", "--format", "json",
        "--to", directory.path("new\(area)"),
      ])
      let result = try JSONDecoder().decode(Result.self, from: Data(outcome.output.utf8))
      let isAllProven =
        result.placement.unplacedCount == 0
        && result.placements.allSatisfy { $0.strength == "proven" }
      // Whether the table went on after a last area that is lost is not known.
      #expect(isAllProven || !result.complete)
      #expect(outcome.status == (result.complete ? 0 : 2))
      #expect(
        result.placement.unplaced.reduce(0) { $0 + $1.chunkCount }
          == result.placement.unplacedCount)
      let lost = truth.filter { place < $0.value && $0.value <= place + Self.perArea }
      needed += lost.count { chunk(store, $0.value) != chunk(origin, $0.key) }
      for placed in result.placements {
        for index in 0..<placed.count {
          let (old, new) = (placed.old + index, placed.new + index)
          let isRight = chunk(store, new) == snapshot(old)
          if placed.strength == "proven" {
            #expect(isRight, "area \(area): \(old) → \(new)")
          } else {
            likely += 1
            likelyWrong += isRight ? 0 : 1
          }
          if isRight, lost[old] != nil, chunk(store, new) != chunk(origin, old) {
            back[placed.strength, default: 0] += 1
          }
        }
      }
    }
    let (proven, both) = (back["proven"] ?? 0, (back["proven"] ?? 0) + (back["likely"] ?? 0))
    #expect(proven >= stored.provenMin && both >= stored.backMin, "\(proven), \(both) of \(needed)")
    // The files are numbered lines, many of them copies of others: what goes on from one may be
    // another. Files that differ have no such errors.
    #expect(
      100 * likelyWrong <= 3 * likely, "\(likelyWrong) of \(likely) likely places are wrong")
  }

  @Test(arguments: stored)
  func `the intact view is what Linux showed`(_ stored: Stored) throws {
    let directory = try TemporaryDirectory()
    let facts = try Corpus.read("file-systems/\(stored.name)")
    let store = try directory.write(
      Corpus.unpack(facts.store, of: "file-systems/\(stored.name)"), to: "store")
    let origin = try directory.write(
      Corpus.unpack(facts.origin, of: "file-systems/\(stored.name)"), to: "origin")
    let image = directory.path("image")
    try dmsnap.succeed(["export", store, "--origin", origin, "--to", image, "--quiet"])
    let digest = try [UInt8](Data(contentsOf: URL(filePath: image))).sha256
    #expect(digest == facts.says["6.12"]?.view?.sha256)
  }

  /// A table that Linux would end there may have gone on: its chunks are likely at most.
  ///
  /// The last number is how many were found again when the test was made.
  @Test(arguments: [
    ("ext4-overlay", 3, 83), ("xfs-overlay", 4, 65), ("xfs-overlay", 1, 256),
    ("btrfs-overlay", 6, 43),
  ])
  func `what a zeroed last area named is likely at most`(
    _ name: String, areaCount: Int, backMin: Int
  ) throws {
    let directory = try TemporaryDirectory()
    let facts = try Corpus.read("file-systems/\(name)")
    var store = try Corpus.unpack(facts.store, of: "file-systems/\(name)")
    let origin = try directory.write(
      Corpus.unpack(facts.origin, of: "file-systems/\(name)"), to: "origin")
    var truth: [Int: Int] = [:]
    for exception in ReferenceDecoder(store).exceptions {
      truth[Int(exception.new)] = Int(exception.old)
    }
    let place = (1 + (areaCount - 1) * (Self.perArea + 1)) * Self.size
    store = Array(store.prefix(place + (1 + Self.perArea) * Self.size))
    store.put([UInt8](repeating: 0, count: Self.size), at: place)
    let outcome = try dmsnap.run([
      "salvage", directory.write(store, to: "store"), "--origin", origin, "--place", "likely",
      "--format", "json", "--to", directory.path("new"),
    ])
    #expect(outcome.status == 2)
    let result = try JSONDecoder().decode(Result.self, from: Data(outcome.output.utf8))
    #expect(!result.complete)
    var rightCount = 0
    for placed in result.placements {
      #expect(placed.strength == "likely")
      for index in 0..<placed.count where truth[placed.new + index] == placed.old + index {
        rightCount += 1
      }
    }
    #expect(rightCount >= backMin)
    #expect(rightCount == result.placements.reduce(0) { $0 + $1.count })
  }

  /// With the first 64 KiB, the superblocks of file system and journal are lost in an overlay.
  ///
  /// The last numbers are how many were found again when the test was made.
  @Test(arguments: [("ext4-overlay", 2, 95), ("xfs-overlay", 242, 0)])
  func `what the beginning of a store named is found`(
    _ name: String, provenMin: Int, likelyMin: Int
  ) throws {
    let directory = try TemporaryDirectory()
    let facts = try Corpus.read("file-systems/\(name)")
    let store = try Corpus.unpack(facts.store, of: "file-systems/\(name)")
    let origin = try Corpus.unpack(facts.origin, of: "file-systems/\(name)")
    var truth: [Int: Int] = [:]
    for exception in ReferenceDecoder(store).exceptions {
      truth[Int(exception.old)] = Int(exception.new)
    }
    var wiped = store
    wiped.put([UInt8](repeating: 0, count: 65536), at: 0)
    let outcome = try dmsnap.run([
      "salvage", directory.write(wiped, to: "store"), "--origin",
      directory.write(origin, to: "origin"), "--place", "likely", "--format", "json", "--to",
      directory.path("new"),
    ])
    #expect(outcome.status == 2)
    let result = try JSONDecoder().decode(Result.self, from: Data(outcome.output.utf8))
    var rightCounts: [String: Int] = [:]
    for placed in result.placements {
      for index in 0..<placed.count {
        let (old, new) = (placed.old + index, placed.new + index)
        let shown = truth[old].map { chunk(store, $0) } ?? chunk(origin, old)
        #expect(chunk(wiped, new) == shown, "\(placed.strength): \(old) → \(new)")
        rightCounts[placed.strength, default: 0] += 1
      }
    }
    #expect(rightCounts["proven", default: 0] >= provenMin)
    #expect(rightCounts["likely", default: 0] >= likelyMin)
  }

  @Test(arguments: ["ext4-overlay", "xfs-overlay", "btrfs-overlay"])
  func `a file system in a partition is found`(_ name: String) throws {
    let directory = try TemporaryDirectory()
    let facts = try Corpus.read("file-systems/\(name)")
    var store = OnePartition.store(
      try Corpus.unpack(facts.store, of: "file-systems/\(name)"))
    let origin = try Corpus.unpack(facts.origin, of: "file-systems/\(name)")
    Damage.randomChunk(1, seed: 1).apply(to: &store, of: StoreBuilder(chunkSectors: 8))
    let outcome = try dmsnap.run([
      "inspect", directory.write(store, to: "store"), "--origin",
      directory.write(OnePartition.disk(with: origin), to: "origin"), "--format", "json",
    ])
    let proven = try JSONDecoder().decode(Inspected.self, from: Data(outcome.output.utf8))
    #expect(proven.placement.provenCount > 50, "\(proven)")
  }

  private struct Inspected: Decodable {
    struct Counts: Decodable { let provenCount: Int }
    let placement: Counts
  }
}
