import Foundation
import TestSupport
import Testing

/// What is done to a store of the corpus in the matrix of damages.
enum DamageKind: String, CaseIterable, CustomTestStringConvertible, Sendable {
  case validZero, magicErased, headerZeroed, headerRandom, headerOfExceptions, otherChunkSize
  case oddChunkSize, firstFourKiBZeroed, first64KiBZeroed
  case firstAreaRandom, middleAreaRandom, lastAreaRandom, areaZeroed, areaOfText, areaOfNumbers
  case firstAreaUnreadable, middleAreaUntried, lastAreaUntrimmed, areaUnscraped
  case secondHalfZeroed, firstHalfZeroed, gapZeroed, prefixRandom, sectorRandom
  case cutAtChunk, cutInChunk, cutInArea, cutAfterArea
  case dataUnreadable

  var testDescription: String { rawValue }

  /// Whether the chunk size must be found without the header.
  var hidesHeader: Bool {
    switch self {
    case .headerZeroed, .headerRandom, .headerOfExceptions, .otherChunkSize, .oddChunkSize,
      .firstFourKiBZeroed, .first64KiBZeroed:
      true
    default: false
    }
  }

  /// Whether zeroes, which end a table, stand before exceptions: nobody can tell whether these are
  /// of the same table, or of an older one.
  var endsTable: Bool {
    switch self {
    case .first64KiBZeroed, .firstFourKiBZeroed, .areaZeroed, .secondHalfZeroed, .firstHalfZeroed,
      .gapZeroed:
      true
    default: false
    }
  }
}

/// Every kind of damage on stores that Linux wrote: what survives is saved, and nothing is made up.
///
/// The truth is read from the store before it is damaged, and by the tests' own decoder.
/// `Tests/KernelTest/salvage-test` does the same for all of the corpus, with more damages.
@Suite struct DamageMatrixTests {
  /// Of one area and many, of chunks small and large, in order and at random, cut and invalid.
  static let cases = [
    "written", "chunk-1", "chunk-16", "random-order", "exceptions-257", "many-small-areas",
    "merge-cut-area", "overflow-p",
  ]
  private static let pristine = Dictionary(
    uniqueKeysWithValues: cases.map { name in (name, Result { try PristineStore(name) }) })

  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: DamageKind.allCases, cases)
  func `what survives is saved`(kind: DamageKind, name: String) throws {
    let damaged = DamagedCase(try #require(Self.pristine[name]).get(), kind)
    try directory.write(damaged.store, to: "store")
    try directory.write(damaged.pristine.origin, to: "origin")
    if let map = damaged.mapfile { try directory.write(Array(map.utf8), to: "map") }
    guard let exceptions = try checkTables(damaged) else { return }
    let image = try checkImage(damaged, exceptions)
    try checkNewStore(damaged, exceptions, image)
    let store = try Files.bytes(directory.path("store"))
    #expect(store.sha256 == damaged.store.sha256, "the store was written to")
  }

  private func run(
    _ command: String, _ arguments: String..., on damaged: DamagedCase
  ) throws -> ToolOutcome {
    var line = [command, directory.path("store"), "--format", "json"] + arguments
    if command != "salvage" { line += ["--reading", "salvage"] }
    if damaged.mapfile != nil { line += ["--map", directory.path("map")] }
    let outcome = try dmsnap.run(line)
    #expect(outcome.status.map { (0...5).contains($0) } == true, "\(outcome)")
    return outcome
  }

  private func exceptions(in table: [String: Any]) throws -> [StoreBuilder.Exception] {
    try #require(table["runs"] as? [[String: Any]]).map { run in
      #expect(run["count"] as? Int == 1)
      return StoreBuilder.Exception(
        try #require(run["old"] as? UInt64), try #require(run["new"] as? UInt64))
    }
  }

  /// Compares the tables with the truth, and returns the newest; nil where there is nothing to save.
  private func checkTables(_ damaged: DamagedCase) throws -> [StoreBuilder.Exception]? {
    let kept = damaged.kept
    let inspected = try run("inspect", on: damaged)
    let generations = try inspected.object()["generations"] as? [Any] ?? []
    var tables: [[StoreBuilder.Exception]] = []
    for index in 0..<max(1, generations.count) {
      let outcome = try run("table", "--expand", "--generation", "\(index)", on: damaged)
      if outcome.status == 3 || outcome.status == 4 {
        #expect(damaged.isHopeless, "\(outcome)")
        return nil
      }
      tables.append(try exceptions(in: outcome.object()))
    }
    let found = tables.flatMap(\.self)
    #expect(Set(found).isSubset(of: kept), "exceptions are made up")
    #expect(Set(found).count == found.count, "exceptions are there twice")
    if !damaged.isHopeless {
      #expect(found.count == kept.count, "exceptions are not found")
      #expect(tables.count == 1 || damaged.kind.endsTable)
    }
    return tables[0]
  }

  /// Compares the exported image with what it must be, and returns that.
  private func checkImage(
    _ damaged: DamagedCase, _ exceptions: [StoreBuilder.Exception]
  ) throws -> Data {
    let expected = damaged.view(of: exceptions)
    let path = directory.path("image")
    let outcome = try run(
      "export", "--origin", directory.path("origin"), "--to", path, on: damaged)
    #expect(try Data(Files.bytes(path)) == expected, "\(outcome)")
    return expected
  }

  /// Reads the store that a salvage writes, and what the salvage says of it.
  private func checkNewStore(
    _ damaged: DamagedCase, _ exceptions: [StoreBuilder.Exception], _ image: Data
  ) throws {
    let path = directory.path("new")
    let outcome = try run(
      "salvage", "--origin", directory.path("origin"), "--to", path, on: damaged)
    let report = try outcome.object()
    let isComplete = try #require(report["complete"] as? Bool)
    #expect(isComplete ? outcome.status == 0 || outcome.status == 1 : outcome.status == 2)
    #expect(report["exceptionCount"] as? Int == exceptions.count)
    if exceptions.count == damaged.kept.count {
      var lost = IndexSet()
      for range in try #require(report["lost"] as? [[String: Any]]) {
        let start = try #require(range["byteOffset"] as? Int) / 512
        lost.insert(
          integersIn: start..<start + (try #require(range["byteCount"] as? Int)) / 512)
      }
      #expect(lost == damaged.lost, "other sectors are lost than is said")
      if !damaged.lost.isEmpty { #expect(!isComplete) }
      if damaged.isWhole, !damaged.mayHaveGoneOn { #expect(isComplete, "\(outcome)") }
    }
    let new = try Files.bytes(path)
    #expect(report["byteCount"] as? Int == new.count)
    let decoder = ReferenceDecoder(new)
    #expect(decoder.verdict == .loads)
    #expect(
      decoder.exceptions.map(\.old).sorted() == exceptions.map(\.old).sorted(),
      "the new store has other exceptions")
    for (old, place) in decoder.exceptions {
      let size = damaged.pristine.builder.chunkByteCount
      let target = Int(old) * size..<min((Int(old) + 1) * size, image.count)
      if target.isEmpty { continue }
      let data = Data(new[Int(place) * size..<Int(place) * size + target.count])
      #expect(data == image[target], "chunk \(old) is not what it was")
    }
    let audit = try dmsnap.run(["audit", path])
    #expect(audit.status == 0, "\(audit)")
  }
}
