import Foundation
import TestSupport
import Testing

/// Every command ends as the table in docs/exit-statuses.md says, whatever it is given.
@Suite struct ExitStatusTests {
  /// What a row of the table is about.
  enum Given: String, CaseIterable, CustomTestStringConvertible {
    case healthy = "a healthy store"
    case empty = "a store that nothing was copied to"
    case full = "a store that is full"
    case invalid = "an invalid store, all of it named"
    case inFlight = "an invalid store with chunks in flight"
    case cut = "a store cut short"
    case headless = "a store with its header zeroed"
    case areaLost = "a store with an area overwritten"
    case beyondOrigin = "a store whose table extends past the origin"
    case unreadable = "a store with data that cannot be read"
    case inFilesystem = "a store among the blocks of a file system"
    case otherOrigin = "an origin with another file system"
    case filesystem = "a file system"
    case text = "a file of something else"
    case missing = "no file"

    var testDescription: String { rawValue }
  }

  /// The page's table: the commands above its columns, and the statuses of each row.
  private static let table: (commands: [[String]], statuses: [String: [Int32]]) = {
    let path = Corpus.folder.appending(path: "../docs/exit-statuses.md").standardized.path()
    let page = (try? Files.bytes(path)) ?? []
    let rows = String(decoding: page, as: UTF8.self).split(separator: "\n")
      .drop { !$0.contains("| `table` |") }.prefix { $0.hasPrefix("|") }
      .map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
    let commands = (rows.first ?? []).dropFirst().map { head in
      head.split { $0 == "`" || $0 == " " }.map(String.init)
    }
    let statuses = rows.dropFirst(2).map { ($0[0], $0.dropFirst().compactMap { Int32($0) }) }
    return (commands, Dictionary(statuses, uniquingKeysWith: { first, _ in first }))
  }()

  private let directory: TemporaryDirectory
  private let origin: String

  init() throws {
    directory = try TemporaryDirectory()
    origin = try directory.write(Stamp.origin(byteCount: 4096 * 400), to: "origin")
  }

  /// Forty exceptions of 4 KiB, scattered, or three hundred in two areas.
  private static let forty = StoreBuilder(chunkSectors: 8).copying((0..<40).map { $0 * 7 })
  private static let two = StoreBuilder(chunkSectors: 8).copying((0..<300).map { $0 * 7 % 397 })

  private func store(_ builder: StoreBuilder, _ damages: Damage...) throws -> String {
    var image = builder.image()
    for damage in damages { damage.apply(to: &image, of: builder) }
    return try directory.write(image, to: "store")
  }

  private func make(_ given: Given) throws -> (store: String, origin: String, options: [String]) {
    let builder = Self.forty
    switch given {
    case .healthy: return (try store(builder.sized(100)), origin, [])
    case .empty: return (try store(StoreBuilder(chunkSectors: 8, chunkCount: 20)), origin, [])
    case .full: return (try store(builder.sized(42)), origin, [])
    case .invalid: return (try store(builder.sized(42), .valid(0)), origin, [])
    case .inFlight: return (try store(builder.sized(100), .valid(0)), origin, [])
    case .cut: return (try store(builder.sized(42), .cut(byteCount: 4096 * 30)), origin, [])
    case .headless: return (try store(builder.sized(42), .headerZeroed), origin, [])
    case .areaLost: return (try store(Self.two, .randomChunk(1, seed: 7)), origin, [])
    case .beyondOrigin:
      let short = try directory.write(Stamp.origin(byteCount: 4096 * 100), to: "short")
      return (try store(builder.sized(100)), short, [])
    case .unreadable:
      let map = try directory.write(
        Array("0x0 +\n0x0 0x4000 +\n0x4000 0x1000 -\n0x5000 0x5f000 +\n".utf8), to: "map")
      return (try store(builder.sized(100)), origin, ["--map", map])
    case .inFilesystem:
      var image = try Files.bytes(Pair("ext4-snapshot-changed", in: directory).origin)
      image.put(builder.image(), at: 600 * 1024)
      return ("\(try directory.write(image, to: "stick")),offset=614400", origin, [])
    case .otherOrigin:
      let pair = try Pair("ext4-snapshot-changed", in: directory)
      var other = try Files.bytes(pair.origin)
      other.put(Array(repeating: 0x22, count: 16), at: 1024 + 0x68)
      other.put([other[1024 + 0x65] & ~4], at: 1024 + 0x65)
      return (pair.store, try directory.write(other, to: "other"), [])
    case .filesystem: return (try Pair("ext4-snapshot-changed", in: directory).origin, origin, [])
    case .text:
      let text = (0..<5000).map { "line \($0): not a store at all\n" }.joined()
      return (try directory.write(Array(text.utf8), to: "store"), origin, [])
    case .missing: return (directory.path("nothing"), origin, [])
    }
  }

  @Test(arguments: Given.allCases)
  func `every command ends as the table says`(given: Given) throws {
    let (store, origin, options) = try make(given)
    let expected = try #require(Self.table.statuses[given.rawValue])
    try #require(expected.count == Self.table.commands.count && expected.count > 10)
    for (command, status) in zip(Self.table.commands, expected) {
      var line = [command[0], store] + command.dropFirst()
      if let place = line.firstIndex(of: "--origin") { line.insert(origin, at: place + 1) }
      let output = directory.path("output")
      if line.last == "--to" { line.append(output) }
      if !["identify", "carve"].contains(command[0]) { line += options }
      let outcome = try ToolRunner.dmsnap.run(line)
      #expect(outcome.status == status, "\(outcome)")
      // No output is left of what was refused, or could not be done.
      #expect(Files.exist(output) == (line.contains("--to") && status < 3), "\(outcome)")
      if Files.exist(output) { try FileManager.default.removeItem(atPath: output) }
    }
  }

  @Test func `the table has a row for all of it, and no other`() {
    #expect(Set(Self.table.statuses.keys) == Set(Given.allCases.map(\.rawValue)))
  }
}
