import ArgumentParser
import SnapshotKit

/// `dmsnap explain`: the meaning of a finding, or the reason for a refusal.
struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Explains a finding, a refusal, or placement in full, or lists them all.")

  @Argument(help: "The code, such as header.invalid or merge.small-origin; or placement.")
  var code: String?

  @Option(help: "Output format.")
  var format = OutputFormat.text

  func validate() throws {
    if let code, code != Self.placement, FindingCode(rawValue: code) == nil,
      MergeRefusalCode(rawValue: code) == nil
    {
      throw ValidationError("no finding has the code '\(code)': `dmsnap explain` lists them")
    }
  }

  func run() throws {
    let finding = code.flatMap(FindingCode.init(rawValue:))
    let refusal = code.flatMap(MergeRefusalCode.init(rawValue:))
    switch format {
    case .json:
      let isAll = code == nil
      try Console.print(
        json: ExplainReport(
          isAll ? FindingCode.allCases : [finding].compactMap(\.self),
          isAll ? MergeRefusalCode.allCases : [refusal].compactMap(\.self),
          isAll || code == Self.placement ? Evidence.Kind.allCases : []))
    case .text:
      try Console.print(
        lines: finding?.page ?? refusal?.page ?? (code == nil ? Self.list : Self.placementPage))
    }
  }

  /// The subject that is explained beside findings and refusals.
  private static let placement = "placement"

  private static var placementPage: [String] {
    ["placement: how dmsnap places data chunks that no exception names"]
      + section("proven", PlacementLevel.proven.rule)
      + section("likely", PlacementLevel.likely.rule)
      + Evidence.Kind.allCases.flatMap { kind in
        [""] + [
          "\(kind.rawValue) (\(kind.entry.strengths.map(\.rawValue).joined(separator: ", ")))"
        ]
          + kind.entry.rule.wrapped(indent: 13)
      }
  }

  private static var list: [String] {
    FindingCode.allCases.map {
      "\($0.rawValue.padding(to: 32))\($0.entry.severity.rawValue.padding(to: 9))" + $0.entry.title
    }
      + MergeRefusalCode.allCases.map {
        "\($0.rawValue.padding(to: 32))\("refused".padding(to: 9))" + $0.entry.title
      }
      + [placement.padding(to: 41) + "how dmsnap places data chunks that no exception names"]
  }
}

extension FindingCode {
  /// Its entry as text.
  fileprivate var page: [String] {
    ["\(rawValue) (\(entry.severity.rawValue)): \(entry.title)"]
      + section("meaning", entry.meaning) + section("cause", entry.cause)
      + section("consequence", entry.consequence) + section("remedy", entry.remedy)
  }
}

extension MergeRefusalCode {
  /// Its entry as text.
  fileprivate var page: [String] {
    ["\(rawValue) (refused): \(entry.title)"]
      + section("reason", entry.reason) + section("remedy", entry.remedy)
  }
}

/// A paragraph after its label.
private func section(_ label: String, _ words: String) -> [String] {
  let lines = words.wrapped(indent: 13)
  return ["", label.padding(to: 13) + (lines.first ?? "").dropFirst(13)] + lines.dropFirst()
}
