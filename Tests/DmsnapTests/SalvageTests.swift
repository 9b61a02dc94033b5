import Foundation
import SnapshotKit
import TestSupport
import Testing

/// A salvage makes a store that Linux loads, says what it decided, and touches nothing else.
@Suite struct SalvageTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap
  private var output: String { directory.path("new.cow") }

  init() throws { directory = try TemporaryDirectory() }

  /// Forty exceptions, old chunks 100 to 139, in chunks of a sector: areas at sectors 1 and 34.
  private static let forty = StoreBuilder(chunkSectors: 1, chunkCount: 80).copying(100..<140)

  private func store(_ damages: Damage...) throws -> String {
    var image = Self.forty.image()
    for damage in damages { damage.apply(to: &image, of: Self.forty) }
    return try directory.write(image, to: "store.cow")
  }

  private func salvage(_ store: String, _ arguments: String...) throws -> ToolOutcome {
    try dmsnap.run(["salvage", store, "--to", output] + arguments)
  }

  // MARK: - What it says

  @Test func `a store of which nothing is lost is status 0, and the new one is healthy`() throws {
    let outcome = try salvage(try store(.headerZeroed))
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    let lines = outcome.outputLines
    #expect(lines.contains { $0.hasPrefix("1 sectors ") && $0.hasSuffix("40   ← taken") })
    #expect(lines.contains { $0.hasPrefix("kept     40 exceptions") }, "\(outcome)")
    #expect(lines.contains { $0.hasPrefix("\(output): a valid store of ") }, "\(outcome)")
    #expect(lines.last == "next     dmsnap export \(output) --origin ORIGIN --to FILE")
    #expect(try dmsnap.run(["inspect", output]).status == 0)
    let whole = try directory.write(Self.forty.image(), to: "whole")
    #expect(
      try dmsnap.succeed(["table", output]).output == dmsnap.succeed(["table", whole]).output)
  }

  @Test func `what is lost is status 2, and said`() throws {
    let outcome = try salvage(try store(.exception(slot: 9, old: 109, new: 50)))
    #expect(outcome.status == 2, "\(outcome)")
    #expect(outcome.output.contains("exception.unsupported"), "\(outcome)")
    #expect(outcome.errorLines.count == 1)
    #expect(outcome.errors.hasPrefix("dmsnap: 512 bytes at byte 55808 are lost: "), "\(outcome)")
    #expect(try dmsnap.run(["inspect", output]).status == 0)
  }

  @Test func `with an origin what is lost ends where it does`() throws {
    let origin = try directory.write(Stamp.origin(byteCount: 55_808 + 100), to: "origin")
    let store = try store(.exception(slot: 9, old: 109, new: 50))
    let outcome = try salvage(store, "--origin", origin)
    #expect(outcome.errors.hasPrefix("dmsnap: 100 bytes at byte 55808 are lost: "), "\(outcome)")
    let next = "next     dmsnap export \(output) --origin \(origin) --to FILE"
    #expect(outcome.outputLines.last == next)
  }

  @Test func `quiet says what is lost and nothing else`() throws {
    let outcome = try salvage(try store(.exception(slot: 9, old: 109, new: 50)), "--quiet")
    #expect(outcome.status == 2 && outcome.output.isEmpty && outcome.errorLines.count == 1)
    #expect(try directory.names() == ["new.cow", "store.cow"])
  }

  @Test func `the JSON has the keys of its schema`() throws {
    let store = try store(.headerZeroed, .exception(slot: 9, old: 109, new: 50))
    let outcome = try salvage(store, "--format", "json")
    #expect(outcome.status == 2 && outcome.errors.isEmpty, "\(outcome)")
    let json = try outcome.object()
    #expect(
      json.reportKeys == [
        "schema", "complete", "exceptionCount", "byteCount", "chunkSectors", "chunkSizeFrom",
        "chunkSizes", "generation", "lost", "lostExceptionCount", "endLost", "decisions", "orphans",
        "placement", "placements",
        "gaps", "unnamed", "fileLosses",
      ])
    #expect(json["schema"] as? String == "dmsnap.salvage.v1")
    #expect(json["complete"] as? Bool == false && json["endLost"] as? Bool == false)
    #expect(json["exceptionCount"] as? Int == 39 && json["lostExceptionCount"] as? Int == 1)
    #expect(json["byteCount"] as? Int == (try Files.bytes(output).count))
    #expect(json["chunkSizeFrom"] as? String == "areas" && json["chunkSectors"] as? Int == 1)
    func keys(_ name: String) throws -> Set<Set<String>> {
      Set(try #require(json[name] as? [[String: Any]]).map { Set($0.keys) })
    }
    #expect(try keys("chunkSizes") == [["chunkSectors", "areaCount", "exceptionCount"]])
    #expect(try keys("lost") == [["byteOffset", "byteCount", "reason"]])
    #expect(try keys("orphans") == [["newChunk", "count", "oldChunk"]])
    #expect(try keys("decisions") == [["decision", "reason", "count", "ranges"]])
    for decision in try #require(json["decisions"] as? [[String: Any]]) {
      let reason = try #require(decision["reason"] as? String)
      #expect(reason == "supported" || FindingCode(rawValue: reason) != nil, "\(reason)")
    }
  }

  // MARK: - What it refuses

  @Test func `an existing output is refused and stays`() throws {
    let store = try store()
    try directory.write([1, 2, 3], to: "new.cow")
    let outcome = try salvage(store)
    #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors == "dmsnap: \(output): exists, and is not overwritten\n")
    #expect(try Files.bytes(output) == [1, 2, 3])
    #expect(try dmsnap.run(["salvage", store, "--to", store]).status == 4)
    #expect(try Files.bytes(store) == Self.forty.image())
  }

  @Test func `what is no store is status 3`() throws {
    let stranger = try directory.write(Stamp.origin(byteCount: 65_536), to: "store.cow")
    let outcome = try salvage(stranger)
    #expect(outcome.status == 3 && outcome.complaint(naming: stranger) == nil, "\(outcome)")
    #expect(try directory.names() == ["store.cow"])
  }

  @Test func `a generation that is not there is status 3, and says how many are`() throws {
    let outcome = try salvage(try store(), "--generation", "1")
    #expect(outcome.status == 3 && outcome.complaint() == nil, "\(outcome)")
    #expect(outcome.errors.contains("there is no generation 1: the oldest is 0"), "\(outcome)")
    #expect(try directory.names() == ["store.cow"])
    let store = try store()
    let map = try map([60])
    for command in [["inspect"], ["table"], ["salvage", "--to", directory.path("new.cow")]] {
      let run = command + [store, "--map", map, "--generation", "9"]
      let outcome = try dmsnap.run(run)
      #expect(outcome.status == 3 && outcome.errors.contains("no generation 9"), "\(outcome)")
    }
  }

  @Test(
    arguments: [
      ["--chunk-size", "3"], ["--chunk-size", "0"], ["--chunk-size", "4194304"],
      ["--chunk-size", "x"], ["--generation", "-1"], ["--generation", "x"],
      ["--reading", "kernel"], ["--reading", "kernel-6.12"], ["--format", "xml"], ["--undo", "u"],
      ["--reading", "kernel", "--chunk-size", "8"],
    ])
  func `wrong usage is 64, and nothing is written`(arguments: [String]) throws {
    let outcome = try dmsnap.run(["salvage", try store(), "--to", output] + arguments)
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(try directory.names() == ["store.cow"])
  }

  @Test(arguments: [[], ["--to", ""], ["--to", "-"]])
  func `an output must be a name`(arguments: [String]) throws {
    let outcome = try dmsnap.run(["salvage", try store()] + arguments)
    #expect(outcome.status == 64 && outcome.output.isEmpty, "\(outcome)")
  }

  @Test func `a chunk size that is no power of two is told as Linux does`() throws {
    let outcome = try salvage(try store(), "--chunk-size", "3")
    #expect(outcome.errors.contains("--chunk-size 3: Chunk size is not a power of 2"), "\(outcome)")
  }

  @Test(arguments: ["table", "inspect", "audit"])
  func `kernels know neither generations nor other chunk sizes`(command: String) throws {
    let store = try store()
    for option in [["--generation", "0"], ["--chunk-size", "1"]] {
      let outcome = try dmsnap.run([command, store, "--reading", "kernel"] + option)
      #expect(outcome.status == 64, "\(outcome)")
      #expect(try dmsnap.run([command, store] + option).status == 0, "\(command) \(option)")
    }
  }

  @Test func `a folder that is not there is status 5`() throws {
    let missing = directory.path("missing/new.cow")
    let outcome = try dmsnap.run(["salvage", try store(), "--to", missing])
    #expect(outcome.status == 5 && outcome.complaint(naming: missing) == nil, "\(outcome)")
  }

  // MARK: - Chunk sizes and generations

  @Test func `a chunk size that is said is used`() throws {
    let store = try store(.headerZeroed)
    let json = try salvage(store, "--chunk-size", "1", "--format", "json").object()
    #expect(json["chunkSizeFrom"] as? String == "option")
    #expect(json["exceptionCount"] as? Int == 40 && json["complete"] as? Bool == true)
    #expect(try dmsnap.run(["table", store, "--chunk-size", "8"]).status == 3)
  }

  @Test func `an older generation can be had`() throws {
    let pair = try Pair("reused", in: directory)
    let inspected = try dmsnap.run(["inspect", pair.store, "--format", "json"]).object()
    let listed = try #require(inspected["generations"] as? [[String: Any]])
    try #require(listed.count >= 2)
    let count = try #require(listed[1]["exceptionCount"] as? Int)
    let json = try salvage(pair.store, "--generation", "1", "--format", "json").object()
    #expect(json["exceptionCount"] as? Int == count && json["generation"] as? Int == 1)
    let table = try dmsnap.run(["table", pair.store, "--generation", "1"])
    #expect(!table.output.isEmpty)
    #expect(table.output != (try dmsnap.run(["table", pair.store])).output)
  }

  // MARK: - Maps

  @Test(
    arguments: [
      ("0x0 ? 1\n0x0 0x200 x\n", "line 2, column 11"), ("", "line 1, column 1"),
      ("# only\n0x0 ?\n0x0 0x200 +\n0x400 0x200 +\n", "line 4, column 1"),
    ])
  func `a map that is none says where`(map: String, place: String) throws {
    let path = try directory.write(Array(map.utf8), to: "map")
    let outcome = try salvage(try store(), "--map", path)
    #expect(outcome.status == 5 && outcome.complaint(naming: path) == nil, "\(outcome)")
    #expect(outcome.errors.contains("is not a mapfile: \(place)"), "\(outcome)")
    #expect(try directory.names() == ["map", "store.cow"])
  }

  /// A map that says that these sectors of the store were not read.
  private func map(_ sectors: [Int]) throws -> String {
    var text = "0x0 ? 1\n"
    for sector in 0..<80 {
      text += "\(sector * 512) 512 \(sectors.contains(sector) ? "-" : "+")\n"
    }
    return try directory.write(Array(text.utf8), to: "map")
  }

  @Test func `what a map calls bad is lost, and a wanted map says what to read again`() throws {
    let (store, wanted) = (try store(), directory.path("wanted"))
    let outcome = try salvage(store, "--map", try map([5, 34, 60]), "--wanted", wanted)
    #expect(outcome.status == 2, "\(outcome)")
    #expect(outcome.errors.contains("512 bytes at byte \(103 * 512) are lost: the store cannot"))
    #expect(outcome.errors.contains("dmsnap: \(wanted): 512"), "\(outcome)")
    let lines = String(decoding: try Files.bytes(wanted), as: UTF8.self).split(separator: "\n")
      .filter { !$0.hasPrefix("#") }
    #expect(lines.contains("0x00000A00  0x00000200  *"))
    #expect(lines.contains("0x00004400  0x00000200  ?"))
    #expect(lines.count == 6)
    // It is a new file as well.
    let other = directory.path("other")
    let again = try dmsnap.run(["salvage", store, "--to", other, "--wanted", wanted])
    #expect(again.status == 4 && again.errors.contains("\(wanted): exists"), "\(again)")
  }

  @Test func `a slice has its sectors where the file has them`() throws {
    let file = [UInt8](repeating: 7, count: 1536) + Self.forty.image()
    let path = try directory.write(file, to: "disk")
    // Sector 5 of the store.
    let text = "0x0 ? 1\n0 4096 +\n4096 512 -\n4608 \(file.count - 4608) +\n"
    let map = try directory.write(Array(text.utf8), to: "map")
    let wanted = directory.path("wanted")
    let outcome = try salvage("\(path),offset=1536", "--map", map, "--wanted", wanted)
    #expect(outcome.status == 2, "\(outcome)")
    let lines = String(decoding: try Files.bytes(wanted), as: UTF8.self)
    #expect(lines.contains("0x00001000  0x00000200  *"), "\(lines)")
  }

  // MARK: - Inputs

  @Test func `inputs keep their bytes and their times`() throws {
    let store = try store(.headerZeroed, .exception(slot: 9, old: 109, new: 50))
    let origin = try directory.write(Stamp.origin(byteCount: 65_536), to: "origin")
    let map = try map([5, 34])
    for path in [store, origin, map] { Files.age(path) }
    let before = try [store, origin, map].map { try FileState($0) }
    let wanted = directory.path("wanted")
    let outcome = try salvage(store, "--origin", origin, "--map", map, "--wanted", wanted)
    #expect(outcome.status == 2, "\(outcome)")
    #expect(try [store, origin, map].map { try FileState($0) } == before)
    #expect(try directory.names() == ["map", "new.cow", "origin", "store.cow", "wanted"])
  }

  @Test func `the salvage reading and the salvaged store show the same`() throws {
    let store = try store(.headerZeroed, .exception(slot: 9, old: 109, new: 50))
    let origin = try directory.write(Stamp.origin(byteCount: 140 * 512), to: "origin")
    #expect(try salvage(store).status == 2)
    let (one, other) = (directory.path("one"), directory.path("other"))
    let direct = try dmsnap.run([
      "export", store, "--reading", "salvage", "--origin", origin, "--to", one,
    ])
    #expect(direct.status == 2, "\(direct)")
    try dmsnap.succeed(["export", output, "--origin", origin, "--to", other])
    #expect(try Files.areEqual(one, other))
  }
}
