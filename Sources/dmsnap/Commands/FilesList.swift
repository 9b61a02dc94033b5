import ArgumentParser
import BlockIO
import FileSystems
import Inputs
import SnapshotKit

/// `dmsnap files list`: the files of a directory, or of all below it.
struct FilesList: ParsableCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text, json, jsonl, bodyfile
  }

  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Lists the files of a snapshot or of its origin.",
    discussion: """
      Times are UTC. The status is 2 if any listed file is damaged or lost, or if some of several \
      paths do not exist, 1 if the origin is in doubt, and 3 if there is no such file, or no file \
      system that dmsnap can read.
      """)

  @OptionGroup var input: StoreOptions

  @Argument(help: "The files and directories; there are no wildcards. (default: /)")
  var path: [String] = []

  @OptionGroup var originInput: OriginOptions
  @OptionGroup var side: SideOptions
  @OptionGroup var place: PartitionOptions

  @Flag(name: [.customShort("l"), .long], help: "List mode, owner, size, time and lost bytes too.")
  var long = false

  @Flag(name: [.customShort("R"), .long], help: "List directories in the directory as well.")
  var recursive = false

  @Flag(help: "List deleted files as well, if the file system still has them.")
  var deleted = false

  @Option(
    help: "Output format; json is one object, jsonl one per line, bodyfile the Sleuth Kit's.")
  var format = Format.text

  @OptionGroup var messages: MessageOptions

  func validate() throws { try OriginOptions.require(originInput.origin, input.volumes) }

  func run() throws {
    let files = try FilesInput(input, originInput.origin, place, messages)
    let fileSystem = try files.fileSystem(side.side)
    let losses = try files.losses(side.side)
    var places = FoundPlaces()
    for path in path.isEmpty ? ["/"] : path {
      try places.add(path, oneOfNested: recursive) { () throws(FileSystemError) in
        try FileTree(fileSystem).find(path)
      }
    }
    try places.requireAny()
    var printer = try Printer(self, fileSystem, losses)
    var damage = places.missing.map { TreeDamage($0.path, $0.error.damage) }
    var named: Set<FileID> = []
    for place in places.found {
      var walk = TreeWalk(
        fileSystem, from: place, isRecursive: recursive, includesDeleted: deleted)
      while let entry = try walk.next() {
        if entry.depth == 0, entry.kind == .directory { continue }
        if entry.isDeleted { named.insert(entry.id) }
        try printer.write(entry)
      }
      damage += walk.damage
    }
    if deleted, places.found.contains(where: { $0.path == "/" }) {
      damage += try fileSystem.forEachInode(isDeletedIncluded: true) {
        (inode) throws(FileSystemError) in
        if !inode.isAllocated, !named.contains(inode.id) {
          try wrapping(FileSystemError.io, try printer.write(inode))
        }
        return true
      }.map { TreeDamage("/", $0) }
    }
    try printer.end(side.side, fileSystem.family, damage)
    if format != .json {
      for damage in damage.prefix(20) {
        Console.say("dmsnap: \(damage.path): \(damage.damage.problem)")
      }
      if damage.count > 20 { Console.say("dmsnap: and \(damage.count - 20) more such lines") }
    }
    files.sayUnknown(losses)
    try files.finish(
      isWhole: damage.isEmpty && !losses.isAnyUnknown && printer.lostByteCount == 0,
      isInDoubt: losses.isInDoubt)
  }

  /// Prints files in the format that is asked for.
  private struct Printer {
    private let command: FilesList
    private let fileSystem: any FileSystem
    private let losses: FileLosses
    private let lines = LineWriter()
    private let listed: OutputText?
    private var isFirst = true
    /// The number of lost bytes of the files.
    private(set) var lostByteCount: UInt64 = 0

    init(
      _ command: FilesList, _ fileSystem: any FileSystem, _ losses: FileLosses
    ) throws(BlockIOError) {
      (self.command, self.fileSystem, self.losses) = (command, fileSystem, losses)
      listed = command.format == .json ? try OutputText.temporary() : nil
    }

    mutating func write(_ entry: TreeEntry) throws(BlockIOError) {
      var target: String?
      if command.format != .json, command.format != .jsonl, command.long, let inode = entry.inode,
        inode.kind == .link, let bytes = try? fileSystem.target(ofLink: inode)
      {
        target = String(decoding: bytes, as: UTF8.self).visible
      }
      try write(
        FileLine(
          path: entry.path, inode: entry.inode, id: entry.id, kind: entry.kind,
          isDeleted: entry.isDeleted, losses: counts(of: entry.inode),
          target: target))
    }

    /// Writes a file that no directory names.
    mutating func write(_ inode: Inode) throws(BlockIOError) {
      try write(
        FileLine(
          path: "<inode \(inode.id.number)>", inode: inode, id: inode.id, kind: inode.kind,
          isDeleted: true, losses: nil, target: nil))
    }

    /// The numbers of bytes of a file that are lost, in doubt, and likely.
    ///
    /// A map that cannot be read loses all of them.
    private mutating func counts(of inode: Inode?) -> FileLosses.Counts? {
      guard let inode, inode.isAllocated else { return nil }
      let isAsked = command.long || command.format == .json || command.format == .jsonl
      guard isAsked || !losses.isNone else { return nil }
      let counts =
        (try? losses.counts(of: inode, in: fileSystem)) ?? FileLosses.Counts(lost: inode.byteCount)
      lostByteCount &+= counts.lost
      return counts
    }

    private mutating func write(_ line: FileLine) throws(BlockIOError) {
      switch command.format {
      case .text: try lines.write(command.long ? line.long : line.name)
      case .bodyfile: try lines.write(line.body)
      case .jsonl: try lines.write(line.json)
      case .json:
        try listed?.write((isFirst ? "    " : ",\n    ") + line.json)
        isFirst = false
      }
    }

    func end(
      _ side: SnapshotFiles.Side, _ family: String, _ damage: [TreeDamage]
    ) throws(BlockIOError) {
      try lines.flush()
      guard let listed else { return }
      try Console.print(
        json: FilesListReport(side, family, damage), listing: FilesListReport.entriesKey, listed)
    }
  }
}
