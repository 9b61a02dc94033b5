import Foundation
import TestSupport
import Testing

/// How often a command reads the areas of a store: a second walk costs time, and on a disk that
/// changes meanwhile it finds another table.
@Suite(
  .enabled(
    if: Strace.tool != nil, "strace must be installed and allowed to trace a program"))
struct WalkTests {
  private let directory: TemporaryDirectory
  private let store: String
  private let origin: String

  /// Five full areas of 256 exceptions, and a part of one.
  private static let exceptionCount = 5 * 256 + 40

  init() throws {
    directory = try TemporaryDirectory()
    let olds = (0..<Self.exceptionCount).map { $0 * 7 % 5003 }
    store = try directory.write(StoreBuilder(chunkSectors: 8).copying(olds).image(), to: "store")
    origin = try directory.write(Stamp.origin(byteCount: 4096 * 5003), to: "origin")
  }

  /// How often the area at a byte of the store is read.
  private func readCount(_ arguments: [String], at byteOffset: Int) throws -> Int {
    let log = directory.path("log")
    let outcome = try #require(Strace.tool).run(
      ["-f", "-qq", "-e", "trace=pread64", "-o", log] + Strace.only([store])
        + [ToolRunner.dmsnap.path] + arguments)
    #expect(outcome.status == 0, "\(outcome)")
    let text = String(decoding: try Files.bytes(log), as: UTF8.self)
    return text.matches(of: /, ([0-9]+), ([0-9]+)\) += ([0-9]+)/).count { call in
      guard let start = Int(call.2), let count = Int(call.3) else { return false }
      return start <= byteOffset && byteOffset + 1024 <= start + count
    }
  }

  @Test(
    arguments: [
      ("inspect STORE", 1), ("inspect STORE --origin ORIGIN", 1), ("audit STORE", 1),
      ("audit STORE --origin ORIGIN", 1), ("export STORE --origin ORIGIN --to OUTPUT", 1),
      ("diff STORE --origin ORIGIN", 1), ("salvage STORE --to OUTPUT", 1),
      ("export STORE --origin ORIGIN --to OUTPUT --reading salvage", 1),
      ("table STORE --reading salvage", 1), ("table STORE", 2),
      ("merge STORE --origin ORIGIN --dry-run", 2),
      ("merge STORE --origin ORIGIN --undo OUTPUT", 2),
      ("merge STORE --origin ORIGIN --no-undo --reading salvage", 1),
    ])
  func `an area is read no more often than that`(line: String, count: Int) throws {
    let names = ["STORE": store, "ORIGIN": origin, "OUTPUT": directory.path("output")]
    let arguments = line.split(separator: " ").map { names[String($0)] ?? String($0) }
    // Area 2: what a look at the beginning of a store reads is none of it.
    #expect(try readCount(arguments, at: 4096 * (1 + 2 * 257)) == count)
  }
}
