import ArgumentParser
import Inputs
import Serving
import SnapshotKit

/// `dmsnap recipe`: the commands by which the system's own tools use a snapshot.
struct RecipeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recipe",
    abstract: "Prints commands with which the system's own tools show the snapshot.",
    discussion: """
      The device mapper, loop devices, mount, qemu-nbd, lvm2: each with options that leave the \
      evidence unchanged. Nothing is run.
      """)

  @OptionGroup var input: StoreOptions
  @OptionGroup var originInput: OriginOptions

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func validate() throws { try OriginOptions.require(originInput.origin, input.volumes) }

  func run() throws {
    let found = try StoreInput(input, origin: originInput.origin)
    try found.volume?.warn(messages)
    let snapshot = Snapshot(try found.loadTable(), of: try found.requireOrigin())
    let check = try snapshot.checkOrigin()
    snapshot.warn(check, messages)
    let recipe = try Recipe(
      ServeRequest(input.names, origin: originInput.origin), snapshot,
      isVolume: found.isStoreVolume || found.originVolume != nil, words: words, quote: quoted)
    switch format {
    case .json: try Console.print(json: RecipeReport(recipe))
    case .text:
      var lines: [String] = []
      if let problem = recipe.problem { lines.append("# not by the device mapper: \(problem)") }
      for way in recipe.ways {
        if !lines.isEmpty { lines.append("") }
        lines.append("# \(way.name): \(way.title)")
        lines += way.commands
        if !way.ends.isEmpty { lines += ["# to end it:"] + way.ends }
      }
      try Console.print(lines: lines)
    }
    let losses = ResultCompleteness(snapshot, snapshot.view.knownLosses)
    try losses.finish(found.volume, check)
  }

  /// The words that name the snapshot.
  private var words: String {
    quoted(input.store.text) + (originInput.origin.map { " --origin \(quoted($0.text))" } ?? "")
      + input.table.words + input.volumes.words
  }
}

/// `recipe --format json`.
///
///     {"schema": "dmsnap.recipe.v1", "problem": null,
///      "ways": [{"name", "title", "commands": [], "ends": []}]}
private struct RecipeReport: Encodable {
  let schema = "dmsnap.recipe.v1"
  let ways: [Recipe.Way]
  @Nullable var problem: String?

  init(_ recipe: Recipe) { (ways, problem) = (recipe.ways, recipe.problem) }
}
