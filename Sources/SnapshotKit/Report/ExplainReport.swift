/// `explain --format json`: the catalogue, or one entry of it.
///
///     {"schema": "dmsnap.explain.v1", "findings": [{"code", "severity", "title", "meaning",
///      "cause", "consequence", "remedy"}], "refusals": [{"code", "title", "reason", "remedy"}],
///      "evidence": [{"kind", "strengths", "rule"}]}
public struct ExplainReport: Encodable, Sendable {
  let schema = "dmsnap.explain.v1"
  let findings: [Entry]
  let refusals: [Refusal]
  let evidence: [Kind]

  struct Kind: Encodable {
    let kind: String
    let strengths: [String]
    let rule: String
  }

  struct Entry: Encodable {
    let code: String
    let severity: String
    let title: String
    let meaning: String
    let cause: String
    let consequence: String
    let remedy: String
  }

  struct Refusal: Encodable {
    let code: String
    let title: String
    let reason: String
    let remedy: String
  }

  /// The report of those codes.
  public init(
    _ codes: [FindingCode], _ refusals: [MergeRefusalCode] = [], _ kinds: [Evidence.Kind] = []
  ) {
    evidence = kinds.map { kind in
      Kind(
        kind: kind.rawValue, strengths: kind.entry.strengths.map(\.rawValue), rule: kind.entry.rule)
    }
    self.refusals = refusals.map { code in
      let entry = code.entry
      return Refusal(
        code: code.rawValue, title: entry.title, reason: entry.reason, remedy: entry.remedy)
    }
    findings = codes.map { code in
      let entry = code.entry
      return Entry(
        code: code.rawValue, severity: entry.severity.rawValue, title: entry.title,
        meaning: entry.meaning, cause: entry.cause, consequence: entry.consequence,
        remedy: entry.remedy)
    }
  }
}
