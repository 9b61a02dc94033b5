import SnapshotKit
import Testing

/// Every kind of finding has a stable code, and everything that a person needs to know of it.
@Suite struct FindingCatalogueTests {
  @Test(arguments: FindingCode.allCases)
  func `each code says everything in sentences`(code: FindingCode) {
    let entry = code.entry
    #expect(!entry.title.isEmpty && !entry.title.hasSuffix("."))
    #expect(entry.title.first?.isUppercase == false || entry.title.hasPrefix("Linux"))
    for text in [entry.meaning, entry.cause, entry.consequence, entry.remedy] {
      #expect(text.hasSuffix("."), "\(text)")
      #expect(!text.contains("  "), "\(text)")
    }
  }

  @Test(arguments: FindingCode.allCases)
  func `a code is a group and a name`(code: FindingCode) {
    let parts = code.rawValue.split(separator: ".")
    #expect(parts.count == 2)
    let groups = [
      "header", "store", "area", "exception", "generation", "data", "merge", "context",
      "lvm",
    ]
    #expect(groups.contains(parts.first.map(String.init) ?? ""))
    #expect(code.rawValue.allSatisfy { $0.isLowercase || $0 == "." || $0 == "-" })
  }

  @Test func `no two kinds have the same title`() {
    #expect(Set(FindingCode.allCases.map(\.entry.title)).count == FindingCode.allCases.count)
  }
}
