import ArgumentParser
import BlockIO
import SnapshotFormat
import SnapshotKit

/// `dmsnap inspect`: one screen on a store.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says what a store is, what Linux would do with it, and what can be saved.",
    discussion: """
      The status is 0 for a healthy store, 1 when there are warnings only, 2 when there is damage, \
      3 when there is no store. Nothing is written.
      """)

  @OptionGroup var input: StoreOptions

  @Option(help: "The origin, to check the store against it and to see what the snapshot holds.")
  var origin: PathArgument?

  @Option(help: "text for people, json for programs.")
  var format = OutputFormat.text

  @OptionGroup var talk: TalkOptions

  func run() throws {
    let source = try input.store.open()
    let originSource = try origin?.open()
    let auditor = Auditor(Store(source), origin: originSource, reading: input.reading)
    var audit = auditor.audit()
    let content = try failingContent { () throws(ContentError) in
      try auditor.identifyContent(addingTo: &audit)
    }
    switch format {
    case .json: try Console.print(json: InspectReport(audit, content: content))
    case .text: try Console.print(Screen(audit, content, input, origin).text)
    }
    try audit.finish()
  }
}

extension Audit {
  /// Ends the command with the status that belongs to the verdict.
  func finish() throws(Failure) {
    switch verdict {
    case .notAStore: throw Failure(.noStore, StoreError.notAStore(store.source.name).description)
    case .damaged, .unusable: throw Failure(.damage)
    case .usable: throw Failure(.warnings)
    case .healthy: return
    }
  }
}

/// The text of `dmsnap inspect`.
private struct Screen {
  private(set) var text = ""

  init(
    _ audit: Audit, _ content: ContentIdentity?, _ input: StoreOptions, _ origin: PathArgument?
  ) {
    let source = audit.store.source
    add("store", "\(source.name), \(byteSize(source.byteCount)) (\(source.byteCount) bytes)")
    add("header", headerText(audit.store))
    if let extent = audit.extent, let geometry = audit.geometry {
      add(
        "table",
        "\(counted(extent.exceptionCount, "exception")) in \(counted(extent.runCount, "run")),"
          + " \(counted(extent.areaCount, "area")), chunks of"
          + " \(byteSize(geometry.chunkSize.byteCount))")
      if extent.exceptionCount > 0 {
        let lost = extent.exceptionCount - min(audit.usableCount, extent.exceptionCount)
        let usable = byteSize(audit.usableCount * geometry.chunkSize.byteCount)
        add(
          "usable",
          "\(audit.usableCount) exceptions (\(usable))"
            + (lost == 0 ? ", all of them" : ", \(lost) in doubt or lost"))
      }
    }
    if audit.isStore { add("Linux", kernelText(audit.load)) }
    if let undo = UndoStore.description(of: source) { add("is", undo) }
    if let content {
      add(
        "holds",
        content.type + (content.label.map { " \"\($0)\"" } ?? "")
          + (content.uuid.map { ", UUID \($0)" } ?? ""))
    }
    add("verdict", verdictText(audit))
    for finding in audit.findings.prefix(8) { add("", finding.line) }
    if audit.findings.count > 8 { add("", "and \(audit.findings.count - 8) more kinds") }
    add("next", next(audit, input, origin))
    text.removeLast()
  }

  private mutating func add(_ label: String, _ value: String) {
    text += label.padding(to: 9) + value + "\n"
  }

  private func headerText(_ store: Store) -> String {
    guard let header = store.header else { return "cannot be read" }
    guard header.hasMagic else {
      return header.magic == 0 ? "the magic is zero" : "no \"SnAp\" at byte 0"
    }
    let valid = header.valid == 0 ? "invalid" : "valid"
    return "\(valid), version \(header.version), chunks of \(header.chunkSectors) sectors"
  }

  private func kernelText(_ load: KernelLoad) -> String {
    switch load.verdict {
    case .loads: "loads it; dmsetup status: \(load.status ?? "")\(fill(load))"
    case .invalid: "activates it, but fails every read: \(load.reason)"
    case .refuses: "refuses it: \(load.reason)"
    case .new: "WOULD FORMAT IT. Do not activate it: \(load.reason)"
    }
  }

  /// How full the store is to Linux, which a wild new chunk can make any number at all.
  private func fill(_ load: KernelLoad) -> String {
    guard let parts = load.status?.split(whereSeparator: { $0 == "/" || $0 == " " }),
      let allocated = UInt64(parts[0]), let total = UInt64(parts[1]), total >= allocated
    else { return "" }
    return " (\(Int(Double(allocated) / Double(total) * 100)) % full)"
  }

  private func verdictText(_ audit: Audit) -> String {
    let counts = Severity.allCases.reversed().compactMap { severity -> String? in
      let count = audit.count(of: severity)
      return count == 0
        ? nil
        : severity == .damage
          ? "damage of \(counted(UInt64(count), "kind"))"
          : counted(UInt64(count), severity.rawValue)
    }
    return audit.verdict.rawValue + (counts.isEmpty ? "" : ": " + counts.joined(separator: ", "))
  }

  private func next(_ audit: Audit, _ input: StoreOptions, _ origin: PathArgument?) -> String {
    let store = audit.store.source.name
    let originPath = origin?.text ?? "ORIGIN"
    if audit.verdict == .healthy, UndoStore.description(of: audit.store.source) != nil {
      return "dmsnap merge \(store) --origin \(originPath) --dry-run"
    }
    // An empty table before areas of exceptions: perhaps area 0 was erased, and nothing must be
    // written to the store until that is clear.
    if audit.extent?.exceptionCount == 0, let past = audit.findings.first(where: \.code.isPast) {
      return "copy the store before anything else; dmsnap explain \(past.code.rawValue)"
    }
    switch audit.verdict {
    case .notAStore: return "dmsnap identify \(store)"
    case .healthy, .usable:
      return "dmsnap export \(store) --origin \(originPath) --to FILE"
    case .damaged, .unusable:
      return "dmsnap audit \(store)" + (origin.map { " --origin \($0.text)" } ?? "")
    }
  }
}

extension FindingCode {
  /// Whether it speaks of what a store held before.
  fileprivate var isPast: Bool { self == .areaStale || self == .mergeResidue }
}

extension Finding {
  /// The finding in a line.
  var line: String {
    let times = count > 1 ? " (\(count) times)" : ""
    return "\(severity.rawValue.padding(to: 8)) \(code.rawValue): \(code.entry.title)\(times)"
  }
}
