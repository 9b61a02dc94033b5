import TestSupport
import Testing

/// Colours: on a terminal, and nowhere else.
@Suite struct ColourTests {
  private let directory: TemporaryDirectory
  private let terminal: PseudoTerminal

  init() throws {
    directory = try TemporaryDirectory()
    terminal = try PseudoTerminal()
  }

  private enum Stream { case output, errors }

  /// What a command writes to one stream that is a terminal, and to the same that is none.
  private func run(
    _ arguments: [String], _ stream: Stream, _ environment: [String: String] = [:]
  ) throws -> (terminal: String, file: String) {
    var dmsnap = ToolRunner.dmsnap
    dmsnap.environment = ["TERM": "xterm", "NO_COLOR": ""].merging(environment) { $1 }
    let tool =
      switch stream {
      case .output: try dmsnap.start(arguments, output: .path(terminal.path))
      case .errors: try dmsnap.start(arguments, errors: .path(terminal.path))
      }
    let shown = terminal.read(until: tool)
    let other = tool.wait()
    #expect(!(stream == .output ? other.errors : other.output).contains("\u{1b}"), "\(other)")
    let outcome = try dmsnap.run(arguments)
    return (shown, stream == .output ? outcome.output : outcome.errors)
  }

  private func bare(_ text: String) -> String { text.replacing(/\u{1b}\[[0-9;]*m/, with: "") }

  private static let (red, alarm, yellow, green) = ("31", "1;31", "33", "32")

  private func coloured(_ text: String, _ colour: String) -> String {
    "\u{1b}[\(colour)m\(text)\u{1b}[m"
  }

  @Test(
    arguments: [
      ("written", "healthy", green), ("overflow-p", "damaged", alarm),
      ("magic-wiped", "damaged", alarm),
    ])
  func `a verdict is coloured, and nothing else is changed`(
    name: String, verdict: String, colour: String
  ) throws {
    let pair = try Pair(name, in: directory)
    let audit = try run(["audit", pair.store], .output)
    #expect(audit.terminal.contains(": \(coloured(verdict, colour))\n"), "\(audit)")
    let inspect = try run(["inspect", pair.store], .output)
    #expect(inspect.terminal.contains("verdict  \(coloured(verdict, colour))"), "\(inspect)")
    for (terminal, file) in [audit, inspect] {
      #expect(bare(terminal) == file && !file.contains("\u{1b}"), "\(terminal)")
    }
  }

  @Test func `damage and warnings are, in salvage too`() throws {
    let bytes = try Files.bytes(Pair("overflow-p", in: directory).store)
    let cut = try directory.write(Array(bytes.prefix(bytes.count / 2)), to: "cut")
    let arguments = [
      ["inspect", cut], ["audit", cut], ["salvage", cut, "--to", directory.path("new")],
    ]
    for arguments in arguments {
      let shown = try run(arguments, .output).terminal
      #expect(shown.contains(coloured("damage", Self.red) + "   "), "\(shown)")
    }
  }

  @Test func `that Linux would format a store is an alarm`() throws {
    let shown = try run(["inspect", Pair("magic-wiped", in: directory).store], .output).terminal
    let alarm = coloured("WOULD FORMAT IT. Do not activate it", Self.alarm)
    #expect(shown.contains("Linux    \(alarm): "), "\(shown)")
  }

  @Test func `a refusal is red on standard error`() throws {
    let pair = try Pair("overflow-p", in: directory)
    let refusal = try run(["merge", pair.store, "--origin", pair.origin, "--no-undo"], .errors)
    #expect(refusal.terminal.hasPrefix(coloured("dmsnap:", Self.red) + " "), "\(refusal)")
    #expect(bare(refusal.terminal) == refusal.file && !refusal.file.isEmpty, "\(refusal)")
  }

  @Test(arguments: [["NO_COLOR": "1"], ["NO_COLOR": "0"], ["TERM": "dumb"], ["TERM": ""]])
  func `whoever wants no colours, or cannot show them, gets none`(
    environment: [String: String]
  ) throws {
    let pair = try Pair("overflow-p", in: directory)
    for (arguments, stream) in [
      (["inspect", pair.store], Stream.output),
      (["merge", pair.store, "--origin", pair.origin, "--no-undo"], .errors),
    ] {
      let (terminal, file) = try run(arguments, stream, environment)
      #expect(terminal == file && !file.isEmpty, "\(terminal)")
    }
  }

  @Test func `JSON has none`() throws {
    let pair = try Pair("overflow-p", in: directory)
    let shown = try run(["inspect", pair.store, "--format", "json"], .output).terminal
    #expect(shown.hasPrefix("{") && !shown.contains("\u{1b}"), "\(shown)")
  }

  @Test func `a name cannot bring colours of its own`() throws {
    let name = "a\u{1b}[32mhealthy\u{1b}[m"
    let store = try directory.copy(Pair("overflow-p", in: directory).store, to: name)
    for (arguments, stream) in [
      (["inspect", store], Stream.output), (["audit", store], .output),
      (["merge", store, "--origin", directory.path(name + "2"), "--no-undo"], .errors),
    ] {
      let shown = try run(arguments, stream).terminal
      #expect(shown.contains("a\\x1b[32mhealthy\\x1b[m"), "\(shown)")
      #expect(!shown.contains("\u{1b}[32m"), "\(shown)")
    }
  }
}
