import Blkid
import BlockIO
import Inputs
import LVM2
import SnapshotFormat
import SnapshotKit

/// The text of `dmsnap inspect`: the kind of store, the likely cause, the prospect, the remedy.
struct InspectScreen {
  /// More findings than this would scroll the essentials away.
  private static let findingCountMax = 8

  private(set) var lines: [ColouredLine] = []
  private let audit: Audit
  private let diagnosis: Diagnosis?
  private let input: StoreOptions
  private let origin: PathArgument?
  private let volume: SnapshotVolume?

  private var check: OriginCheck? { audit.origin }

  init(
    _ audit: Audit, _ diagnosis: Diagnosis?, _ input: StoreOptions, _ origin: PathArgument?,
    _ volume: SnapshotVolume?
  ) {
    self.audit = audit
    self.diagnosis = diagnosis
    self.input = input
    self.origin = origin
    self.volume = volume
    addStore()
    if let content = audit.content { add("is", "\(content)") }
    if let undo = audit.store.undoDescription { add("is", undo) }
    if let content = check?.content.snapshot {
      add(
        "holds",
        content.type + (content.label.map { " \"\($0)\"" } ?? "")
          + (content.uuid.map { ", UUID \($0)" } ?? ""))
    }
    if let contradiction = check?.contradiction, let origin {
      add(wrapping: "origin", "\(origin.text) \(contradiction)")
    }
    addProspect()
    add("verdict", verdict)
    for finding in audit.findings.prefix(Self.findingCountMax) { add("", finding.line) }
    if audit.findings.count > Self.findingCountMax {
      add("", "and \(audit.findings.count - Self.findingCountMax) more kinds")
    }
    for (index, command) in next.enumerated() { add(index == 0 ? "next" : "", command) }
  }

  private mutating func add(_ label: String, _ value: String) { add(label, ColouredLine(value)) }

  private mutating func add(_ label: String, _ value: ColouredLine) {
    lines.append(label.padding(to: 9) + value)
  }

  private mutating func add(wrapping label: String, _ value: String) {
    for (index, line) in value.wrapped(indent: 9).enumerated() {
      add(index == 0 ? label : "", String(line.dropFirst(9)))
    }
  }

  // MARK: - What this is

  private mutating func addStore() {
    let source = audit.store.source
    add("store", "\(source.name), \(byteSize(source.byteCount)) (\(source.byteCount) bytes)")
    if let volume { add("volume", words(of: volume)) }
    add("header", header)
    if let map = input.table.map {
      let unread = source.knownUnreadable(in: 0..<source.byteCount).totalCount
      add("map", "\(map.text): \(byteSize(unread)) (\(unread) bytes) were not read")
    }
    if let evidence = audit.inferred.evidence, evidence.best != nil {
      for (index, line) in evidence.lines.enumerated() { add(index == 0 ? "chunks" : "", line) }
    }
    if let extent = audit.extent, let geometry = audit.geometry {
      add(
        "table",
        "\(counted(extent.exceptionCount, "exception")) in \(counted(extent.runCount, "run")),"
          + " \(counted(extent.areaCount, "area")), chunks of"
          + " \(byteSize(geometry.chunkSize.byteCount))")
      if diagnosis == nil, extent.exceptionCount > 0 {
        let lost = extent.exceptionCount - min(audit.usableCount, extent.exceptionCount)
        add(
          "usable",
          "\(audit.usableCount) exceptions (\(size(audit.usableCount)))"
            + (lost == 0 ? ", all of them" : ", \(lost) in doubt or lost"))
      }
    }
    if audit.isStore { add("Linux", kernel) }
    if audit.plan != nil, audit.unnamedCount > 0 {
      let (it, were) = audit.unnamedCount == 1 ? ("it", "was") : ("them", "were")
      add(
        "unnamed",
        "\(counted(audit.unnamedCount, "data chunk")) (\(size(audit.unnamedCount)))"
          + (audit.isUnnamedInDoubt
            ? " that no exception names; the snapshot may not have had \(it)"
            : " \(were) copied for the snapshot, but no exception names \(it)"))
      add("placed", audit.placement.words)
      if let reasons = audit.geometry.flatMap({ audit.placement.reasons($0) }) {
        add("unplaced", reasons)
      }
    }
  }

  private func words(of volume: SnapshotVolume) -> String {
    let (version, snapshot) = (volume.version, volume.snapshot)
    let older = version.seqno == volume.found.group.seqno ? "" : ", an older version"
    return "a snapshot of \(version.name)/\(snapshot.origin)"
      + (snapshot.isMerging ? ", being merged into it" : "")
      + "; chunks of \(snapshot.chunkSectors) sectors by version \(version.seqno) of the"
      + " metadata\(older)" + (volume.originError.map { "; \($0)" } ?? "")
  }

  private var header: String {
    guard let header = audit.store.header else { return "cannot be read" }
    guard header.hasMagic else {
      return header.magic == 0 ? "the magic is zero" : "no \"SnAp\" at byte 0"
    }
    let valid = header.valid == 0 ? "invalid" : "valid"
    return "\(valid), version \(header.version), chunks of \(header.chunkSectors) sectors"
  }

  private var kernel: ColouredLine {
    let load = audit.load
    return switch load.verdict {
    case .loads: "loads it; dmsetup status: \(load.status ?? "")\(fill(load))"
    case .invalid: "activates it, but fails every read: \(load.reason)"
    case .refuses: "refuses it: \(load.reason)"
    case .new: ColouredLine("WOULD FORMAT IT. Do not activate it", .alarming) + ": \(load.reason)"
    }
  }

  /// The fill of the store, by Linux.
  private func fill(_ load: KernelLoad) -> String {
    load.fill.map { " (\(Int($0 * 100)) % full)" } ?? ""
  }

  // MARK: - The cause, and what can be saved

  private mutating func addProspect() {
    if let diagnosis {
      add(wrapping: "cause", diagnosis.cause)
      let prospect = diagnosis.prospect
      add(
        "usable", "\(counted(prospect.usableCount, "exception")) (\(size(prospect.usableCount)))")
      if prospect.doubtfulCount > 0 {
        add("in doubt", "\(prospect.doubtfulCount) of them (\(size(prospect.doubtfulCount)))")
      }
      add("lost", lost(prospect))
      if let needed = neededOriginByteCount {
        add(
          wrapping: "origin",
          "it ends before the table does: a copy of it extended to \(needed) bytes keeps the"
            + " store's chunks past its end")
      }
      if let originState { add(wrapping: "origin", originState) }
    }
    if audit.generations.count > 1 || audit.generations.first?.isCurrent == false {
      for (index, generation) in audit.generations.enumerated() {
        add(
          index == 0 ? "tables" : "",
          "generation \(generation.index): \(counted(generation.exceptionCount, "exception")) in"
            + " \(counted(generation.areaCount, "area"))"
            + (generation.isCurrent ? ", the one in use" : ", older"))
      }
    }
  }

  /// Whether the origin of an invalid snapshot was written since; nil for other snapshots.
  private var originState: String? {
    guard audit.findings.contains(where: { $0.code == .headerInvalid }) else { return nil }
    guard let writes = check?.writes else {
      let hasOrigin = origin != nil || volume?.origin != nil
      return OriginWrites.unknownWords + (hasOrigin ? "" : " (--origin ORIGIN may show it)")
    }
    return "\(writes)"
  }

  /// The length of the origin that the table and the snapshot's file system require.
  private var neededOriginByteCount: UInt64? {
    audit.neededOriginByteCount.map { needed in
      // A superblock may hold any number.
      let byteCount = check?.fileSystemByteCount ?? 0
      return byteCount / 4 > needed ? needed : max(needed, byteCount)
    }
  }

  private func lost(_ prospect: Diagnosis.Prospect) -> String {
    if prospect.lostCount == 0 {
      if audit.neededOriginByteCount != nil { return "nothing in the store" }
      let codes = Set(audit.findings.map(\.code))
      if codes.contains(.dataUnreadable) { return "unread sectors of data" }
      if codes.contains(.storeTooShort) { return "parts of chunks at the store's end" }
      if codes.contains(.generationEndInDoubt) {
        return "unknown: data after the table may be the snapshot's"
      }
      if codes.contains(.mergeResidue) {
        return "nothing if it was merged, or never used; otherwise the table"
      }
      if codes.contains(.headerInvalid) { return "no copied data" }
      return prospect.isEndLost ? "unknown: the table once continued further" : "nothing"
    }
    return "up to \(counted(prospect.lostCount, "exception")) (\(size(prospect.lostCount)))"
      + (prospect.isEndLost ? ", and any that followed" : "")
  }

  private func size(_ exceptionCount: UInt64) -> String {
    let (byteCount, overflow) = exceptionCount.multipliedReportingOverflow(
      by: audit.geometry?.chunkSize.byteCount ?? 0)
    return overflow ? "2^64 bytes or more" : byteSize(byteCount)
  }

  private var verdict: ColouredLine {
    let counts = Severity.allCases.reversed().compactMap { severity -> String? in
      let count = audit.count(of: severity)
      return count == 0
        ? nil
        : severity == .damage
          ? "damage of \(counted(UInt64(count), "kind"))"
          : counted(UInt64(count), severity.rawValue)
    }
    // A sound store that is full overflows next.
    let isFull =
      audit.verdict == .healthy && audit.store.undoDescription == nil
      && audit.findings.contains { $0.code == .storeFull }
    let colour = isFull ? .doubtful : audit.verdict.colour
    return ColouredLine(audit.verdict.rawValue + (isFull ? ", but full" : ""), colour)
      + (counts.isEmpty ? "" : ": " + counts.joined(separator: ", "))
  }

  // MARK: - What to do

  /// The commands to run, the first one now.
  private var next: [String] {
    // The origin of a snapshot of a volume group is found again.
    let hasOrigin = origin == nil && volume != nil
    let origin = hasOrigin ? "" : " --origin \(originWords)"
    if audit.verdict == .notAStore, !input.volumes.physicalVolumes.isEmpty {
      return ["dmsnap lvm extract \(store)\(input.volumes.words) --to FILE"]
    }
    if audit.verdict == .notAStore {
      return partitions + [
        "dmsnap identify \(store)", "dmsnap carve \(store)   finds stores inside it",
      ]
    }
    if audit.store.isIncompleteUndo { return [] }
    if audit.verdict == .healthy, audit.store.undoDescription != nil {
      return ["dmsnap merge \(store)\(origin)\(options) --dry-run"]
    }
    let older =
      input.table.generation != nil
      ? []
      : audit.generations.dropFirst().map {
        "dmsnap export \(store)\(options) --generation \($0.index)\(origin) --to FILE"
      }
    if diagnosis == nil {
      return ["dmsnap export \(store)\(options)\(origin) --to FILE"] + older
    }
    let isFound = audit.usableCount > 0
    guard isFound else {
      return salvageOfUnnamed(origin)
        + ["dmsnap audit \(store)\(options)   shows each problem and its place"]
    }
    if let needed = neededOriginByteCount, let path = self.origin, check?.contradiction == nil,
      let byteCount = check?.originByteCount
    {
      return [
        path.copyCommand(byteCount: byteCount, to: "COPY"), "truncate --size \(needed) COPY",
        "dmsnap inspect \(store)\(options) --origin COPY",
      ]
    }
    let careful = audit.load.verdict == .new ? "   (do NOT activate it)" : ""
    let gaps = volume == nil ? audit.plan?.gaps ?? [] : []
    let mended = quoted(input.store.adding(gaps))
    // Orphans are looked for in the origin, and its files show the losses.
    let place = self.origin != nil && check?.contradiction == nil ? origin : ""
    let salvage = "dmsnap salvage \(store)\(options)\(place)"
    return [
      "\(salvage) --to NEW\(careful)",
      "dmsnap export \(store) --reading salvage\(options)\(origin) --to FILE",
    ]
      + (offersLikely
        ? ["\(salvage) --place likely --to NEW   uses the \(likelyWords) as well"]
        : [])
      + (gaps.isEmpty
        ? []
        : [
          "dmsnap inspect \(mended)\(options)   reads it as it was on the"
            + " medium"
        ])
      + older
  }

  /// The command for a store of which only chunks without exceptions are left.
  private func salvageOfUnnamed(_ origin: String) -> [String] {
    if audit.unnamedCount == 0 { return [] }
    let command = "dmsnap salvage \(store)\(options)"
    return offersLikely
      ? ["\(command)\(origin) --place likely --to NEW"]
      : ["\(command) --to NEW --format json   lists unnamed chunks"]
  }

  /// Whether places are likely that the commands would not use as they stand.
  private var offersLikely: Bool {
    audit.placement.likelyCount > 0 && input.table.placeAsked == nil
  }

  private var likelyWords: String {
    counted(audit.placement.likelyCount, "likely place")
  }

  /// The partitions of a disk that may be a store.
  private var partitions: [String] {
    guard case .disk(let table) = audit.content?.kind else { return [] }
    return table.partitions.filter { !$0.isExtended && $0.byteCount > 0 }.prefix(4).map {
      let part = input.store.part(from: $0.byteOffset, byteCount: $0.byteCount)
      return "dmsnap identify \(quoted(part))"
        + ($0.content?.signatures.first.map { "   \($0.type)" } ?? "")
    }
  }

  /// The origin to name; not one that is contradicted.
  private var originWords: String {
    switch check?.contradiction {
    case nil: (origin?.text).map(quoted) ?? "ORIGIN"
    case .disk(let partition): quoted(partition.path)
    case .store, .container, .otherContent, .noRelation: "ORIGIN"
    }
  }

  private var store: String { quoted(input.store.text) }

  /// The options as the user gave them, for commands to repeat.
  private var options: String {
    input.volumes.words + input.table.wordsWithoutReading
  }
}
