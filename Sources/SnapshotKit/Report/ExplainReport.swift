/// `explain --format json`: the catalogue, or one entry of it.
///
///     {"schema": "dmsnap.explain.v1", "findings": [{"code", "severity", "title", "meaning",
///      "cause", "consequence", "remedy"}]}
public struct ExplainReport: Encodable, Sendable {
  let schema = "dmsnap.explain.v1"
  let findings: [Entry]

  struct Entry: Encodable {
    let code: String
    let severity: String
    let title: String
    let meaning: String
    let cause: String
    let consequence: String
    let remedy: String
  }

  /// The report of those codes.
  public init(_ codes: [FindingCode]) {
    findings = codes.map { code in
      let entry = code.entry
      return Entry(
        code: code.rawValue, severity: entry.severity.rawValue, title: entry.title,
        meaning: entry.meaning, cause: entry.cause, consequence: entry.consequence,
        remedy: entry.remedy)
    }
  }
}
