import TestSupport
import Testing

/// Every subcommand, and how to run it on given files.
enum Subcommand: String, CaseIterable, CustomTestStringConvertible {
  case identify, carve, inspect, table, audit, explain, export, diff, merge, salvage

  var testDescription: String { rawValue }

  /// Those that look at a store.
  static let ofStores = allCases.filter { $0 != .explain && $0 != .identify }
  /// Those that want an origin.
  static let ofOrigins: [Subcommand] = [.export, .diff, .merge]
  /// Those that need a table that Linux loads.
  static let ofTables: [Subcommand] = [.table, .export, .diff, .merge]
  /// Those that look at files.
  static let ofFiles = allCases.filter { $0 != .explain }

  /// The options that design.md and its own help promise.
  var options: [String] { ownOptions + (self == .explain ? [] : ["--no-holes"]) }

  private var ownOptions: [String] {
    switch self {
    case .identify: ["--format"]
    case .carve: ["--format", "--quiet", "--progress"]
    case .inspect, .audit: ["--origin", "--reading", "--format", "--quiet", "--progress"]
    case .table: ["--reading", "--format", "--expand", "--quiet", "--progress"]
    case .explain: ["--format"]
    case .salvage:
      [
        "--to", "--origin", "--chunk-size", "--generation", "--map", "--wanted", "--format",
        "--quiet", "--progress",
      ]
    case .export: ["--origin", "--to", "--reading", "--format", "--quiet", "--progress"]
    case .diff: ["--origin", "--reading", "--format", "--quiet", "--progress"]
    case .merge:
      [
        "--origin", "--undo", "--no-undo", "--to", "--skip-identical", "--dry-run", "--verify",
        "--plan", "--apply", "--accept", "--reading", "--format", "--quiet", "--progress",
      ]
    }
  }

  /// A run that changes neither store nor origin; `output` is a file that it may make.
  func arguments(store: String, origin: String, output: String) -> [String] {
    switch self {
    case .identify, .carve, .inspect, .table, .audit: [rawValue, store]
    case .explain: [rawValue]
    case .diff: [rawValue, store, "--origin", origin]
    case .export, .merge: [rawValue, store, "--origin", origin, "--to", output]
    case .salvage: [rawValue, store, "--to", output]
    }
  }

  /// A run that writes something to standard output and, but for a new store, nothing elsewhere.
  func printing(store: String, origin: String) -> [String] {
    switch self {
    case .merge: [rawValue, store, "--origin", origin, "--dry-run"]
    case .salvage: [rawValue, store, "--to", "\(store).\(UInt64.random(in: 0...(.max)))"]
    default: arguments(store: store, origin: origin, output: "-")
    }
  }
}

extension ToolOutcome {
  /// What makes the one line on standard error that a failure is: nil if it is that.
  func complaint(naming path: String? = nil) -> String? {
    if errorLines.count != 1 { return "\(errorLines.count) lines on standard error: \(self)" }
    if !errors.hasPrefix("dmsnap: ") { return "not dmsnap's message: \(self)" }
    if let path, !errors.contains(path) { return "\(path) is not named: \(self)" }
    return nil
  }
}

/// A corpus case, unpacked: what the command sees, and what Linux says.
struct Pair {
  let store: String
  let origin: String
  let facts: Corpus.Case

  init(_ name: String, in directory: TemporaryDirectory) throws {
    facts = try Corpus.read(name)
    store = try directory.write(Corpus.unpack(facts.store, of: name), to: "\(name).cow")
    origin = try directory.write(Corpus.unpack(facts.origin, of: name), to: "\(name).origin")
  }

  /// What Linux 6.1 says.
  var answer: Corpus.Answer {
    get throws { try #require(facts.says["6.1"]) }
  }
}

/// What Linux does with the cases of the corpus.
enum Cases {
  /// Linux shows what these hold.
  static let loaded = Corpus.names.filter { kind($0) == .loaded }
  /// These are invalid, refused, or would be formatted.
  static let notLoaded = Corpus.names.filter { kind($0) == .notLoaded }
  /// Linux merges these to the end.
  static let merged = loaded.filter {
    let status = try? Corpus.read($0).says["6.1"]?.merge?.status
    return status.map { $0 != "Merge failed" } ?? false
  }
  /// Of those, tables of several shapes: for what takes several runs of each.
  static let shapes = [
    "written", "random-order", "exceptions-256", "chunk-1", "chunk-1024", "odd-origin",
  ]
  /// Linux stops in the middle of merging these.
  static let notMerged = loaded.filter { !merged.contains($0) }

  private enum Kind { case loaded, notLoaded }

  private static func kind(_ name: String) -> Kind {
    guard let facts = try? Corpus.read(name), let answer = facts.says["6.1"] else {
      return .loaded  // which will fail, and say why
    }
    // The kernel loads a store whose magic is zero, by erasing it.
    let isNew = name == "magic-wiped"
    return answer.load == "ok" && answer.status != "Invalid" && !isNew ? .loaded : .notLoaded
  }
}
