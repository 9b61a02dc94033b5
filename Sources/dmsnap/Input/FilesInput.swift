public import ArgumentParser
import BlockIO
import FileSystems
import Inputs
public import SnapshotKit

extension SnapshotFiles.Side: ExpressibleByArgument {}

/// Which file system.
struct PartitionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The number of the partition that the file system is in, if the snapshot is a whole disk.",
      valueName: "number"))
  var partition: Int?
}

/// Whose files.
struct SideOptions: ParsableArguments {
  @Option(
    name: .customLong("of"), help: "Whose files: the snapshot's, or the origin's as it is now.")
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

/// A snapshot whose files a command reads.
struct FilesInput {
  let found: StoreInput
  let snapshot: Snapshot
  /// The bytes of the snapshot that the file system is in.
  let bytes: Range<UInt64>
  private let check: OriginCheck
  private let isPart: Bool
  private let talk: MessageOptions

  /// Opens the snapshot.
  init(
    _ input: StoreOptions, _ origin: PathArgument?, _ place: PartitionOptions,
    _ talk: MessageOptions
  ) throws {
    self.talk = talk
    found = try StoreInput(input, origin: origin)
    try found.volume?.warn(talk)
    snapshot = Snapshot(try found.loadTable(), of: try found.requireOrigin())
    check = try snapshot.checkOrigin()
    snapshot.warn(check, talk)
    isPart = place.partition != nil
    if let number = place.partition {
      bytes = try Self.partition(number, of: snapshot)
    } else {
      bytes = 0..<snapshot.view.byteCount
    }
  }

  private static func partition(_ number: Int, of snapshot: Snapshot) throws -> Range<UInt64> {
    let partitions = try snapshot.partitions()
    if let found = partitions.first(where: { $0.number == number }) { return found.bytes }
    let numbers = partitions.map { "\($0.number)" }.joined(separator: ", ")
    throw Failure(
      .noStore,
      "\(snapshot.view.name): no partition \(number)"
        + (numbers.isEmpty ? "; it has no partitions" : "; it has \(numbers)"))
  }

  /// Opens the file system of a side.
  func fileSystem(_ side: SnapshotFiles.Side) throws -> any FileSystem {
    let source: any BlockSource = side == .snapshot ? snapshot.view : snapshot.origin
    let found = try FileSystemOpening.open(isPart ? SliceSource(source, bytes) : source)
    say(found, side)
    return found
  }

  /// Opens both file systems.
  func bothFileSystems() throws -> SnapshotFiles {
    let files = try SnapshotFiles(snapshot, partition: isPart ? bytes : nil)
    for side in SnapshotFiles.Side.allCases { say(files[side], side) }
    return files
  }

  /// Says what is to be known of how a file system is read.
  private func say(_ fileSystem: any FileSystem, _ side: SnapshotFiles.Side) {
    if talk.quiet { return }
    for note in fileSystem.notes {
      Console.say("dmsnap: the \(fileSystem.family) of the \(side.rawValue): \(note)")
    }
  }

  /// What of a side is known to be lost, without reading it.
  func knownLosses(_ side: SnapshotFiles.Side) -> FileLosses {
    FileLosses(snapshot, side, in: bytes)
  }

  /// What of a side is lost, by what the files of both tell as well, if both can be read.
  func losses(_ side: SnapshotFiles.Side) throws -> FileLosses {
    guard side == .snapshot else { return knownLosses(side) }
    do throws(FileSystemError) {
      return try FileLosses(SnapshotFiles(snapshot, partition: isPart ? bytes : nil))
    } catch {
      if error.isFatal { throw error }
      return knownLosses(side)
    }
  }

  /// Ends the command: with status 2 if anything is damaged or lost, and with 1 if it is in doubt.
  func finish(isWhole: Bool, isInDoubt: Bool = false) throws {
    try found.requireUnchanged()
    guard isWhole else { throw Failure(.damage) }
    if isInDoubt || check.isInDoubt { throw Failure(.warnings) }
    try found.finish()
  }
}
