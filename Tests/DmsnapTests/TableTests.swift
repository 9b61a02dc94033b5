import TestSupport
import Testing

/// `table` against a decoder of our own, in every format.
@Suite struct TableTests {
  let directory: TemporaryDirectory
  private let dmsnap = ToolRunner.dmsnap

  init() throws { directory = try TemporaryDirectory() }

  private struct Run: Equatable {
    var old: UInt64
    var new: UInt64
    var count: UInt64
  }

  /// The exceptions of a store, and the runs that they form in table order.
  private func expected(_ store: String) throws -> (exceptions: [Run], runs: [Run]) {
    let table = ReferenceDecoder(try Files.bytes(store)).exceptions
    let exceptions = table.map { Run(old: $0.old, new: $0.new, count: 1) }
    var runs: [Run] = []
    for exception in exceptions {
      if let last = runs.last, last.old + last.count == exception.old,
        last.new + last.count == exception.new
      {
        runs[runs.count - 1].count += 1
      } else {
        runs.append(exception)
      }
    }
    return (exceptions, runs)
  }

  private func csv(_ lines: [String]) throws -> [Run] {
    try lines.map { line in
      let numbers = try line.split(separator: ",").map { try #require(UInt64($0)) }
      try #require(numbers.count == 3)
      return Run(old: numbers[0], new: numbers[1], count: numbers[2])
    }
  }

  private static let cases = [
    "fresh", "written", "random-order", "descending", "many-small-areas", "exceptions-256",
    "exceptions-257", "chunk-1024", "merge-cut-between",
  ]

  @Test(arguments: cases)
  func `every format tells the same table`(name: String) throws {
    let store = try Pair(name, in: directory).store
    let (exceptions, runs) = try expected(store)
    for (flags, wanted) in [([], runs), (["--expand"], exceptions)] {
      func table(_ format: String) throws -> ToolOutcome {
        let outcome = try dmsnap.run(["table", store, "--format", format] + flags)
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
        return outcome
      }
      let lines = try table("csv").outputLines
      #expect(lines.first == "old,new,count")
      #expect(try csv(Array(lines.dropFirst())) == wanted)

      let text = try table("text").outputLines.dropFirst()
        .map { $0.split(separator: " ").joined(separator: ",") }
      #expect(try csv(text) == wanted)

      let objects = wanted.map {
        "{\"old\": \($0.old), \"new\": \($0.new), \"count\": \($0.count)}"
      }
      #expect(try table("jsonl").outputLines == objects)

      let json = try #require(try table("json").object()["runs"] as? [[String: UInt64]])
      #expect(
        json.map { Run(old: $0["old"] ?? 0, new: $0["new"] ?? 0, count: $0["count"] ?? 0) }
          == wanted)
    }
  }

  @Test func `a table larger than any buffer comes whole`() throws {
    let olds = (0..<20_000).map { UInt64($0) * 3 }
    let path = try SparseStore(copying: olds, in: directory, as: "store").path
    let lines = try dmsnap.run(["table", path, "--format", "csv", "--expand"]).outputLines
    #expect(lines.count == 20_001)
    #expect(lines.last?.hasPrefix("59997,") == true)
  }

  @Test func `duplicates and top bytes are shown as they stand`() throws {
    let builder = StoreBuilder().adding((5, 2), (5, 3), (7, 4 | 1 << 56)).sized(16)
    let path = try directory.write(builder.image(), to: "store")
    #expect(
      try dmsnap.run(["table", path, "--format", "csv"]).outputLines
        == ["old,new,count", "5,2,1", "5,3,1", "7,\(4 | UInt64(1) << 56),1"])
  }

  @Test func `numbers of every length stand as they should in every format`() throws {
    var powers: [UInt64] = [1]
    while let last = powers.last, last < .max / 10 { powers.append(last * 10) }
    // Without the last: of a longer run there is one line.
    let numbers = (powers + powers.map { $0 - 1 } + [.max, .max - 1]).sorted().filter { $0 > 0 }
    var builder = StoreBuilder(chunkSectors: 8, chunkCount: 300)
    builder.exceptions = numbers.reversed().map { StoreBuilder.Exception($0, $0 & (1 << 56 - 1)) }
    builder.exceptions += [StoreBuilder.Exception(0, 7)]
    let path = try directory.write(builder.image(), to: "store")
    let pairs = builder.exceptions.map { ($0.old, $0.new) }
    func padded(_ number: UInt64) -> String {
      "\(number)" + String(repeating: " ", count: max(0, 15 - "\(number)".count))
    }
    func lines(_ format: String) throws -> [String] {
      try dmsnap.run(["table", path, "--expand", "--format", format]).outputLines
    }
    #expect(try lines("csv").dropFirst() == pairs.map { "\($0),\($1),1" }[...])
    #expect(
      try lines("text") == ["old chunk       new chunk       count"]
        + pairs.map { "\(padded($0)) \(padded($1)) 1" })
    let objects = pairs.map { "{\"old\": \($0), \"new\": \($1), \"count\": 1}" }
    #expect(try lines("jsonl") == objects)
    #expect(
      try lines("json").joined(separator: "\n").hasPrefix(
        "{\"schema\": \"dmsnap.table.v1\", \"chunkSectors\": 8, \"reading\": \"kernel\", \"runs\": ["
          + objects.joined(separator: ",\n") + "],\n"))
  }
}
