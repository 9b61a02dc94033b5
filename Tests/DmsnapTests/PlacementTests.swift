import Foundation
import TestSupport
import Testing

/// Chunks that no exception names are placed as far as --place allows, and every command agrees.
@Suite struct PlacementTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap
  private let (store, sibling, origin): (String, String, String)
  private let model: CopyModel

  /// Two snapshots of one origin; of the older, an area is lost that both have copies for.
  init() throws {
    directory = try TemporaryDirectory()
    var (model, random) = (CopyModel(chunkCount: 400), SplitMix64(seed: 4))
    model.snap()
    for _ in 0..<60 { model.write(Int.random(in: 0..<400, using: &random)) }
    model.snap()
    for _ in 0..<300 { model.write(Int.random(in: 0..<400, using: &random)) }
    self.model = model
    var image = model.image(0)
    let builder = model.builder(0)
    Damage.randomChunk(builder.chunk(ofArea: 4), seed: 5).apply(to: &image, of: builder)
    store = try directory.write(image, to: "store")
    sibling = try directory.write(model.image(1), to: "sibling")
    origin = try directory.write(model.originImage, to: "origin")
  }

  private struct Result: Decodable {
    struct Counts: Decodable, Equatable {
      let orphanCount: Int
      let provenCount: Int
      let likelyCount: Int
      let unplacedCount: Int
    }
    struct Placed: Decodable {
      let old: UInt64
      let new: UInt64
      let count: UInt64
      let strength: String
      let evidence: [String]
    }
    let complete: Bool?
    let placement: Counts
    let placements: [Placed]?
  }

  private func result(_ outcome: ToolOutcome) throws -> Result {
    try JSONDecoder().decode(Result.self, from: Data(outcome.output.utf8))
  }

  private func salvage(_ arguments: String...) throws -> ToolOutcome {
    try dmsnap.run(
      ["salvage", store, "--origin", origin, "--format", "json"] + arguments)
  }

  /// What the older snapshot is, byte for byte.
  private var truth: [UInt8] {
    var contents = (0..<400).map { UInt64($0) + 1 }
    for copy in model.snapshots[0].copies { contents[copy.old] = copy.content }
    return contents.flatMap { model.bytes(of: $0) }
  }

  @Test func `with a sibling all that was lost is proven, and nothing is missing`() throws {
    let new = directory.path("new")
    let outcome = try salvage("--to", new, "--sibling", sibling)
    let found = try result(outcome)
    #expect(outcome.status == 0 && found.complete == true, "\(outcome)")
    #expect(
      found.placement
        == Result.Counts(orphanCount: 32, provenCount: 32, likelyCount: 0, unplacedCount: 0))
    #expect(found.placements?.allSatisfy { $0.strength == "proven" } == true)
    #expect(found.placements?.allSatisfy { $0.evidence == ["sibling"] } == true)
    let image = directory.path("image")
    try dmsnap.succeed(["export", new, "--origin", origin, "--to", image, "--quiet"])
    #expect(try Data(contentsOf: URL(filePath: image)) == Data(truth))
    let inspected = try dmsnap.run([
      "inspect", store, "--origin", origin, "--sibling", sibling, "--format", "json",
    ])
    #expect(try result(inspected).placement == found.placement)
  }

  @Test func `without one, or if none is wanted, they stay orphans`() throws {
    for arguments in [[], ["--sibling", sibling, "--place", "none"]] {
      let outcome = try dmsnap.run(
        [
          "salvage", store, "--origin", origin, "--format", "json", "--to",
          directory.path("new\(arguments.count)"),
        ] + arguments)
      let found = try result(outcome)
      #expect(outcome.status == 2 && found.complete == false)
      #expect(found.placements?.isEmpty == true && found.placement.unplacedCount == 32)
    }
  }

  @Test func `export, diff, table and merge use the same placements`() throws {
    let image = directory.path("image")
    try dmsnap.succeed([
      "export", store, "--origin", origin, "--sibling", sibling, "--to", image, "--quiet",
    ])
    #expect(try Data(contentsOf: URL(filePath: image)) == Data(truth))
    let table = try dmsnap.succeed(["table", store, "--sibling", sibling, "--format", "csv"])
    #expect(table.output.contains("\n"))
    let plan = directory.path("plan")
    try dmsnap.succeed([
      "merge", store, "--origin", origin, "--sibling", sibling, "--undo", directory.path("undo"),
      "--accept", "other-snapshots", "--plan", plan,
    ])
    let merged = try dmsnap.run(["merge", "--apply", plan, "--accept", "other-snapshots"])
    #expect(merged.status == 0, "\(merged)")
    #expect(try Data(contentsOf: URL(filePath: origin)) == Data(truth))
  }

  @Test func `what sectors lost is read from the sibling, where the rest of the chunk agrees`()
    throws
  {
    var (model, random) = (CopyModel(chunkCount: 100, chunkSectors: 8), SplitMix64(seed: 4))
    model.snap()
    model.snap()
    for _ in 0..<80 { model.write(Int.random(in: 0..<100, using: &random)) }
    let whole = try directory.write(model.image(0), to: "whole")
    let witness = try directory.write(model.image(1), to: "witness")
    let origin = try directory.write(model.originImage, to: "now")
    var contents = (0..<100).map { UInt64($0) + 1 }
    for copy in model.snapshots[0].copies { contents[copy.old] = copy.content }
    let truth = Data(contents.flatMap { model.bytes(of: $0) })
    let start = Int(model.builder(0).exceptions[20].new) * 4096
    // Of a chunk that cannot be read at all nothing shows that it was not written through the
    // sibling.
    for (count, isFound) in [(512, true), (4096, false)] {
      let map = try directory.write(
        Array("0 + 1\n0 \(start) +\n\(start) \(count) -\n\(start + count) 100000000 +\n".utf8),
        to: "map\(count)")
      for (arguments, isWhole) in [([], false), (["--sibling", witness], isFound)] {
        let image = directory.path("image\(count)\(arguments.count)")
        let outcome = try dmsnap.run(
          [
            "export", whole, "--origin", origin, "--reading", "salvage", "--map", map, "--to",
            image,
          ] + arguments)
        #expect(outcome.status == (isWhole ? 0 : 2), "\(outcome)")
        #expect(try (Data(contentsOf: URL(filePath: image)) == truth) == isWhole)
      }
    }
  }

  @Test func `a sibling that is of no use is said to be none`() throws {
    var other = CopyModel(chunkCount: 400, chunkSectors: 2)
    other.snap()
    for chunk in 0..<100 { other.write(chunk) }
    let foreign = try directory.write(other.image(0), to: "foreign")
    let outcome = try salvage("--to", directory.path("new"), "--sibling", foreign)
    #expect(outcome.errors.contains("not used as a sibling: its chunks have another size"))
    #expect(outcome.output.contains(#""verdict" : "other-chunk-size""#), "\(outcome)")
  }

  /// A store that overflowed while one writer wrote, with some of its copies never written down.
  private func overflowed() throws -> String {
    let all = StoreBuilder(chunkSectors: 1).copying(100..<200)
    let last = Int(all.exceptions.last?.new ?? 0)
    let named = StoreBuilder(chunkSectors: 1, chunkCount: last + 1).copying(100..<140)
    var image = named.image(.valid(0))
    for exception in all.exceptions {
      image.put(model.bytes(of: exception.old + 100_000), at: Int(exception.new) * 512)
    }
    return try directory.write(image, to: "overflowed")
  }

  @Test func `what is likely is used on request only, listed, and never status 0`() throws {
    let store = try overflowed()
    let list = directory.path("list")
    let proven = try dmsnap.run([
      "salvage", store, "--origin", origin, "--to", directory.path("new1"), "--format", "json",
    ])
    #expect(try result(proven).placement.likelyCount == 60)
    #expect(try result(proven).placements?.isEmpty == true)
    let outcome = try dmsnap.run([
      "salvage", store, "--origin", origin, "--to", directory.path("new2"), "--place", "likely",
      "--evidence", list,
    ])
    #expect(outcome.status == 2, "\(outcome)")
    #expect(outcome.output.contains("placed   0 proven, 60 likely of 60 unnamed chunks"))
    #expect(outcome.output.contains("exception.placed-likely"))
    let lines = try String(contentsOf: URL(filePath: list), encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 3)  // areas part them
    #expect(lines.allSatisfy { $0.contains(#""strength":"likely""#) })
    let audit = try dmsnap.run(["audit", store, "--origin", origin, "--place", "likely"])
    #expect(audit.output.contains("exception.placed-likely"), "\(audit)")
    let inspect = try dmsnap.run(["inspect", store, "--origin", origin])
    #expect(inspect.output.contains("placed   0 proven, 60 likely of 60 unnamed chunks"))
    let (offer, extra) = ("--place likely --to NEW", "   uses the 60 likely places as well")
    #expect(inspect.output.contains("dmsnap salvage \(store) --origin \(origin) \(offer)\(extra)"))
  }

  @Test func `the commands that inspect names have the options that it was given`() throws {
    let asked = try dmsnap.run([
      "inspect", store, "--origin", origin, "--sibling", sibling, "--place", "proven",
    ])
    let repeated = "--place proven --sibling \(sibling)"
    #expect(
      asked.output.contains("dmsnap salvage \(store) \(repeated) --origin \(origin) --to NEW"))
    #expect(
      asked.output.contains(
        "dmsnap export \(store) --reading salvage \(repeated) --origin \(origin) --to FILE"))
    #expect(!asked.output.contains("--place likely"))
  }

  @Test func `a merge lists what it rests on, once it is done`() throws {
    let list = directory.path("list")
    let arguments = [
      "merge", store, "--origin", origin, "--sibling", sibling, "--accept", "other-snapshots",
      "--evidence", list,
    ]
    let image = directory.path("merged")
    try dmsnap.succeed(arguments + ["--to", image, "--quiet"])
    #expect(try Data(contentsOf: URL(filePath: image)) == Data(truth))
    let copied = try Data(contentsOf: URL(filePath: list))
    let lines = String(decoding: copied, as: UTF8.self).split(separator: "\n")
    #expect(!lines.isEmpty && lines.allSatisfy { $0.contains(#""evidence":["sibling"]"#) })
    let before = try Data(contentsOf: URL(filePath: origin))
    let refused = try dmsnap.run(arguments + ["--no-undo"])
    #expect(refused.status != 0 && refused.errors.contains("list"), "\(refused)")
    #expect(try Data(contentsOf: URL(filePath: origin)) == before)
    try FileManager.default.removeItem(atPath: list)
    try dmsnap.succeed(arguments + ["--no-undo"])
    #expect(try Data(contentsOf: URL(filePath: list)) == copied)
  }

  @Test func `what has no place is counted by reason`() throws {
    let outcome = try dmsnap.run([
      "salvage", store, "--origin", origin, "--to", directory.path("new"),
    ])
    #expect(
      outcome.output.contains("unplaced 32 chunks (16 KiB): 32 without evidence"), "\(outcome)")
    let inspect = try dmsnap.run(["inspect", store])
    #expect(inspect.output.contains("unplaced 32 chunks (16 KiB): "), "\(inspect)")
  }

  @Test func `a kernel's reading places nothing`() throws {
    let outcome = try dmsnap.run([
      "export", store, "--origin", origin, "--reading", "kernel", "--place", "likely", "--to", "-",
    ])
    #expect(outcome.status == 64 && outcome.errors.contains("--place"), "\(outcome)")
  }

  @Test func `the rules are explained`() throws {
    let text = try dmsnap.succeed(["explain", "placement"]).output
    #expect(text.contains("sibling (proven, likely)") && text.contains("sequence (likely)"))
    let json = try dmsnap.succeed(["explain", "placement", "--format", "json"]).output
    #expect(json.contains(#""kind" : "sibling""#))
  }

  @Test func `a sibling that is no store is an error, and nothing is written`() throws {
    let outcome = try salvage("--to", directory.path("new"), "--sibling", origin)
    #expect(outcome.status == 3, "\(outcome)")
    #expect(!FileManager.default.fileExists(atPath: directory.path("new")))
  }
}
