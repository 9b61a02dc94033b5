import ArgumentParser
import BlockIO
import SnapshotFormat
import SnapshotKit

/// `dmsnap diff`: where snapshot and origin really differ.
struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the byte ranges in which snapshot and origin really differ.",
    discussion: """
      Only chunks in the table are compared, sector by sector; an exception may hold nothing new. \
      Status 0 whether or not they differ.
      """)

  @OptionGroup var input: StoreOptions
  @OptionGroup var originInput: OriginOptions

  @Option(help: "text for people, json for programs.")
  var format = OutputFormat.text

  @OptionGroup var talk: TalkOptions

  func run() throws {
    let origin = try originInput.origin.open()
    let loaded = try input.loadTable(for: origin)
    loaded.warn(about: origin, talk)
    let view = SnapshotView(of: origin, through: loaded.table, of: loaded.store.source)
    let line = ProgressLine("compared", talk)
    let diff = try failing { () throws(BlockIOError) in
      try SnapshotDiff(view, origin) { line.update($0, $1) }
    }
    line.end()
    let losses = Losses(loaded, diff.lost, originByteCount: origin.byteCount)
    switch format {
    case .json:
      try Console.print(
        json: DiffReport(
          diff, lost: losses.ranges, chunkSectors: loaded.geometry.chunkSize.sectorCount))
    case .text:
      var lines = diff.changed.map { "\($0.lowerBound)".padding(to: 16) + "\($0.count)" }
      if !lines.isEmpty { lines.insert("byte offset     bytes", at: 0) }
      lines.append(
        "\(byteSize(diff.changedByteCount)) differ in \(counted(UInt64(diff.changed.count), "range"))"
          + "; the table holds \(byteSize(diff.sameByteCount)) that the origin holds too")
      try Console.print(lines.joined(separator: "\n"))
      losses.say()
    }
    try losses.finish()
  }
}
