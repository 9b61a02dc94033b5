import Foundation
import SnapshotKit
import Testing

/// What is generated from the code, and what the code promises of itself.
///
/// With DMSNAP_REGENERATE set, generated pages are written anew before they are compared.
@Suite struct DocumentationTests {
  @Test func `docs/findings.md is what the catalogue says`() throws {
    try check("docs/findings.md", Self.findingsPage())
  }

  @Test func `docs/refusals.md is what the catalogue says`() throws {
    try check("docs/refusals.md", Self.refusalsPage())
  }

  private func check(_ path: String, _ text: String) throws {
    let page = root.appending(path: path)
    if ProcessInfo.processInfo.environment["DMSNAP_REGENERATE"] != nil {
      try text.write(to: page, atomically: true, encoding: .utf8)
    }
    #expect(try String(contentsOf: page, encoding: .utf8) == text, "`make docs` writes it anew")
  }

  @Test func `every corpus case is in the corpus's README`() throws {
    let corpus = root.appending(path: "corpus")
    let readme = try String(contentsOf: corpus.appending(path: "README.md"), encoding: .utf8)
    let cases = try FileManager.default.contentsOfDirectory(atPath: corpus.path()).filter {
      FileManager.default.fileExists(atPath: corpus.appending(path: "\($0)/case.json").path())
    }
    #expect(cases.count >= 25)
    #expect(cases.filter { !readme.contains($0) } == [])
  }

  private static func refusalsPage() -> String {
    var text = """
      # Refusals

      Why a merge is not done; made from the catalogue by `make docs`; `dmsnap explain CODE` prints the
      same. The status is 4, and nothing was written to the origin.

      | code | what |
      |---|---|

      """
    for code in MergeRefusalCode.allCases {
      text += "| `\(code.rawValue)` | \(code.entry.title) |\n"
    }
    for code in MergeRefusalCode.allCases {
      text += """

        ## \(code.rawValue)

        \(code.entry.title.prefix(1).uppercased() + code.entry.title.dropFirst()).

        - **Reason.** \(code.entry.reason)
        - **Remedy.** \(code.entry.remedy)

        """
    }
    return text
  }

  private static func findingsPage() -> String {
    var text = """
      # Findings

      Made from the catalogue by `make docs`; `dmsnap explain CODE` prints the same.

      A *note* is worth knowing; a *warning* may be wrong or will be; *damage* is lost, in doubt, or
      out of Linux's reach.

      | code | severity | what |
      |---|---|---|

      """
    for code in FindingCode.allCases {
      text += "| `\(code.rawValue)` | \(code.entry.severity.rawValue) | \(code.entry.title) |\n"
    }
    for code in FindingCode.allCases {
      text += """

        ## \(code.rawValue)

        \(code.entry.title.prefix(1).uppercased() + code.entry.title.dropFirst()) \
        (\(code.entry.severity.rawValue)).

        - **Meaning.** \(code.entry.meaning)
        - **Cause.** \(code.entry.cause)
        - **Consequence.** \(code.entry.consequence)
        - **Remedy.** \(code.entry.remedy)

        """
    }
    return text
  }

  private var root: URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
  }

  /// The text of every Swift file under Sources, by its path there.
}
