import ArgumentParser
import BlockIO
import Inputs
import SnapshotFormat
import SnapshotKit

/// `dmsnap table`: the exceptions of a store, in table order.
struct TableCommand: ParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text, csv, json, jsonl
  }

  static let configuration = CommandConfiguration(
    commandName: "table",
    abstract: "Prints the exception table: runs, or one exception per line.",
    discussion: """
      In table order: duplicates and top bytes are shown, not resolved. If Linux would not load \
      the store, the status is 4. The salvage reading shows what the evidence supports, with \
      status 2 if anything is lost.
      """)

  @OptionGroup var input: StoreOptions

  @Option(help: "Output format; json is one object, jsonl is one per line.")
  var format = Format.text

  @Flag(help: "Print one exception per line, not runs.")
  var expand = false

  @OptionGroup var messages: MessageOptions

  func run() throws {
    if input.table.reading == .salvage { return try printSalvaged() }
    let found = try StoreInput(input, origin: nil)
    try found.volume?.warn(messages)
    let store = found.store
    let (geometry, extent) = try store.requireLoadable(input.table.reading)
    var writer = TablePrinter(format, geometry, input.table.reading)
    try writer.begin()
    var run: ExceptionRun?
    let expand = expand  // read once: the option itself costs more than a line
    let walked = try StoreScanner(store.source, geometry).scan {
      (piece, exceptions) throws in
      for slot in 0..<piece.liveCount {
        let (old, new) = (exceptions[slot].oldChunk, exceptions[slot].newChunk)
        if !expand, run?.extend(old: old, new: new) == true { continue }
        if let run { try writer.write(run) }
        run = ExceptionRun(old: old, new: new, count: 1)
      }
    }
    if let run { try writer.write(run) }
    try wrapping(store.explained(table:), try walked.require(equals: extent))
    try found.requireUnchanged()
    try writer.end()
    try found.finish()
  }

  private func printSalvaged() throws {
    let found = try StoreInput(input, origin: nil)
    try found.volume?.warn(messages)
    let plan = try found.plan()
    let loaded = try found.loadTable(plan)
    let generation = try loaded.generation ?? plan.generation(input.table.generation ?? 0)
    var writer = TablePrinter(format, plan.geometry, .salvage)
    try writer.begin()
    for run in generation.runs {
      if !expand {
        try writer.write(run)
        continue
      }
      for within in 0..<run.count {
        try writer.write(ExceptionRun(old: run.old + within, new: run.new + within, count: 1))
      }
    }
    try found.requireUnchanged()
    try writer.end()
    if !messages.quiet {
      for finding in generation.findings where finding.severity != .note {
        Console.say("dmsnap: \(plan.store.source.name): " + finding.line)
      }
    }
    guard plan.isWhole(generation) else {
      throw Failure(
        .damage,
        "\(plan.store.source.name): exceptions, or what they name, are lost or in doubt")
    }
    try found.finish()
  }
}
