import Foundation
import TestSupport
import Testing

/// The manual pages: what docs/man/make writes of the program that was built with these tests.
@Suite struct ManualTests {
  /// A command or an option, as `--experimental-dump-help` describes it.
  private struct Command: Decodable {
    struct Argument: Decodable {
      struct Name: Decodable { let kind, name: String }
      let names: [Name]?
      let abstract: String?
    }
    let commandName: String
    let abstract, discussion: String?
    let arguments: [Argument]?
    let subcommands: [Command]?

    /// It and all below it, with the words to call each by.
    func all(below path: [String] = []) -> [(path: [String], command: Command)] {
      let path = path + [commandName]
      let children = (subcommands ?? []).filter { $0.commandName != "help" }
      return [(path, self)] + children.flatMap { $0.all(below: path) }
    }

    var longOptions: [String] {
      (arguments ?? []).flatMap { $0.names ?? [] }.filter { $0.kind == "long" }.map {
        "--\($0.name)"
      }
    }
  }

  private struct Dump: Decodable { let command: Command }

  /// The pages, and what mandoc finds in them; made once for all tests.
  private struct Pages {
    let commands: [(path: [String], command: Command)]
    /// By name: as they are read, without emphasis, in lines too long to be broken.
    private(set) var texts: [String: String] = [:]
    let lint: ToolOutcome

    init() throws {
      let directory = try TemporaryDirectory()
      let dump = try ToolRunner.dmsnap.succeed(["--experimental-dump-help"]).outputBytes
      commands = try JSONDecoder().decode(Dump.self, from: Data(dump)).command.all()
      let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
      let make = ToolRunner(path: root.appending(path: "docs/man/make").path())
      try make.succeed([ToolRunner.dmsnap.path, directory.path])
      let mandoc = try #require(ToolRunner(named: "mandoc"))
      for name in try directory.names() {
        let text = try mandoc.succeed(
          ["-T", "ascii", "-O", "width=1000", directory.path(name)]
        ).output
        texts[name] = text.replacing(/.\u{8}/, with: "")
      }
      lint = try mandoc.run(
        ["-T", "lint", "-W", "warning"] + directory.names().map { directory.path($0) })
    }
  }

  private static let pages = Result { try Pages() }
  private let pages: Pages

  init() throws { pages = try Self.pages.get() }

  private var commands: [(path: [String], command: Command)] { pages.commands }

  private func text(of path: [String]) throws -> String {
    try #require(pages.texts["\(path.joined(separator: "-")).1"], "\(path)")
  }

  @Test func `every command has a page, with every section and every option`() throws {
    #expect(commands.count >= 14)
    for (path, command) in commands {
      let page = try text(of: path)
      for section in [
        "NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO",
      ] {
        #expect(page.contains("\n\(section)\n"), "\(path): \(section)")
      }
      let words = Set(page.split { !$0.isLetter && !$0.isNumber && $0 != "-" }.map(String.init))
      #expect(command.longOptions.filter { !words.contains($0) } == [], "\(path)")
    }
  }

  @Test func `a page says what help says`() throws {
    func bare(_ text: String) -> String {
      text.filter { !$0.isWhitespace && !"`'\"\u{2018}\u{2019}".contains($0) }.lowercased()
    }
    for (path, command) in commands {
      let page = bare(try text(of: path))
      let texts =
        [command.abstract, command.discussion] + (command.arguments ?? []).map(\.abstract)
      for text in texts.compactMap(\.self) {
        #expect(page.contains(bare(text)), "\(path): \(text)")
      }
      let help = try ToolRunner.dmsnap.succeed(["help"] + path.dropFirst()).outputLines
      let start = try #require(help.firstIndex { $0.hasPrefix("USAGE: ") })
      let usage = help[start...].prefix { $0 == help[start] || $0.hasPrefix("       ") }
      for line in usage {
        let form = bare(line.filter { !"<>".contains($0) }.replacing("USAGE: ", with: ""))
        #expect(page.contains(form), "\(path): \(line)")
      }
    }
  }

  @Test func `the merge's page shows every form of it`() throws {
    let page = try text(of: ["dmsnap", "merge"])
    let synopsis = try #require(page.firstMatch(of: /SYNOPSIS\n([\s\S]*?)\nDESCRIPTION/)).1
    for option in ["--undo", "--no-undo", "--to", "--dry-run", "--plan", "--apply", "--pv"] {
      #expect(synopsis.contains(option), "\(option)")
    }
  }

  @Test func `an example has options that its command has`() throws {
    var count = 0
    for (path, _) in commands {
      for line in try text(of: path).split(separator: "\n") {
        let words = line.split(separator: " ").map(String.init)
        guard words.first == "dmsnap", line.hasPrefix("           ") else { continue }
        let called = commands.last { words.starts(with: $0.path) }
        let known = called?.command.longOptions ?? []
        let unknown = words.filter { $0.hasPrefix("--") && !known.contains($0) }
        #expect(unknown == [], "\(path): \(line)")
        count += 1
      }
    }
    #expect(count >= 30)
  }

  @Test func `the pages have every status of the contract`() throws {
    let page = try text(of: ["dmsnap"])
    let section = try #require(page.firstMatch(of: /EXIT STATUS([\s\S]*?)\nEXAMPLES/)).1
    let statuses = section.matches(of: /\n {5}(\d+)\s/).map { String($0.1) }
    #expect(statuses == ["0", "1", "2", "3", "4", "5", "64"])
  }

  @Test func `mandoc finds nothing in them`() throws {
    #expect(pages.texts.count == commands.count)
    let lint = pages.lint
    #expect(lint.status == 0 && lint.output.isEmpty && lint.errors.isEmpty, "\(lint)")
  }
}
