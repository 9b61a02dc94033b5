import ArgumentParser
import SnapshotKit

/// `dmsnap explain`: what a finding means.
struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Explains a finding in full, or lists all there are.")

  @Argument(help: "The finding's code, such as header.invalid.")
  var code: String?

  @Option(help: "text for people, json for programs.")
  var format = OutputFormat.text

  func validate() throws {
    if let code, FindingCode(rawValue: code) == nil {
      throw ValidationError("no finding has the code '\(code)': `dmsnap explain` lists them")
    }
  }

  func run() throws {
    guard let finding = code.flatMap(FindingCode.init(rawValue:)) else {
      switch format {
      case .json: try Console.print(json: ExplainReport(FindingCode.allCases))
      case .text:
        let lines = FindingCode.allCases.map {
          "\($0.rawValue.padding(to: 32))\($0.entry.severity.rawValue.padding(to: 9))"
            + $0.entry.title
        }
        try Console.print(lines.joined(separator: "\n"))
      }
      return
    }
    switch format {
    case .json: try Console.print(json: ExplainReport([finding]))
    case .text:
      let entry = finding.entry
      let parts = [
        ("meaning", entry.meaning), ("cause", entry.cause), ("consequence", entry.consequence),
        ("remedy", entry.remedy),
      ]
      let text = parts.map { label, words in
        "\n" + label.padding(to: 13) + words.wrapped(indent: 13).dropFirst(13)
      }
      let title = "\(finding.rawValue) (\(entry.severity.rawValue)): \(entry.title)"
      try Console.print(([title] + text).joined(separator: "\n"))
    }
  }
}
