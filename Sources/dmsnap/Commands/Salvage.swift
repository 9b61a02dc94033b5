import ArgumentParser
import BlockIO
import Inputs
import SnapshotFormat
import SnapshotKit
import SystemPackage

/// `dmsnap salvage`: a new, valid store from a broken one.
struct Salvage: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes a new, valid store from the rest of a broken one.",
    discussion: """
      The new store is compact and has only the exceptions that the evidence supports; Linux loads \
      it over the same origin. Every decision is reported. The status is 2 if anything is lost. \
      The new store has no spare room: enlarge it (truncate --size) before you activate a \
      snapshot on it for writing, or write to its origin.
      """)

  @OptionGroup var input: StoreOptions
  @OptionGroup var wanted: WantedOptions
  @OptionGroup var list: EvidenceOptions

  @Option(
    help: ArgumentHelp("The store to make. An existing file is refused.", valueName: "file"))
  var to: String

  @Option(help: "The origin; losses past its end are not listed.")
  var origin: PathArgument?

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func validate() throws {
    if to.isEmpty { throw ValidationError("an output needs a name") }
    if to == "-" { throw ValidationError("salvage does not write to stdout; name a new file") }
    if input.table.reading != .salvage, input.table.readingAsked != nil {
      throw ValidationError("salvage always uses the salvage reading")
    }
  }

  func run() throws {
    try OutputPaths.check(
      [("--to", to), ("--wanted", wanted.wanted), ("--evidence", list.evidence)])
    try wanted.check(input.volumes)
    let found = try StoreInput(input, origin: origin)
    try found.volume?.warn(messages)
    let plan = try found.plan()
    let index = input.table.generation ?? 0
    let loaded = try found.loadTable(plan)
    let generation = try loaded.generation ?? plan.generation(index)
    let originByteCount = found.origin?.byteCount ?? .max
    try warn(loaded, found.origin)
    let writer = StoreWriter(loaded)
    let line = ProgressLine("written", messages)
    let output = try OutputFile(path: FilePath(to), byteCount: writer.byteCount)
    let unreadable = try writer.write(to: output) { line.update($0, $1) }
    try output.publish()
    line.end()
    try list.write(loaded, input.table.place)
    try wanted.write(plan, generation, of: input.store, lost: unreadable)
    let losses = ResultCompleteness(loaded, unreadable, originByteCount: originByteCount)
    let snapshot = found.origin.map { Snapshot(loaded, of: $0) }
    let files =
      losses.isEmpty ? nil : try snapshot.map { try LostFiles.search($0, unread: unreadable) }
    switch format {
    case .json:
      try Console.print(
        json: SalvageReport(
          plan, generation, loaded.placement, input.table.place,
          byteCount: writer.byteCount, lost: losses.ranges, isComplete: losses.isEmpty,
          files: files?.found))
    case .text:
      if !messages.quiet {
        try Console.print(
          lines: lines(
            plan, generation, loaded.placement, writer, found, hasZeroes: !unreadable.isEmpty,
            isComplete: unreadable.isEmpty ? losses.isEmpty : loaded.isComplete))
      }
      losses.say()
      files?.say()
    }
    try losses.finish(found.volume)
  }

  /// Reports contradictions to the origin, and losses in the store of an invalid snapshot.
  private func warn(_ loaded: LoadedTable, _ origin: (any BlockSource)?) throws {
    if messages.quiet { return }
    var check: OriginCheck?
    if let origin {
      check = try Snapshot(loaded, of: origin).checkOrigin()
    }
    if let origin, let contradiction = check?.contradiction {
      Console.say("dmsnap: \(origin.name): \(contradiction)")
    }
    loaded.warnIfInvalid(check)
  }

  private func lines(
    _ plan: SalvagePlan, _ generation: Generation, _ placement: PlacementPlan,
    _ writer: StoreWriter, _ found: StoreInput, hasZeroes: Bool, isComplete: Bool
  ) -> [ColouredLine] {
    let size = plan.geometry.chunkSize
    var lines = plan.inferred.evidence?.lines.map { ColouredLine($0) } ?? []
    if !generation.isCurrent {
      lines.append("the table in use is empty or lost: this is an older one")
    }
    if plan.generations.count > 1 {
      lines.append("generation \(generation.index) of \(plan.generations.count)")
    }
    lines.append(
      "kept     \(counted(generation.exceptionCount, "exception"))"
        + " (\(byteSize(generation.exceptionCount * size.byteCount)))")
    if placement.orphanCount > 0 {
      lines.append("placed   " + ColouredLine(placement.words))
      if let reasons = placement.reasons(plan.geometry) {
        lines.append("unplaced " + ColouredLine(reasons))
      }
    }
    lines += generation.findings.filter { $0.severity != .note }.map(\.line)
    lines.append(
      "\(to): a valid store of \(byteSize(writer.byteCount)) with"
        + " \(counted(generation.exceptionCount, "exception"))")
    if hasZeroes {
      lines.append(
        "         unreadable data is zero in it, and not marked: keep this list")
    }
    if !isComplete {
      lines.append("         what is lost or in doubt is not recorded in it: keep this report")
    }
    let origin = origin?.text ?? found.originVolume?.text
    lines.append(
      "next     dmsnap export \(quoted(to)) --origin \(origin.map(quoted) ?? "ORIGIN")"
        + "\(input.volumes.words) --to FILE")
    return lines
  }
}

extension ChunkSizeEvidence {
  /// The score table, as text.
  var lines: [String] {
    let found = scores.filter { $0.exceptionCount > 0 }
    if found.isEmpty { return ["chunk size: no chunk size has areas in their places"] }
    return ["chunk size       areas   exceptions in their place"]
      + found.map { score in
        "\(score.chunkSize.sectorCount) sectors".padding(to: 16)
          + " \(score.areaCount)".padding(to: 8) + " \(score.exceptionCount)"
          + (score == best ? "   ← taken" : score == rival ? "   ← the next best" : "")
      }
  }
}
