public import ArgumentParser
import BlockIO
import SnapshotFormat
public import SnapshotKit

/// What most commands print in.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json
}

extension Reading: ExpressibleByArgument {}

/// How much is said on standard error.
struct TalkOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Say nothing but errors.")
  var quiet = false

  @Option(help: "When to show progress: auto, on a terminal; always; never.")
  var progress = ProgressMode.auto
}

/// The store, and how its table is read.
struct StoreOptions: ParsableArguments {
  @Argument(help: "The COW store: a file, a block device, or PATH,offset=BYTES,length=BYTES.")
  var store: PathArgument

  @Option(help: "By which rules to read the table: kernel (Linux 6.1) or kernel-6.12.")
  var reading = Reading.kernel

  /// Opens the store and reads its table as Linux would.
  func loadTable() throws(Failure) -> LoadedTable {
    let store = Store(try store.open())
    return try failingStore { () throws(StoreError) in try LoadedTable(store, reading: reading) }
  }
}

/// The origin, where it is needed.
struct OriginOptions: ParsableArguments {
  @Option(help: "The origin: what the snapshot was taken of.")
  var origin: PathArgument
}

extension LoadedTable {
  /// Says so when the origin ends before the last exception: Linux would not mind, but the user may
  /// have the wrong one.
  func warn(ifShorter origin: any BlockSource, _ talk: TalkOptions) {
    let chunkCount = geometry.chunkCount(ofOrigin: origin.byteCount)
    guard !talk.quiet, let last = table.runs.last?.lastOld, last >= chunkCount else { return }
    Console.say(
      "dmsnap: \(origin.name): has \(chunkCount) chunks, the table goes on to chunk \(last): what"
        + " lies behind the end is not shown")
  }
}
