public import ArgumentParser
import BlockIO
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
  /// Says what the user should know before a result is relied on: a kernel reading shows what Linux
  /// would, and Linux does not look at what it maps.
  func warn(about origin: any BlockSource, _ talk: TalkOptions) {
    if talk.quiet { return }
    let findings = Auditor(store, origin: origin, reading: table.reading).audit().findings
    for finding in findings where finding.code == .inUse {
      Console.say("dmsnap: \(finding.found): what is read may change meanwhile")
    }
    let damage = findings.filter { $0.severity == .damage }.map(\.code.rawValue)
    if damage.isEmpty { return }
    Console.say(
      "dmsnap: \(store.source.name): there is damage (\(damage.joined(separator: ", "))); the result"
        + " is what Linux would show; `dmsnap audit` with this store and origin says more")
  }
}
