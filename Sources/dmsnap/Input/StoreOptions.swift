public import ArgumentParser
import BlockIO
import Inputs
import SnapshotFormat
public import SnapshotKit
import SystemPackage

/// The output format of most commands.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json
}

extension Reading: ExpressibleByArgument {}
extension PlacementLevel: ExpressibleByArgument {}

/// Which messages are printed to stderr.
struct MessageOptions: ParsableArguments {
  @Flag(name: .shortAndLong, help: "Print data and errors only, no warnings or summaries.")
  var quiet = false

  @Option(help: "Show progress: auto (on a terminal), always or never.")
  var progress = ProgressMode.auto
}

/// A number of bytes: `4096`, `4K`, `10M`, `1GiB`; the units are powers of 1024.
struct ByteCountArgument: ExpressibleByArgument {
  let byteCount: UInt64

  init?(argument: String) {
    let digits = argument.prefix { $0.isNumber }
    let units = ["", "K", "M", "G", "T", "P"]
    let unit = argument.dropFirst(digits.count)
    guard let number = UInt64(digits),
      let power = units.firstIndex(where: { unit == $0 || !$0.isEmpty && unit == $0 + "iB" })
    else { return nil }
    let (count, overflow) = number.multipliedReportingOverflow(by: 1 << UInt64(10 * power))
    guard !overflow else { return nil }
    byteCount = count
  }
}

/// How files and devices are read.
struct InputOptions: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Read everything, without asking the file system for holes, for file systems that report"
        + " holes wrongly."))
  var noHoles = false
}

/// How a store's table is read.
struct TableOptions: ParsableArguments {
  @Option(
    name: .customLong("reading"),
    help: ArgumentHelp(
      "The reading: kernel (Linux 6.1, the default), kernel-6.12, or salvage, which dmsnap salvage"
        + " always uses.",
      valueName: "reading"))
  var readingAsked: Reading?

  @Option(
    name: .customLong("chunk-size"),
    help: ArgumentHelp(
      "The chunk size in sectors, if the header is lost or wrong; implies --reading salvage.",
      valueName: "sectors"))
  var chunkSizeAsked: UInt32?

  @Option(
    help: ArgumentHelp(
      "Which table to read: 0, the newest, or an older one that inspect lists; implies --reading"
        + " salvage.", valueName: "number"))
  var generation: Int?

  @Option(
    name: .customLong("place"),
    help: ArgumentHelp(
      "Which data chunks without an exception the salvage reading places: none, those with a proven"
        + " place (the default), or those with a likely one as well; see `dmsnap explain"
        + " placement`.", valueName: "level"))
  var placeAsked: PlacementLevel?

  @Option(
    name: .customLong("sibling"),
    help: ArgumentHelp(
      "Another snapshot's store of the same origin, as evidence for places; once for each. Found"
        + " automatically with --pv.", valueName: "store"))
  var siblings: [PathArgument] = []

  @Option(
    help: ArgumentHelp(
      "GNU ddrescue's mapfile of the store's file: anything not marked finished is unreadable.",
      valueName: "mapfile"))
  var map: PathArgument?

  /// Whether the user gave any of them.
  var isGiven: Bool {
    readingAsked != nil || chunkSizeAsked != nil || generation != nil || map != nil
      || placeAsked != nil || !siblings.isEmpty
  }

  /// The reading, given or implied.
  var reading: Reading {
    let impliesSalvage =
      chunkSizeAsked != nil || generation != nil || placeAsked != nil || !siblings.isEmpty
    return readingAsked ?? (impliesSalvage ? .salvage : .kernel)
  }

  /// Which placements are used.
  var place: PlacementLevel { placeAsked ?? .proven }

  /// The chunk size that the user gave.
  var chunkSize: ChunkSize? { chunkSizeAsked.flatMap { try? ChunkSize(sectorCount: $0) } }

  /// The options as the user gave them, for commands to repeat; each after a space.
  var words: String {
    (readingAsked.map { " --reading \($0.rawValue)" } ?? "") + wordsWithoutReading
  }

  /// All but `--reading`, for commands that have a reading of their own.
  var wordsWithoutReading: String {
    (chunkSizeAsked.map { " --chunk-size \($0)" } ?? "")
      + (generation.map { " --generation \($0)" } ?? "")
      + (placeAsked.map { " --place \($0.rawValue)" } ?? "")
      + siblings.map { " --sibling \(quoted($0.text))" }.joined()
      + (map.map { " --map \(quoted($0.text))" } ?? "")
  }

  func validate() throws {
    if reading != .salvage, chunkSizeAsked != nil || generation != nil {
      throw ValidationError("--chunk-size and --generation go with --reading salvage")
    }
    if readingAsked != nil, reading != .salvage, placeAsked != nil || !siblings.isEmpty {
      throw ValidationError("--place and --sibling go with --reading salvage")
    }
    if let generation, generation < 0 { throw ValidationError("generations count from 0") }
    if let chunkSizeAsked {
      do throws(ChunkSizeError) { _ = try ChunkSize(sectorCount: chunkSizeAsked) } catch {
        throw ValidationError("--chunk-size \(chunkSizeAsked): \(error)")
      }
    }
  }
}

/// The store, and how its table is read.
struct StoreOptions: ParsableArguments {
  fileprivate static let help: ArgumentHelp =
    "The COW store: a file, a block device, PATH,offset=BYTES,length=BYTES; vg/lv with --pv."

  @Argument(help: StoreOptions.help)
  var store: PathArgument

  @OptionGroup var volumes: VolumeOptions
  @OptionGroup var table: TableOptions

  init() {}

  /// A store at that path, read that way.
  init(_ store: PathArgument, _ volumes: VolumeOptions, _ table: TableOptions) {
    self.store = store
    self.volumes = volumes
    self.table = table
  }
}

/// The store, and how its table is read, where the store need not be given.
struct OptionalStoreOptions: ParsableArguments {
  @Argument(help: StoreOptions.help)
  var store: PathArgument?

  @OptionGroup var volumes: VolumeOptions
  @OptionGroup var table: TableOptions

  /// Requires a store.
  func require() throws {
    if store == nil { throw ValidationError("Missing expected argument '<store>'") }
  }

  /// The store, which is given.
  var named: StoreOptions {
    guard let store else { preconditionFailure("arguments were not validated") }
    return StoreOptions(store, volumes, table)
  }
}

extension StoreOptions {
  /// The store that they name.
  var names: StoreNames {
    var names = StoreNames(store, volumes.names)
    (names.reading, names.chunkSize) = (table.reading, table.chunkSize)
    (names.generation, names.place) = (table.generation ?? 0, table.place)
    (names.siblings, names.map) = (table.siblings, table.map)
    return names
  }
}

/// Where to list the sectors that are worth reading again.
struct WantedOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Write a mapfile for ddrescue of the sectors worth reading again: metadata first, then data.",
      valueName: "mapfile"))
  var wanted: String?

  /// Refuses, before anything is done, a store that can have no mapfile.
  func check(_ volumes: VolumeOptions) throws {
    guard let wanted else { return }
    guard volumes.physicalVolumes.isEmpty else {
      throw Failure(.refused, "--wanted needs a store's own file, not a volume of a group")
    }
    try OutputPaths.check([("--wanted", wanted)])
  }

  /// Writes the mapfile, if it is asked for.
  ///
  /// - Parameter lost: What of the snapshot could not be read.
  func write(
    _ plan: SalvagePlan, _ generation: Generation, of store: PathArgument, lost: [LostRange] = []
  ) throws {
    guard let wanted else { return }
    let sectors = WantedSectors(plan, generation, lost: lost)
    let text = sectors.mapfile(
      at: store.start, in: try FileSource(path: FilePath(store.path)).byteCount)
    let output = try OutputText(path: FilePath(wanted))
    try output.write(text)
    try output.publish()
    Console.say(
      "dmsnap: \(wanted): \(byteSize(sectors.metadataByteCount)) of metadata and"
        + " \(byteSize(sectors.dataByteCount)) of data are worth reading again"
        + (sectors.metadata.isEmpty ? "" : "; metadata that is read then may name more data"))
  }
}

/// Which partition.
struct PartitionOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The number of the partition, if the snapshot is a whole disk.",
      valueName: "number"))
  var partition: Int?
}

/// The origin, where it is needed.
struct OriginOptions: ParsableArguments {
  @Option(help: "The origin of the snapshot; found automatically with --pv.")
  var origin: PathArgument?

  /// Requires an origin, unless --pv finds it.
  static func require(_ origin: PathArgument?, _ volumes: VolumeOptions) throws {
    if origin == nil, volumes.physicalVolumes.isEmpty {
      throw ValidationError("Missing expected argument '--origin <origin>'")
    }
  }
}
