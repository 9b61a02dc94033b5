import ArgumentParser
import BlockIO
import FoundationEssentials
import SnapshotKit
import SystemPackage

/// Where to list placements.
struct EvidenceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Write the placements and their evidence as JSON lines: the bytes of the origin, the chunks,"
        + " strength and kinds.", valueName: "file"))
  var evidence: String?

  /// Writes the list, if it is asked for.
  func write(_ loaded: LoadedTable, _ level: PlacementLevel) throws {
    try prepare(loaded, level)?.publish()
  }

  /// The list, if it is asked for: it has its name only once it is published.
  func prepare(_ loaded: LoadedTable, _ level: PlacementLevel) throws -> OutputText? {
    guard let evidence else { return nil }
    let output = try OutputText(path: FilePath(evidence))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    for placement in loaded.placement.placements(level) {
      let line = try encoder.encode(PlacedReport(placement, loaded.geometry))
      try output.write(String(decoding: line, as: UTF8.self) + "\n")
    }
    return output
  }
}
