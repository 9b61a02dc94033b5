public import ArgumentParser
import BlockIO
import FileSystems
import Inputs
public import SnapshotKit

extension SnapshotFiles.Side: ExpressibleByArgument {}

/// Which file system.
struct PartitionOptions: ParsableArguments {
  @OptionGroup var one: PartitionOption

  @Option(
    help: ArgumentHelp(
      "The logical volume with the file system, if the snapshot or its partitions hold volume"
        + " groups, as the disk of a virtual machine may.",
      valueName: "vg/lv"))
  var inner: String?

  func validate() throws {
    if one.partition != nil, inner != nil {
      throw ValidationError("--partition and --inner name the same thing: give one of them.")
    }
  }
}

extension PartitionOptions {
  /// The part of a snapshot that is meant.
  func part(of snapshot: Snapshot) throws -> SnapshotPart {
    let name = snapshot.view.name
    if let inner {
      if let found = try snapshot.volume(named: inner) { return found }
      let names = try snapshot.volumes().map(\.name)
      throw Failure(
        .noStore,
        "\(name): no volume \(inner) in it"
          + (names.isEmpty
            ? "; it has no volume groups" : "; it has \(names.joined(separator: ", "))"))
    }
    guard let partition = one.partition else { return SnapshotPart(wholeOf: snapshot) }
    let partitions = try snapshot.partitions()
    if let found = partitions.first(where: { $0.kind == .partition(partition) }) { return found }
    let names = partitions.map(\.name)
    throw Failure(
      .noStore,
      "\(name): no partition \(partition)"
        + (names.isEmpty
          ? "; it has no partitions" : "; it has \(names.joined(separator: ", "))"))
  }
}

extension SnapshotPart {
  /// It in a message.
  var title: String {
    switch kind {
    case .whole: "the snapshot"
    case .partition(let number): "partition \(number)"
    case .volume(let name): "volume \(name)"
    }
  }

  /// Its name, as the options take it.
  fileprivate var name: String {
    switch kind {
    case .whole: ""
    case .partition(let number): "\(number)"
    case .volume(let name): name
    }
  }
}

/// Whose files.
struct SideOptions: ParsableArguments {
  @Option(
    name: .customLong("of"), help: "The files of the snapshot, or of the origin as it is now.")
  var side = SnapshotFiles.Side.snapshot
}

/// The number of an inode: `N`, or `TREE:N` in a subvolume of btrfs.
struct InodeArgument: ExpressibleByArgument {
  let id: FileID
  let text: String

  init?(argument: String) {
    let numbers = argument.split(separator: ":", omittingEmptySubsequences: false).map {
      UInt64($0)
    }
    guard let last = numbers.last, let number = last, numbers.count <= 2,
      let tree = numbers.count == 2 ? numbers[0] : 0
    else { return nil }
    (id, text) = (FileID(number, tree: tree), argument)
  }
}

/// The files whose names a command was given: those found, and those not found.
struct FoundPlaces {
  private(set) var found: [FileTree.Place] = []
  private(set) var missing: [(path: String, error: FileSystemError)] = []

  /// Looks for one; a file named twice is found once.
  ///
  /// - Parameter oneOfNested: Whether, of a directory and a file in it, only the directory counts.
  mutating func add(
    _ name: String, oneOfNested: Bool = false,
    _ find: () throws(FileSystemError) -> FileTree.Place
  ) throws(FileSystemError) {
    let place: FileTree.Place
    do throws(FileSystemError) { place = try find() } catch {
      if error.isFatal { throw error }
      missing.append((name, error))
      return
    }
    if oneOfNested {
      if found.contains(where: { place.isWithin($0) }) { return }
      found.removeAll { $0.isWithin(place) }
    } else if found.contains(where: { $0.path == place.path }) {
      return
    }
    found.append(place)
  }

  /// Throws if nothing is found.
  func requireAny() throws {
    if found.isEmpty, let first = missing.first { throw first.error }
  }
}

extension FileTree.Place {
  /// Whether it is another, or lies below it.
  fileprivate func isWithin(_ other: FileTree.Place) -> Bool {
    path == other.path || path.hasPrefix(other.path == "/" ? "/" : other.path + "/")
  }
}

/// A snapshot whose files a command reads.
struct FilesInput {
  let found: StoreInput
  let snapshot: Snapshot
  /// The part of the snapshot that the file system is in.
  let part: SnapshotPart
  private let check: OriginCheck
  private let messages: MessageOptions
  /// Damage found in the file systems that were opened.
  private let damage = Damage()

  private final class Damage {
    var count = 0
  }

  /// Opens the snapshot.
  init(
    _ input: StoreOptions, _ origin: PathArgument?, _ place: PartitionOptions,
    _ messages: MessageOptions
  ) throws {
    self.messages = messages
    found = try StoreInput(input, origin: origin)
    try found.volume?.warn(messages)
    snapshot = Snapshot(try found.loadTable(), of: try found.requireOrigin())
    check = try snapshot.checkOrigin()
    snapshot.warn(check, messages)
    part = try place.part(of: snapshot)
  }

  /// Opens the file system of a side.
  func fileSystem(_ side: SnapshotFiles.Side) throws -> any FileSystem {
    let source: any BlockSource = side == .snapshot ? snapshot.view : snapshot.origin
    let found = try hinting { () throws(FileSystemError) in
      try FileSystemOpening.open(part.source(in: source))
    }
    say(found, side)
    return found
  }

  /// Opens both file systems.
  func bothFileSystems() throws -> SnapshotFiles {
    let files = try hinting { () throws(FileSystemError) in try SnapshotFiles(snapshot, in: part) }
    for side in SnapshotFiles.Side.allCases { say(files[side], side) }
    return files
  }

  /// If there is no file system, but a disk or a physical volume, adds a hint on what to give.
  private func hinting<Value>(_ body: () throws(FileSystemError) -> Value) throws -> Value {
    do throws(FileSystemError) { return try body() } catch {
      guard case .notFound = error else { throw error }
      let isWhole = part.kind == .whole
      let partitions = isWhole ? try snapshot.partitions().map(\.name) : []
      let volumes = try snapshot.volumes().map(\.name)
      let hints =
        (partitions.isEmpty ? [] : ["--partition \(partitions.joined(separator: " or "))"])
        + (volumes.isEmpty ? [] : ["--inner \(volumes.joined(separator: " or "))"])
      if hints.isEmpty { throw error }
      let hint = hints.joined(separator: ", or ")
      throw Failure(
        .noStore,
        isWhole
          ? "\(snapshot.view.name): is a disk: give \(hint)"
          : "\(error); the disk has logical volumes: give \(hint)")
    }
  }

  /// Reports notes on how a file system is read.
  private func say(_ fileSystem: any FileSystem, _ side: SnapshotFiles.Side) {
    damage.count += fileSystem.damage.count
    let notes = messages.quiet ? [] : fileSystem.notes
    for note in fileSystem.damage.map(\.problem) + notes {
      Console.say("dmsnap: the \(fileSystem.family) of the \(side.rawValue): \(note)")
    }
  }

  /// Losses of a side that are known without reading it.
  func knownLosses(_ side: SnapshotFiles.Side) -> FileLosses {
    FileLosses(snapshot, side, in: part)
  }

  /// Losses of a side, including those that a comparison of both sides' files reveals, if both can
  /// be read.
  func losses(_ side: SnapshotFiles.Side) throws -> FileLosses {
    guard side == .snapshot else { return knownLosses(side) }
    do throws(FileSystemError) {
      return try FileLosses(SnapshotFiles(snapshot, in: part))
    } catch {
      if error.isFatal { throw error }
      return knownLosses(side)
    }
  }

  /// Says that exceptions are lost without a trace, if so.
  func sayUnknown(_ losses: FileLosses) {
    guard losses.isAnyUnknown else { return }
    Console.say(
      "dmsnap: exceptions are lost, or may be; it is unknown which chunks they were for: any file"
        + " may be wrong"
    )
  }

  /// Whether this is a kernel's reading, which knows of no losses, although the salvage reading
  /// knows of some.
  func hidesLosses() throws -> Bool {
    guard snapshot.loaded.generation == nil else { return false }
    return try !found.loadTable(found.plan()).isComplete
  }

  /// Ends the command: with status 2 if anything is damaged or lost, and with 1 if it is in doubt.
  func finish(isWhole: Bool, isInDoubt: Bool = false) throws {
    try found.requireUnchanged()
    guard isWhole, damage.count == 0 else { throw Failure(.damage) }
    if isInDoubt || check.isInDoubt { throw Failure(.warnings) }
    try found.finish()
  }
}
