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
  private static let builder = StoreBuilder(chunkSectors: 8).copying(
    (0..<5 * 256 + 40).map { $0 * 7 % 5003 })

  init() throws {
    directory = try TemporaryDirectory()
    store = try directory.write(Self.builder.image(), to: "store")
    origin = try directory.write(Stamp.origin(byteCount: 4096 * 5003), to: "origin")
  }

  /// How often the area at a byte of a store is read.
  private func readCount(
    _ arguments: [String], of store: String, at byteOffset: Int
  ) throws -> Int {
    let log = directory.path("log")
    let outcome = try #require(Strace.tool).run(
      ["-f", "-qq", "-e", "trace=pread64", "-o", log] + Strace.only([store])
        + [ToolRunner.dmsnap.path] + arguments)
    #expect([0, 2].contains(outcome.status), "\(outcome)")
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
    #expect(try readCount(arguments, of: store, at: 4096 * (1 + 2 * 257)) == count)
  }

  @Test(arguments: Broken.allCases)
  private func `nor is it where a store is broken`(_ broken: Broken) throws {
    let image = broken.image(Self.builder)
    let (path, output) = (try directory.write(image, to: "broken"), directory.path("output"))
    var lines = [
      ["inspect", path, "--origin", origin], ["audit", path, "--origin", origin],
      ["salvage", path, "--origin", origin, "--to", output],
      ["export", path, "--origin", origin, "--to", "\(output)2", "--reading", "salvage"],
    ]
    if broken.isShown { lines.append(["export", path, "--origin", origin, "--to", "\(output)3"]) }
    for line in lines {
      #expect(
        try readCount(line, of: path, at: 4096 * (1 + 2 * 257)) == 1, "\(line[0])")
    }
  }

  /// A store of six areas that something happened to.
  private enum Broken: CaseIterable {
    case wiped, invalid, duplicate, cut, areaZeroed

    /// Whether Linux shows its snapshot.
    var isShown: Bool { self == .duplicate || self == .areaZeroed }

    func image(_ builder: StoreBuilder) -> [UInt8] {
      switch self {
      case .wiped: return builder.image(.magicErased)
      case .invalid: return builder.image(.valid(0))
      case .areaZeroed: return builder.image(.zeroChunk(builder.chunk(ofArea: 4)))
      case .cut: return Array(builder.image().dropLast(64 << 10))
      case .duplicate:
        var image = builder.image()
        let first = builder.bytes(ofChunk: builder.chunk(ofArea: 0)).lowerBound
        let other = builder.bytes(ofChunk: builder.chunk(ofArea: 3)).lowerBound
        image.put(Array(image[Int(first)..<Int(first) + 8]), at: Int(other))
        return image
      }
    }
  }
}
