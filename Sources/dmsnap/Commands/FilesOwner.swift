import ArgumentParser
import BlockIO
import FileSystems
import Inputs
import SnapshotKit

/// `dmsnap files owner`: which files own some bytes.
struct FilesOwner: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "owner",
    abstract: "Lists the files that own given bytes, in the snapshot and in the origin.",
    discussion: """
      Bytes that no file owns are listed as free, where content of deleted files may lie, or as a \
      structure of the file system. The status is 2 if anything that the answer depends on is \
      damaged or lost, or if --lost, --doubtful or --unnamed cannot list existing losses because \
      the reading is a kernel's; and 3 if there are no such bytes.
      """)

  @OptionGroup var input: StoreOptions
  @OptionGroup var originInput: OriginOptions
  @OptionGroup var place: PartitionOptions

  @Option(
    help: ArgumentHelp("The byte of the snapshot; K, M, G count in 1024s.", valueName: "bytes"))
  var offset: ByteCountArgument?

  @Option(help: ArgumentHelp("The chunk of the origin.", valueName: "old"))
  var chunk: UInt64?

  @Option(help: ArgumentHelp("The chunk of the store.", valueName: "new"))
  var new: UInt64?

  @Flag(help: "The snapshot's lost bytes.")
  var lost = false

  @Flag(
    help: ArgumentHelp(
      "Bytes that may be lost: bytes written, if it is undetermined which exceptions are lost; and"
        + " bytes that rest on likely evidence."))
  var doubtful = false

  @Flag(
    help: ArgumentHelp(
      "The bytes of data chunks that no exception names, if their place is known; in the salvage"
        + " reading."))
  var unnamed = false

  @Flag(help: "Bytes that differ between snapshot and origin.")
  var changed = false

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func validate() throws {
    try OriginOptions.require(originInput.origin, input.volumes)
    let count =
      [offset?.byteCount, chunk, new].count { $0 != nil }
      + [lost, doubtful, unnamed, changed].count { $0 }
    guard count == 1 else {
      throw ValidationError(
        "exactly one of --offset, --chunk, --new, --lost, --doubtful, --unnamed and --changed is"
          + " required")
    }
  }

  func run() throws {
    let files = try FilesInput(input, originInput.origin, place, messages)
    let both = try files.bothFileSystems()
    let losses = lost || doubtful || unnamed ? try files.losses(.snapshot) : nil
    let ranges = try ranges(files, losses)
    let found = try FileOwners(of: ranges, in: both)
    switch format {
    case .json: try Console.print(json: FilesOwnerReport(found))
    case .text: try Console.print(lines: lines(found))
    }
    found.damage.say()
    let hasUnknown = losses?.isAnyUnknown == true
    if let losses { files.sayUnknown(losses) }
    let hidesLosses = losses != nil ? try files.hidesLosses() : false
    if hidesLosses {
      Console.say(
        "dmsnap: \(files.snapshot.view.name): has losses that Linux's view does not show; --reading"
          + " salvage lists them")
    }
    try files.finish(isWhole: found.damage.isEmpty && !hasUnknown && !hidesLosses)
  }

  /// The bytes that are asked for.
  private func ranges(
    _ files: FilesInput, _ losses: FileLosses?
  ) throws -> [Range<UInt64>] {
    let snapshot = files.snapshot
    let name = snapshot.view.name
    /// Bytes that are named one by one must be in the file system, at least in part.
    func within(_ bytes: Range<UInt64>, _ what: String) throws -> [Range<UInt64>] {
      if files.part.inside([bytes]).isEmpty {
        throw Failure(.noStore, "\(name): \(what) is not in \(files.part.title)")
      }
      return [bytes]
    }
    if let offset = offset?.byteCount {
      guard offset < snapshot.view.byteCount else {
        throw Failure(.noStore, "\(name): it has no byte \(offset)")
      }
      return try within(offset..<offset + 1, "byte \(offset)")
    }
    if let chunk = try chunk ?? oldChunk(snapshot) {
      guard let bytes = snapshot.bytes(ofOld: chunk) else {
        throw Failure(.noStore, "\(name): it has no chunk \(chunk)")
      }
      return try within(bytes, "chunk \(chunk)")
    }
    if lost || doubtful, let losses {
      let ranges = lost ? losses.ranges : losses.doubtful + losses.likely
      return files.part.outside(ranges)
    }
    if unnamed {
      let (known, unknownCount) = snapshot.unnamedRanges
      if unknownCount > 0 {
        Console.say(
          "dmsnap: \(name): the places of \(counted(unknownCount, "unnamed chunk")) are unknown")
      }
      return known
    }
    var ranges: [Range<UInt64>] = []
    let line = ProgressLine("compared", messages)
    _ = try snapshot.diff {
      line.update($0, $1)
    } visit: {
      ranges.append($0)
    }
    line.end()
    return ranges
  }

  private func oldChunk(_ snapshot: Snapshot) throws -> UInt64? {
    guard let new else { return nil }
    guard let old = snapshot.oldChunk(atNew: new) else {
      throw Failure(.noStore, "\(snapshot.view.name): no exception names chunk \(new) of the store")
    }
    return old
  }

  private func lines(_ found: FileOwners) -> [String] {
    var lines = [
      "\(byteSize(found.ranges.totalCount)) in \(counted(UInt64(found.ranges.count), "range"))"
    ]
    for side in SnapshotFiles.Side.allCases {
      for owner in found.owners where owner.side == side {
        let outside = owner.contentByteCount + owner.structureByteCount
        let size = "\(outside + owner.inlineByteCount)"
        let paths =
          (owner.paths.isEmpty
            ? "<inode \(owner.id.number)>" : owner.paths.joined(separator: " = "))
          + (outside == 0 ? " (in its inode)" : "")
        lines.append(Self.line(side, size, paths))
      }
      for (what, byteCount, first) in Self.kinds(found.unowned.filter { $0.side == side }) {
        lines.append(Self.line(side, "\(byteCount)", "(\(what), from byte \(first) on)"))
      }
    }
    return lines
  }

  private static func line(_ side: SnapshotFiles.Side, _ size: String, _ what: String) -> String {
    side.rawValue.padding(to: 9) + String(repeating: " ", count: max(12 - size.count, 0)) + size
      + " " + what
  }

  /// Bytes that no file owns, by kind: how many, and where the first are.
  private static func kinds(
    _ unowned: [FileOwners.Unowned]
  ) -> [(what: String, byteCount: UInt64, first: UInt64)] {
    var kinds: [(what: String, byteCount: UInt64, first: UInt64)] = []
    var places: [String: Int] = [:]
    for piece in unowned {
      let (what, count) = (piece.what ?? "of no file", UInt64(piece.bytes.count))
      if let place = places[what] {
        kinds[place].byteCount += count
      } else {
        places[what] = kinds.count
        kinds.append((what, count, piece.bytes.lowerBound))
      }
    }
    return kinds
  }
}

/// `dmsnap files extents`: where a file of the snapshot lies.
struct FilesExtents: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extents",
    abstract: "Shows where the bytes of a file lie in the snapshot and in the store.",
    discussion: """
      Each line is a run of consecutive bytes of the file: their place in the snapshot, the chunk \
      of the origin, and the chunk and byte of the store, or - where the origin's own bytes show. \
      The lines of its map and attributes come last. Lost bytes are marked, and the status is 2.
      """)

  @OptionGroup var input: StoreOptions

  @Argument(help: "The file.")
  var path: String

  @OptionGroup var originInput: OriginOptions
  @OptionGroup var place: PartitionOptions

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func validate() throws { try OriginOptions.require(originInput.origin, input.volumes) }

  func run() throws {
    let files = try FilesInput(input, originInput.origin, place, messages)
    let fileSystem = try files.fileSystem(.snapshot)
    let file = try FileTree(fileSystem).find(path)
    let losses = try files.losses(.snapshot)
    let found = try FileExceptions(
      of: file.inode, in: fileSystem, of: files.snapshot, in: files.part, lost: losses.ranges)
    switch format {
    case .json: try Console.print(json: FilesExtentsReport(file, found))
    case .text:
      let lines = LineWriter()
      try lines.write(
        ["file byte", "snapshot byte", "bytes", "old chunk", "new chunk"]
          .map { $0.padding(to: 15) }.joined() + "store byte")
      for piece in found.pieces { try lines.write(piece.line) }
      try lines.flush()
    }
    for damage in found.damage { Console.say("dmsnap: \(file.path): \(damage.problem)") }
    files.sayUnknown(losses)
    let isLost = found.pieces.contains { $0.isBeyondStore || $0.isLost }
    try files.finish(
      isWhole: found.damage.isEmpty && !isLost && !losses.isAnyUnknown,
      isInDoubt: losses.isInDoubt)
  }
}

extension FileExceptions.Piece {
  fileprivate var line: String {
    let words = [
      file.map { "\($0.lowerBound)" } ?? (isPlain ? "(map)" : "(compressed)"),
      "\(view.lowerBound)", "\(view.count)",
      "\(oldChunk)", newChunk.map { "\($0)" } ?? "-",
    ]
    return words.map { $0.padding(to: 14) + " " }.joined()
      + (store.map { "\($0.lowerBound)" } ?? (isBeyondStore ? "past its end" : "-"))
      + (isLost ? "  lost" : "")
  }
}
