import ArgumentParser
import BlockIO
import FileSystems
import FoundationEssentials
import Inputs
import SnapshotKit
import SystemPackage

/// `dmsnap files get`: files out of a snapshot.
struct FilesGet: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get",
    abstract: "Extracts files and directories from a snapshot or its origin.",
    discussion: """
      They keep their path, mode, times, holes, links and extended attributes, and, for root, \
      their owners and devices. Nothing is overwritten, and nothing is written outside the \
      directory. A file gets its name only once it is complete; --resume continues an interrupted \
      extraction. Unreadable bytes become zeroes and are listed, as is a path that does not exist \
      if others do, and the status is 2. It is 1 if the origin is in doubt, or if the user may not \
      set an attribute or make a device.
      """)

  @OptionGroup var input: StoreOptions

  @Argument(help: "The files and directories; there are no wildcards.")
  var path: [String] = []

  @OptionGroup var originInput: OriginOptions
  @OptionGroup var side: SideOptions
  @OptionGroup var place: PartitionOptions

  @Option(
    help: ArgumentHelp(
      "A file by its inode number, extracted as inode-N; once for each.",
      valueName: "number"))
  var inode: [InodeArgument] = []

  @Option(
    help: ArgumentHelp(
      "The target directory; it is created if it does not exist.", valueName: "dir"))
  var to: String?

  @Flag(
    help: ArgumentHelp(
      "Continue an interrupted extraction into the same directory: files with the same content are"
        + " kept, and get their attributes."))
  var resume = false

  @Option(
    help: ArgumentHelp(
      "Write a tar archive instead, in the pax format; - for stdout. An existing file is"
        + " refused.", valueName: "file"))
  var tar: String?

  @Option(
    help: ArgumentHelp(
      "Write everything outside files as one stream to this new file instead, and a map of its"
        + " pieces to FILE.jsonl.", valueName: "file"))
  var unallocated: String?

  @Option(help: "Output format.")
  var format = OutputFormat.text

  @OptionGroup var messages: MessageOptions

  func validate() throws {
    try OriginOptions.require(originInput.origin, input.volumes)
    if let unallocated {
      guard path.isEmpty, inode.isEmpty, to == nil, tar == nil else {
        throw ValidationError("--unallocated goes with no path, --inode, --to or --tar")
      }
      if resume { throw ValidationError("--resume goes with --to only") }
      if unallocated == "-" { throw ValidationError("--unallocated needs the name of a file") }
    } else {
      if path.isEmpty, inode.isEmpty {
        throw ValidationError("Missing expected argument '<path>'")
      }
      if (to == nil) == (tar == nil) {
        throw ValidationError("exactly one of --to DIR and --tar FILE is needed")
      }
      if resume, to == nil { throw ValidationError("--resume goes with --to only") }
    }
    if [to, tar, unallocated].contains("") {
      throw ValidationError("an output needs a name")
    }
    if tar == "-", format == .json {
      throw ValidationError("--format json and --tar - both write to stdout")
    }
  }

  func run() throws {
    let list = unallocated.map { $0 + ".jsonl" }
    try OutputPaths.check(
      [("--tar", tar), ("--unallocated", unallocated), ("the map of --unallocated", list)])
    let files = try FilesInput(input, originInput.origin, place, messages)
    let fileSystem = try files.fileSystem(side.side)
    let losses = try files.losses(side.side)
    if let unallocated {
      try writeFree(of: fileSystem, files, losses, to: unallocated)
      return
    }
    // All are looked for before anything is made.
    let places = try places(in: fileSystem)
    let archive = try tar.flatMap { $0 == "-" ? nil : try OutputText(path: FilePath($0)) }
    let sink: any ExtractionSink =
      if let to { try DirectorySink(path: FilePath(to), resumes: resume) } else {
        TarSink(archive ?? OutputStream.standardOutput)
      }
    let line = ProgressLine("taken out", messages)
    var extraction = Extraction(fileSystem, to: sink, lost: losses.ranges) { line.update($0, $1) }
    for (path, error) in places.missing { extraction.miss(path, error) }
    do throws(ExtractionError) {
      for place in places.found { try extraction.extract(place) }
      try extraction.finish()
    } catch {
      if let to {
        Console.say(
          "dmsnap: \(to): the files there are complete; the same command with --resume continues")
      }
      throw error
    }
    try files.found.requireUnchanged()
    try archive?.publish()
    line.end()
    try say(extraction, losses)
    files.sayUnknown(losses)
    try files.finish(
      isWhole: extraction.isWhole && !losses.isAnyUnknown,
      isInDoubt: extraction.forbiddenCount > 0 || losses.isInDoubt)
  }

  /// The places asked for: those found, and those not found.
  ///
  /// - Throws: If nothing is found.
  private func places(in fileSystem: any FileSystem) throws -> FoundPlaces {
    var places = FoundPlaces()
    for path in path {
      try places.add(path, oneOfNested: true) { () throws(FileSystemError) in
        try FileTree(fileSystem).find(path)
      }
    }
    for number in inode {
      let name = "inode-\(number.text.replacing(":", with: "-"))"
      try places.add("inode \(number.text)") { () throws(FileSystemError) in
        FileTree.Place(
          path: "/" + name, name: Array(name.utf8), inode: try fileSystem.inode(number.id))
      }
    }
    try places.requireAny()
    return places
  }

  /// Writes the bytes that are in no file, and the place of each piece.
  private func writeFree(
    of fileSystem: any FileSystem, _ files: FilesInput, _ losses: FileLosses, to path: String
  ) throws {
    let free = try FreeBytes(of: fileSystem, files.snapshot, side.side, in: files.part, losses)
    let list = try OutputText(path: FilePath(path + ".jsonl"))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    for piece in free.pieces {
      try list.write(String(decoding: encoder.encode(piece), as: UTF8.self) + "\n")
    }
    let line = ProgressLine("taken out", messages)
    let output = try OutputFile(path: FilePath(path), byteCount: free.byteCount)
    let unread = try free.write(to: output) { line.update($0, $1) }
    try files.found.requireUnchanged()
    try list.publish()
    try output.publish()
    line.end()
    let lost = (unread + free.lost).union
    files.sayUnknown(losses)
    switch format {
    case .json:
      try Console.print(
        json: FilesGetReport(path, free, lost: lost, hasUnknownLosses: losses.isAnyUnknown))
    case .text:
      if !messages.quiet {
        try Console.print(
          "\(path): \(byteSize(free.byteCount)) in"
            + " \(counted(UInt64(free.pieces.count), "piece")), listed in \(path).jsonl")
      }
    }
    if !lost.isEmpty { Console.say("dmsnap: \(path): \(byteSize(lost.totalCount)) lost") }
    try files.finish(isWhole: lost.isEmpty && !losses.isAnyUnknown, isInDoubt: losses.isInDoubt)
  }

  private func say(_ extraction: Extraction, _ losses: FileLosses) throws {
    switch format {
    case .json:
      try Console.print(json: FilesGetReport(extraction, hasUnknownLosses: losses.isAnyUnknown))
    case .text:
      if !messages.quiet, tar != "-" {
        try Console.print(
          "\(to ?? tar ?? ""): \(extraction.fileCount)"
            + (extraction.fileCount == 1 ? " file or directory," : " files and directories,")
            + " \(byteSize(extraction.byteCount))"
            + (extraction.presentCount > 0
              ? "; \(extraction.presentCount) of them were there already" : ""))
      }
    }
    for loss in extraction.losses.prefix(20) {
      Console.say("dmsnap: \(loss.path): \(loss.reason)")
    }
    if extraction.lossCount > 20 {
      Console.say(
        "dmsnap: and \(extraction.lossCount - 20) more such files; --format json lists them")
    }
    if let (path, what) = extraction.firstForbidden, !messages.quiet {
      let more = extraction.forbiddenCount - 1
      Console.say(
        "dmsnap: \(path): \(what) was not kept: you lack the rights, or the target cannot store it"
          + (more == 0 ? "" : "; and \(more) more such"))
    }
    if !losses.isAnyUnknown, losses.isInDoubt {
      Console.say("dmsnap: some files are in doubt: `dmsnap inspect --files` names them")
    }
  }
}

/// `dmsnap files cat`: the content of a file.
struct FilesCat: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cat",
    abstract: "Writes the content of a file to stdout.",
    discussion: """
      Symbolic links are followed within the file system. Unreadable bytes become zeroes and are \
      listed, and the status is 2.
      """)

  @OptionGroup var input: StoreOptions

  @Argument(help: "The file.")
  var path: String?

  @OptionGroup var originInput: OriginOptions
  @OptionGroup var side: SideOptions
  @OptionGroup var place: PartitionOptions

  @Option(help: ArgumentHelp("The file by its inode number.", valueName: "number"))
  var inode: InodeArgument?

  @OptionGroup var messages: MessageOptions

  func validate() throws {
    try OriginOptions.require(originInput.origin, input.volumes)
    if (path == nil) == (inode == nil) {
      throw ValidationError("exactly one of a path and --inode NUMBER is needed")
    }
  }

  func run() throws {
    let files = try FilesInput(input, originInput.origin, place, messages)
    let fileSystem = try files.fileSystem(side.side)
    let losses = try files.losses(side.side)
    let file: FileSystems.Inode
    if let path {
      file = try FileTree(fileSystem).find(path, followsLast: true).inode
    } else {
      file = try fileSystem.inode(inode?.id ?? fileSystem.root)
    }
    let name = path ?? "inode \(inode?.text ?? "")"
    guard file.kind == .regular || file.kind == .unknown else {
      throw Failure(.noStore, "\(files.snapshot.view.name): \(name) is no regular file")
    }
    let content = try fileSystem.content(of: file)
    let unread = try write(content)
    let lost = (unread + (try fileSystem.map(of: file).lost(losses.ranges))).union
    for range in lost.prefix(20) {
      let count = range.upperBound - range.lowerBound
      Console.say(
        "dmsnap: \(name): \(counted(count, "byte")) at byte \(range.lowerBound)"
          + " \(count == 1 ? "is" : "are") lost")
    }
    if lost.count > 20 { Console.say("dmsnap: and \(lost.count - 20) more ranges") }
    files.sayUnknown(losses)
    try files.finish(isWhole: lost.isEmpty && !losses.isAnyUnknown, isInDoubt: losses.isInDoubt)
  }

  /// Writes content to stdout.
  ///
  /// - Returns: What of it could not be read.
  private func write(_ content: any BlockSource) throws(BlockIOError) -> [Range<UInt64>] {
    let (sink, line) = (StreamSink(.standardOutput), ProgressLine("written", messages))
    let buffer = IOBuffer(byteCount: 1 << 20)
    var lost: [Range<UInt64>] = []
    var position: UInt64 = 0
    while position < content.byteCount {
      let data = try content.nextData(from: position)
      let start = min(data?.lowerBound ?? content.byteCount, content.byteCount)
      if start > position { try sink.appendZeroes(byteCount: start - position) }
      position = max(position, start)
      let end = min(data?.upperBound ?? position, content.byteCount)
      while position < end {
        let count = Int(min(end - position, UInt64(buffer.byteCount)))
        for range in try content.readAround(at: position, into: buffer, 0..<count) {
          lost.append(mergingInto: range)
        }
        try sink.append(buffer, 0..<count)
        position += UInt64(count)
        line.update(position, content.byteCount)
      }
    }
    line.end()
    return lost
  }
}
