import Foundation
import SnapshotKit
import TestSupport
import Testing

extension ToolOutcome {
  /// Standard output as the one JSON object that it must be.
  func object() throws -> [String: Any] {
    let value = try JSONSerialization.jsonObject(with: Data(outputBytes))
    return try #require(value as? [String: Any])
  }
}

extension [String: Any] {
  /// The keys of a report, without those that say of which run it is.
  var reportKeys: Set<String> {
    Set(keys).subtracting([
      "origin", "undo", "startedAt", "seconds", "version",
      self["store"] is [String: Any] ? "" : "store", self["runs"] == nil ? "reading" : "",
    ])
  }
}

/// The names that other programs rely on: just these, null where there is nothing to say.
@Suite struct JSONTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  private func object(_ arguments: [String], status: Int32 = 0) throws -> [String: Any] {
    let outcome = try dmsnap.run(arguments + ["--format", "json"])
    #expect(outcome.status == status, "\(outcome)")
    #expect(outcome.output.hasSuffix("}\n"))
    return try outcome.object()
  }

  private func keys(_ value: Any?) throws -> Set<String> {
    Set(try #require(value as? [String: Any]).keys)
  }

  private func elements(_ value: Any?) throws -> [[String: Any]] {
    try #require(value as? [[String: Any]])
  }

  // MARK: - inspect

  private static let inspectKeys: Set = [
    "schema", "store", "header", "table", "kernel", "verdict", "findings", "generations",
    "snapshot", "gaps", "unnamed", "placement", "fileLosses",
  ]

  @Test(arguments: Corpus.names)
  func `inspect has the keys of its schema, and Linux's own numbers`(name: String) throws {
    let pair = try Pair(name, in: directory)
    let outcome = try dmsnap.run(["inspect", pair.store, "--format", "json"])
    let json = try outcome.object()
    #expect(json.reportKeys == Self.inspectKeys)
    #expect(json["schema"] as? String == "dmsnap.inspect.v1")
    #expect(try keys(json["store"]) == ["path", "byteCount"])
    #expect((json["store"] as? [String: Any])?["path"] as? String == pair.store)
    #expect((json["store"] as? [String: Any])?["byteCount"] as? Int == pair.facts.store.byteCount)
    #expect(try keys(json["header"]) == ["magic", "valid", "version", "chunkSectors"])
    #expect(
      try keys(json["table"]) == ["exceptionCount", "runCount", "areaCount", "usableCount"])
    #expect(try keys(json["kernel"]) == ["verdict", "reason", "status"])
    #expect(try keys(json["findings"]) == ["note", "warning", "damage"])
    for generation in try elements(json["generations"]) {
      #expect(Set(generation.keys) == ["index", "current", "exceptionCount", "areaCount"])
    }
    #expect(json["snapshot"] is NSNull)

    let kernel = try #require(json["kernel"] as? [String: Any])
    let answer = try pair.answer
    switch kernel["verdict"] as? String {
    case "loads":
      #expect(kernel["status"] as? String == answer.status)
      #expect(answer.load == "ok")
    case "invalid": #expect(kernel["status"] as? String == "Invalid" && answer.status == "Invalid")
    case "refuses": #expect(kernel["status"] is NSNull && answer.load == "error")
    case "new": #expect(name == "magic-wiped")
    default: Issue.record("no such verdict: \(kernel)")
    }
    let statuses = ["healthy": Int32(0), "usable": 1, "damaged": 2, "unusable": 2]
    #expect(outcome.status == statuses[try #require(json["verdict"] as? String)], "\(outcome)")
  }

  @Test func `inspect of no header says null`() throws {
    let path = try directory.write([1, 2, 3], to: "tiny")
    let json = try object(["inspect", path], status: 3)
    #expect(json.reportKeys == Self.inspectKeys.union(["error"]))
    #expect(json["header"] is NSNull)
    #expect(json["verdict"] as? String == "not-a-store")
    #expect(try elements(json["generations"]).isEmpty)
  }

  @Test func `inspect shows the header's fields as they are`() throws {
    var builder = StoreBuilder().copying([1, 2, 3])
    builder.header.valid = 0xfeed_0001
    let json = try object(["inspect", directory.write(builder.image(), to: "store")])
    let header = try #require(json["header"] as? [String: Any])
    #expect(header["magic"] as? Int == 0x7041_6e53)
    #expect(header["valid"] as? Int == 0xfeed_0001)
    #expect(header["version"] as? Int == 1)
    #expect(header["chunkSectors"] as? Int == 8)
  }

  // MARK: - audit

  @Test(arguments: ["written", "overflow-p", "store-cut-in-data", "magic-wiped", "reused"])
  func `audit has the keys of its schema`(name: String) throws {
    let pair = try Pair(name, in: directory)
    for extra in [[], ["--origin", pair.origin]] {
      let json = try dmsnap.run(["audit", pair.store, "--format", "json"] + extra).object()
      #expect(json.reportKeys == ["schema", "verdict", "findings"])
      #expect(json["schema"] as? String == "dmsnap.audit.v1")
      for finding in try elements(json["findings"]) {
        #expect(
          Set(finding.keys) == [
            "code", "severity", "place", "found", "required", "count", "ranges", "hasMoreRanges",
          ])
        let place = try keys(finding["place"])
        #expect(
          place == ["area", "slot", "byteOffset", "byteCount", "oldChunk", "newChunk"])
        for range in try elements(finding["ranges"]) {
          #expect(Set(range.keys) == ["byteOffset", "byteCount"])
        }
        let code = try #require(finding["code"] as? String)
        let entry = try #require(FindingCode(rawValue: code), "\(code)").entry
        #expect(finding["severity"] as? String == entry.severity.rawValue)
        #expect(try #require(finding["count"] as? Int) >= 1)
      }
    }
  }

  @Test(arguments: ["written", "overflow-p", "store-cut-at-area", "reused-past-area", "fresh"])
  func `inspect counts what audit lists, and they agree on verdict and status`(
    name: String
  ) throws {
    let pair = try Pair(name, in: directory)
    let audited = try dmsnap.run(["audit", pair.store, "--format", "json"])
    let inspected = try dmsnap.run(["inspect", pair.store, "--format", "json"])
    #expect(audited.status == inspected.status)
    let (audit, inspect) = (try audited.object(), try inspected.object())
    #expect(audit["verdict"] as? String == inspect["verdict"] as? String)
    var counts = ["note": 0, "warning": 0, "damage": 0]
    for finding in try elements(audit["findings"]) {
      counts[finding["severity"] as? String ?? "", default: 0] += 1
    }
    #expect(inspect["findings"] as? [String: Int] == counts)
  }

  @Test func `thousands of one kind are one finding with a count and ranges`() throws {
    let olds = [UInt64](repeating: 7, count: 3000)
    let store = try SparseStore(copying: olds, in: directory, as: "store").path
    let outcome = try dmsnap.run(["audit", store, "--format", "json"])
    let findings = try elements(try outcome.object()["findings"])
    let duplicates = findings.filter { $0["code"] as? String == "exception.old-duplicate" }
    try #require(duplicates.count == 1, "\(outcome)")
    #expect(duplicates[0]["count"] as? Int == 2999)
    #expect(try elements(duplicates[0]["ranges"]).count <= 256)
  }

  // MARK: - table, diff, export, merge, explain

  @Test func `table has the keys of its schema`() throws {
    let pair = try Pair("written", in: directory)
    let json = try object(["table", pair.store])
    #expect(json.reportKeys == ["schema", "chunkSectors", "reading", "runs"])
    #expect(json["schema"] as? String == "dmsnap.table.v1")
    #expect(json["chunkSectors"] as? Int == 8)
    #expect(json["reading"] as? String == "kernel")
    let runs = try elements(json["runs"])
    #expect(!runs.isEmpty)
    for run in runs { #expect(Set(run.keys) == ["old", "new", "count"]) }
    #expect(
      try object(["table", pair.store, "--reading", "kernel-6.12"])["reading"] as? String
        == "kernel-6.12")
  }

  @Test func `diff has the keys of its schema`() throws {
    let pair = try Pair("written", in: directory)
    let json = try object(["diff", pair.store, "--origin", pair.origin])
    #expect(
      json.reportKeys == [
        "schema", "chunkSectors", "changed", "changedByteCount", "sameByteCount",
        "identicalChunkCount", "lost",
      ])
    #expect(json["schema"] as? String == "dmsnap.diff.v1")
    #expect(json["chunkSectors"] as? Int == 8)
    let changed = try elements(json["changed"])
    for range in changed { #expect(Set(range.keys) == ["byteOffset", "byteCount"]) }
    let sum = changed.compactMap { $0["byteCount"] as? Int }.reduce(0, +)
    #expect(json["changedByteCount"] as? Int == sum && sum > 0)
    // Every exception is a whole chunk, and this origin has no partial one.
    let exceptions =
      try #require(
        try object(["inspect", pair.store])["table"] as? [String: Any])["exceptionCount"] as? Int
    #expect(sum + (json["sameByteCount"] as? Int ?? 0) == (exceptions ?? 0) * 4096)
  }

  private static let copyKeys: Set = ["schema", "complete", "exceptionCount", "byteCount", "lost"]

  @Test func `export and merge have the keys of their schema`() throws {
    let pair = try Pair("written", in: directory)
    let (store, origin) = (pair.store, pair.origin)
    for (command, arguments) in [
      ("export", ["--to", directory.path("image")]), ("merge", ["--to", directory.path("merged")]),
      ("merge", ["--dry-run"]), ("merge", ["--undo", directory.path("undo")]),
      ("merge", ["--no-undo"]),
    ] {
      let json = try object([command, store, "--origin", origin] + arguments)
      #expect(json.reportKeys.subtracting(["sha256", "dryRun"]) == Self.copyKeys)
      #expect(json["schema"] as? String == "dmsnap.\(command).v1")
      #expect(json["exceptionCount"] as? Int == 7)
      #expect(try elements(json["lost"]).isEmpty)
      let byteCount = arguments.first == "--to" ? pair.facts.origin.byteCount : 7 * 4096
      #expect(json["byteCount"] as? Int == byteCount)
      if arguments != ["--dry-run"] { #expect(json["complete"] as? Bool == true) }
    }
  }

  @Test func `what is lost is listed, and the result is not complete`() throws {
    let pair = try Pair("store-cut-in-data", in: directory)
    let unreadable = try #require(pair.answer.view).unreadable
    try #require(!unreadable.isEmpty)
    let json = try object(
      ["export", pair.store, "--origin", pair.origin, "--to", directory.path("image")], status: 2)
    #expect(json["complete"] as? Bool == false)
    let lost = try elements(json["lost"])
    #expect(
      lost.map { [$0["byteOffset"] as? UInt64 ?? 1, $0["byteCount"] as? UInt64 ?? 0] }
        == unreadable)
    for range in lost {
      #expect(Set(range.keys) == ["byteOffset", "byteCount", "reason"])
      #expect(range["reason"] as? String == "beyond-store")
    }
  }

  @Test func `explain has every finding`() throws {
    let json = try object(["explain"])
    #expect(json.reportKeys == ["schema", "findings", "refusals", "evidence"])
    let findings = try elements(json["findings"])
    #expect(findings.map { $0["code"] as? String } == FindingCode.allCases.map(\.rawValue))
    for finding in findings {
      #expect(
        Set(finding.keys) == [
          "code", "severity", "title", "meaning", "cause", "consequence", "remedy",
        ])
      for (key, value) in finding { #expect((value as? String)?.isEmpty == false, "\(key)") }
    }
    #expect(try elements(try object(["explain", "header.invalid"])["findings"]).count == 1)
  }

  @Test(arguments: FindingCode.allCases)
  func `explain tells every finding in text`(code: FindingCode) throws {
    let outcome = try dmsnap.run(["explain", code.rawValue])
    #expect(outcome.status == 0)
    #expect(outcome.output.hasPrefix("\(code.rawValue) (\(code.entry.severity.rawValue)): "))
    for part in ["meaning", "cause", "consequence", "remedy"] {
      #expect(outcome.outputLines.contains { $0.hasPrefix(part) }, "\(part): \(outcome)")
    }
  }

  @Test(arguments: Subcommand.ofTables)
  func `a refusal is an object with its error`(command: Subcommand) throws {
    let pair = try Pair("overflow-p", in: directory)
    let outcome = try dmsnap.run(
      command.arguments(
        store: pair.store, origin: pair.origin, output: directory.path("output"))
        + ["--format", "json"])
    #expect(outcome.status == 4 && outcome.complaint(naming: pair.store) == nil, "\(outcome)")
    let json = try outcome.object()
    #expect(json.reportKeys == ["schema", "error"])
    #expect(json["schema"] as? String == "dmsnap.\(command.rawValue).v1")
    let error = try #require(json["error"] as? [String: Any])
    #expect(Set(error.keys) == ["status", "code", "message", "where"])
    #expect(error["status"] as? Int == 4 && error["code"] as? String == "store.not-loadable")
    #expect(outcome.errors == "dmsnap: \(error["message"] as? String ?? "")\n")
    #expect((error["where"] as? [String: Any])?["path"] as? String == pair.store)
  }

  @Test func `what cannot be opened is an object with its error, and the run's names`() throws {
    let store = directory.path("nothing")
    let json = try object(["inspect", store], status: 5)
    #expect(json["store"] as? String == store && json["reading"] as? String == "kernel")
    let error = try #require(json["error"] as? [String: Any])
    #expect(error["code"] as? String == "io.open" && error["status"] as? Int == 5)
  }

  // MARK: - identify

  @Test func `identify has the keys of its schema`() throws {
    let pair = try Pair("ext4-origin-changed", in: directory)
    let json = try object(["identify", pair.store, pair.origin])
    #expect(json.reportKeys == ["schema", "paths"])
    #expect(json["schema"] as? String == "dmsnap.identify.v1")
    let paths = try elements(json["paths"])
    #expect(paths.compactMap { $0["path"] as? String } == [pair.store, pair.origin])
    for path in paths {
      #expect(
        Set(path.keys).isSuperset(of: [
          "path", "byteCount", "signatures", "store", "partitionTable", "container",
        ]))
      for signature in try elements(path["signatures"]) {
        #expect(Set(signature.keys).isSuperset(of: ["type", "usage", "label", "uuid"]))
      }
    }
    #expect(
      try keys(paths.first?["store"]) == ["magic", "valid", "version", "chunkSectors"])
    #expect(paths.last?["store"] is NSNull)
    let types = try paths.map {
      try elements($0["signatures"]).compactMap { $0["type"] as? String }
    }
    #expect(types.first?.contains("DM_snapshot_cow") == true)
    #expect(types.last == ["ext4"])
  }
}
