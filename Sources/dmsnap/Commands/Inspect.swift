import ArgumentParser
import BlockIO
import Inputs
import SnapshotFormat
import SnapshotKit

/// `dmsnap inspect`: one screen on a store.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows what a store is, what Linux would do with it, and what is recoverable.",
    discussion: """
      The status is 0 for a healthy store, 1 for warnings only, 2 for damage, 3 for no store. \
      Nothing is written.
      """)

  @OptionGroup var input: StoreOptions
  @OptionGroup var wanted: WantedOptions

  @Option(help: "The origin, to check the store against and to identify the snapshot's content.")
  var origin: PathArgument?

  @Flag(
    help: "List every affected file, with no limit on the number of files.")
  var files = false

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func run() throws {
    try wanted.check(input.volumes)
    let found = try StoreInput(input, origin: origin)
    let audit = try found.auditor().audit(.content)
    if wanted.wanted != nil {
      let plan = try found.plan()
      let generation = try plan.generation(input.table.generation ?? 0)
      try wanted.write(plan, generation, of: input.store)
    }
    if let asked = input.table.generation, asked > 0, asked >= audit.generations.count {
      throw found.store.explained(
        .noGeneration(found.store.source.name, asked, count: audit.generations.count))
    }
    let losses = try lostFiles(audit, found.origin)
    try found.requireUnchanged()
    switch format {
    case .json:
      try Console.print(
        json: InspectReport(audit, content: audit.origin?.content.snapshot, losses?.found),
        audit.failure,
        taken: ["store"])
    case .text:
      audit.placement.sayUnusedSiblings()
      try Console.print(
        lines: InspectScreen(audit, Diagnosis(audit), input, origin, found.volume)
          .lines + (losses?.lines(isComplete: files) ?? []))
    }
    try audit.finish()
    if losses?.found?.contains(where: { !$0.isNone }) == true { throw Failure(.warnings) }
  }

  /// If there are more files, they are looked at only if that is asked for: some ten seconds.
  private static let fileCountMax = 1 << 20

  /// The files that losses are in; nil if nothing is lost, or the origin is another.
  private func lostFiles(
    _ audit: Audit, _ origin: (any BlockSource)?
  ) throws -> LostFiles.Search? {
    guard let origin, audit.origin?.contradiction == nil,
      let snapshot = audit.salvaged(
        of: origin, input.table.place, isOlderWanted: files || input.table.reading == .salvage)
    else { return nil }
    return try LostFiles.search(snapshot, fileCountMax: files ? .max : Self.fileCountMax)
  }
}

extension Audit {
  /// The failure to report on something that is no store; nil for a store.
  var failure: StoreError? {
    verdict == .notAStore ? store.explained(.notAStore(store.source.name, content)) : nil
  }

  /// Ends the command with the verdict's status.
  func finish() throws {
    if let failure { throw failure }
    switch verdict {
    case .damaged, .unusable: throw Failure(.damage)
    case .usable: throw Failure(.warnings)
    case .healthy, .notAStore: return
    }
  }
}
