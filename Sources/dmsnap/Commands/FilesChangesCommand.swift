import ArgumentParser
import BlockIO
import FileSystems
import Inputs
import SnapshotKit

/// `dmsnap files changes`: which files differ between snapshot and origin.
struct FilesChangesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "changes",
    abstract: "Lists the files that differ between a snapshot and its origin.",
    discussion: """
      The first line says which side is before: the snapshot, unless the snapshot has the latest \
      changes, as in an overlay; then it is the origin. + created, - deleted, M content, m mode, \
      owner, time or attributes only, R renamed, T another type. Only metadata and chunks in the \
      table are read: data at another location than before counts as changed, unless --content \
      compares it. The status is 0 whether or not there are differences, and 2 if anything is \
      damaged or lost.
      """)

  @OptionGroup var input: StoreOptions
  @OptionGroup var originInput: OriginOptions
  @OptionGroup var place: PartitionOptions

  @Option(
    help: "Which side is before; by default, the one without the latest changes.")
  var before: SnapshotFiles.Side?

  @Flag(help: "Compare the data, and leave out files with the same bytes.")
  var content = false

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func validate() throws { try OriginOptions.require(originInput.origin, input.volumes) }

  func run() throws {
    let files = try FilesInput(input, originInput.origin, place, messages)
    let line = ProgressLine("compared", messages)
    let found = try FileChanges(
      try files.bothFileSystems(), before: before, comparesContent: content
    ) {
      line.update($0, $1)
    }
    line.end()
    switch format {
    case .json: try Console.print(json: FilesChangesReport(found))
    case .text:
      let lines = LineWriter()
      try lines.write(
        "before: the \(found.before.rawValue); after: the \(found.before.other.rawValue)"
          + (before == nil && found.before == .origin ? ", whose files were changed last" : ""))
      for change in found.changes { try lines.write(change.line) }
      try lines.flush()
      if !messages.quiet { Console.say("dmsnap: " + Self.summary(found.changes)) }
    }
    let losses = SnapshotFiles.Side.allCases.map { files.knownLosses($0) }
    let isLost = losses.contains { !$0.ranges.isEmpty || $0.isAnyUnknown }
    found.damage.say()
    if isLost {
      Console.say("dmsnap: bytes of the snapshot are lost; there may be changes among them")
    }
    try files.finish(isWhole: found.damage.isEmpty && !isLost)
  }

  private static func summary(_ changes: [FileChange]) -> String {
    let counts = FileChange.Status.allCases.compactMap { status -> String? in
      let count = changes.count { $0.status == status }
      return count == 0 ? nil : "\(count) \(status.rawValue)"
    }
    let byteCount = changes.reduce(UInt64(0)) { $0 &+ $1.changedByteCount }
    return counts.isEmpty
      ? "no file differs" : counts.joined(separator: ", ") + "; \(byteSize(byteCount))"
  }
}

extension FileChange {
  /// It as a line: the letter, how many bytes differ, the path.
  fileprivate var line: String {
    let size = "\(changedByteCount)"
    return "\(status.letter) \(String(repeating: " ", count: max(12 - size.count, 0)))\(size) "
      + (from.map { "\($0) -> " } ?? "") + path
  }
}

extension [(side: SnapshotFiles.Side, damage: FileSystemDamage)] {
  /// Prints the unreadable ranges, to stderr.
  func say() {
    for (side, damage) in prefix(20) {
      Console.say("dmsnap: the \(side.rawValue)'s file system: \(damage.problem)")
    }
    if count > 20 { Console.say("dmsnap: and \(count - 20) more such lines") }
  }
}
