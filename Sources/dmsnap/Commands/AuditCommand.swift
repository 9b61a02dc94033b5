import ArgumentParser
import BlockIO
import Inputs
import SnapshotKit

/// `dmsnap audit`: every finding.
struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Lists every problem with a store, and everything else worth knowing.",
    discussion: """
      Given an origin, it also compares the data of every exception with it. Samples of the data \
      reveal blocks of zeroes that `dd conv=noerror,sync` leaves. `dmsnap explain CODE` describes \
      a finding. The status is that of inspect.
      """)

  @OptionGroup var input: StoreOptions

  @Option(help: "The origin, to check the store against.")
  var origin: PathArgument?

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func run() throws {
    let found = try StoreInput(input, origin: origin)
    let line = ProgressLine("comparing", messages)
    let audit = try found.auditor().audit(.data) { line.update($0, $1) }
    line.end()
    try found.requireUnchanged()
    switch format {
    case .json: try Console.print(json: AuditReport(audit), audit.failure)
    case .text:
      audit.placement.sayUnusedSiblings()
      try Console.print(lines: lines(of: audit))
    }
    try audit.finish()
  }

  private func lines(of audit: Audit) -> [ColouredLine] {
    let name = audit.store.source.name
    var lines = ["\(name): " + ColouredLine(audit.verdict.rawValue, audit.verdict.colour)]
    for finding in audit.findings {
      lines += ["", finding.line]
      lines += words(on: finding).map { ColouredLine($0) }
    }
    if !audit.findings.isEmpty {
      lines += ["", "dmsnap explain CODE says more about a finding."]
    } else if audit.isStore {
      lines.append("nothing was found")
    }
    return lines
  }

  /// The lines below a finding's line.
  private func words(on finding: Finding) -> [String] {
    var lines = "found \(finding.found); required: \(finding.required)".wrapped(indent: 9)
    if let place = finding.place.description { lines += "at \(place)".wrapped(indent: 9) }
    lines += finding.code.entry.consequence.wrapped(indent: 9)
    lines += "What to do: \(finding.code.entry.remedy)".wrapped(indent: 9)
    return lines
  }
}

extension Finding.Place {
  /// The place as text; nil for the store as a whole.
  fileprivate var description: String? {
    let parts = [
      area.map { "area \($0)" }, slot.map { "slot \($0)" },
      bytes.map { "byte \($0.lowerBound)" },
      oldChunk.flatMap { old in newChunk.map { "exception \(old) → \($0)" } },
    ].compactMap(\.self)
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }
}
