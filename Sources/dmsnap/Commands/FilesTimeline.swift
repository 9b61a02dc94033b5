import ArgumentParser
import BlockIO
import FileSystems
import Inputs
import SnapshotKit

/// `dmsnap files timeline`: files in the order of their first write.
struct FilesTimeline: ParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text, csv, jsonl, bodyfile
  }

  static let configuration = CommandConfiguration(
    commandName: "timeline",
    abstract: "Lists files in the order of their first write since the snapshot.",
    discussion: """
      Linux copied chunks to the store in the order of their first write. That is an order, not a \
      time, and covers only the first write of each chunk: a later one leaves no trace. text has a \
      line for each run of copies; csv and jsonl, as Timesketch reads them, and bodyfile have the \
      times of the files' inodes on both sides.
      """)

  @OptionGroup var input: StoreOptions
  @OptionGroup var originInput: OriginOptions
  @OptionGroup var place: PartitionOptions

  @Option(help: "Output format.")
  var format = Format.text

  @OptionGroup var messages: MessageOptions

  func validate() throws { try OriginOptions.require(originInput.origin, input.volumes) }

  func run() throws {
    let files = try FilesInput(input, originInput.origin, place, messages)
    let found = try FileTimeline(try files.bothFileSystems())
    let lines = LineWriter()
    switch format {
    case .text:
      try lines.write("first touched, in this order (not times); - = not in a file")
      try lines.write(
        "number".padding(to: 12) + "copied".padding(to: 15)
          + "old chunk → new chunk".padding(to: 29)
          + "path in the snapshot | in the origin, if different")
      for event in found.events { try lines.write(event.line) }
    case .csv:
      try lines.write("message,datetime,timestamp_desc,order,old_chunk,new_chunk,exceptions")
      for row in Self.rows(found) { try lines.write(row.csv) }
    case .jsonl: for row in Self.rows(found) { try lines.write(row.json) }
    case .bodyfile: for line in Self.bodies(found) { try lines.write(line) }
    }
    try lines.flush()
    found.damage.say()
    let hasUnknown = files.knownLosses(.snapshot).isAnyUnknown
    if hasUnknown {
      Console.say("dmsnap: exceptions are lost, or may be: what they say of the order is missing")
    }
    try files.finish(isWhole: found.damage.isEmpty && !hasUnknown)
  }

  /// One time of a file that was touched.
  private struct Row {
    let event: FileTimeline.Event
    let message: String
    let time: Timestamp
    let what: String

    var csv: String {
      let message = "\"" + message.replacing("\"", with: "\"\"") + "\""
      return "\(message),\(time.iso8601),\(what),\(event.order),\(event.oldChunk)"
        + ",\(event.newChunk),\(event.exceptionCount)"
    }

    var json: String {
      "{\"message\": \(quotedJSON(message)), \"datetime\": \"\(time.iso8601)\""
        + ", \"timestamp_desc\": \(quotedJSON(what)), \"order\": \(event.order)"
        + ", \"old_chunk\": \(event.oldChunk), \"new_chunk\": \(event.newChunk)"
        + ", \"exceptions\": \(event.exceptionCount)}"
    }
  }

  /// The times of each file, at its first write.
  private static func rows(_ found: FileTimeline) -> [Row] {
    var seen: [SnapshotFiles.Side: Set<FileID>] = [:]
    var rows: [Row] = []
    for event in found.events {
      for (side, owner) in [(SnapshotFiles.Side.snapshot, event.before), (.origin, event.after)] {
        guard let owner, seen[side, default: []].insert(owner.inode.id).inserted else { continue }
        let message = "\(owner.name): first touched as number \(event.order)"
        let times: [(Timestamp?, String)] = [
          (owner.inode.modified, "content modification"), (owner.inode.changed, "inode change"),
          (owner.inode.accessed, "last access"), (owner.inode.created, "creation"),
        ]
        for (time, what) in times {
          // A time of 0 is none: the file system has no such time, or it was never set.
          guard let time, time != Timestamp(seconds: 0) else { continue }
          rows.append(
            Row(event: event, message: message, time: time, what: "\(what) (\(side.rawValue))"))
        }
      }
    }
    return rows
  }

  private static func bodies(_ found: FileTimeline) -> [String] {
    var seen: [SnapshotFiles.Side: Set<FileID>] = [:]
    var lines: [String] = []
    for event in found.events {
      for (side, owner) in [(SnapshotFiles.Side.snapshot, event.before), (.origin, event.after)] {
        guard let owner, seen[side, default: []].insert(owner.inode.id).inserted else { continue }
        lines.append(
          FileLine(
            path: "\(owner.name) (\(side.rawValue))", inode: owner.inode, id: owner.inode.id,
            kind: owner.inode.kind, isDeleted: false, losses: nil, target: nil
          ).body)
      }
    }
    return lines
  }
}

extension FileTimeline.Owner {
  /// Its path, or its number.
  fileprivate var name: String { path ?? "<inode \(inode.id.number)>" }
}

extension FileTimeline.Event {
  fileprivate var line: String {
    let names = [before?.name, after?.name].map { $0 ?? "-" }
    let files = names[0] == names[1] ? names[0] : "\(names[0]) | \(names[1])"
    return "\(order)".padding(to: 11) + " " + counted(exceptionCount, "chunk").padding(to: 14)
      + " \(oldChunk) → \(newChunk)".padding(to: 28) + " " + files
  }
}
