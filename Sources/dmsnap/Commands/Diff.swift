import ArgumentParser
import BlockIO
import Inputs
import SnapshotFormat
import SnapshotKit

/// `dmsnap diff`: where snapshot and origin really differ.
struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the byte ranges in which snapshot and origin differ.",
    discussion: """
      Only chunks in the table are compared, sector by sector; an exception may hold the same \
      data. The status is 0 whether or not there are differences, 1 if the origin is in doubt, and \
      2 if data is lost.
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
    let origin = try found.requireOrigin()
    let snapshot = Snapshot(try found.loadTable(), of: origin)
    let check = try snapshot.checkOrigin()
    snapshot.warn(check, messages)
    let line = ProgressLine("compared", messages)
    let ranges = try RangeList(format)
    let diff = try snapshot.diff {
      line.update($0, $1)
    } visit: { (range) throws(BlockIOError) in
      try ranges.add(range)
    }
    line.end()
    try found.requireUnchanged()
    let losses = ResultCompleteness(snapshot, diff.lost)
    switch format {
    case .json:
      let report = DiffReport(
        diff, lost: losses.ranges, chunkSectors: snapshot.loaded.geometry.chunkSize.sectorCount)
      try Console.print(json: report, listing: DiffReport.changedKey, ranges.text)
    case .text:
      try ranges.text.copy(to: .standardOutput)
      try Console.print(
        "\(byteSize(diff.changedByteCount)) differ in \(counted(diff.changedRangeCount, "range"));"
          + " \(byteSize(diff.sameByteCount)) in the table are the same as in the origin")
      losses.say()
    }
    try losses.finish(found.volume, check)
  }
}

/// The ranges that differ, as they will be printed, in a file without a name.
///
/// There may be more than fit in memory, and nothing is printed unless all went well.
private final class RangeList {
  let text: OutputText
  private let format: OutputFormat
  private var isFirst = true

  init(_ format: OutputFormat) throws(BlockIOError) {
    self.format = format
    text = try OutputText.temporary()
  }

  func add(_ range: Range<UInt64>) throws(BlockIOError) {
    switch format {
    case .json:
      try text.write(
        (isFirst ? "" : ",\n")
          + "    {\"byteOffset\" : \(range.lowerBound), \"byteCount\" : \(range.count)}")
    case .text:
      if isFirst { try text.write("byte offset     bytes\n") }
      try text.write("\(range.lowerBound)".padding(to: 15) + " \(range.count)\n")
    }
    isFirst = false
  }
}
