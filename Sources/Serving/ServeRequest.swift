package import BlockIO
package import Inputs
internal import SnapshotFormat
internal import SnapshotKit

/// A snapshot to serve, and how: the parameters of the plugin and of the mount, `key=value` each.
package struct ServeRequest: Sendable {
  /// The store, and how its table is read.
  package var names: StoreNames
  /// The origin; nil if the volume group names it.
  package var origin: PathArgument?
  /// The reading of lost bytes.
  package var policy = LossPolicy.error
  /// The number of the only partition to serve; nil for all.
  package var partition: Int?
  /// A new store for client writes; nil if it is read-only.
  package var layer: String?
  /// The maximum length of that store.
  package var limit: UInt64 = 1 << 30
  /// The descriptor that the report goes to; nil for none.
  package var report: Int32?

  /// A store of that name.
  package init(_ names: StoreNames, origin: PathArgument?) {
    (self.names, self.origin) = (names, origin)
  }

  /// Parses the parameters.
  package init(parameters: [(key: String, value: String)]) throws(ServeError) {
    guard let text = parameters.last(where: { $0.key == "store" })?.value else {
      throw .missing("store")
    }
    guard let store = PathArgument(argument: text) else { throw .wrong("store", text) }
    self.init(StoreNames(store), origin: nil)
    var readingAsked: Reading?
    var impliesSalvage = false
    for (key, value) in parameters {
      switch key {
      case "store": break
      case "reading": readingAsked = try Self.parse(key, value, Reading.init(rawValue:))
      case "chunk-size":
        names.chunkSize = try Self.parse(key, value) {
          UInt32($0).flatMap { try? ChunkSize(sectorCount: $0) }
        }
      case "generation": names.generation = try Self.parse(key, value) { UInt32($0).map(Int.init) }
      case "place": names.place = try Self.parse(key, value, PlacementLevel.init(rawValue:))
      case "sibling": names.siblings.append(try Self.path(key, value))
      case "map": names.map = try Self.path(key, value)
      case "pv":
        names.volumes.physicalVolumes.append(
          try Self.parse(key, value, PhysicalVolumeArgument.init(argument:)))
      case "vgcfg": names.volumes.vgcfg = try Self.path(key, value)
      case "seqno": names.volumes.seqno = try Self.parse(key, value) { UInt64($0) }
      case "leg": names.volumes.leg = try Self.parse(key, value) { Int($0) }
      case "holes": names.volumes.asksForHoles = try Self.parse(key, value) { Bool($0) }
      case "origin": origin = try Self.path(key, value)
      case "lost": policy = try Self.parse(key, value, LossPolicy.init(rawValue:))
      case "partition": partition = try Self.parse(key, value) { Int($0) }
      case "layer": layer = value
      case "limit": limit = try Self.parse(key, value) { UInt64($0) }
      case "report": report = try Self.parse(key, value) { Int32($0) }
      default: throw .unknown(key)
      }
      impliesSalvage =
        impliesSalvage || ["chunk-size", "generation", "place", "sibling"].contains(key)
    }
    names.reading = readingAsked ?? (impliesSalvage ? .salvage : .kernel)
    if impliesSalvage, names.reading != .salvage { throw .wrong("reading", names.reading.rawValue) }
    let keys = Set(parameters.map(\.key))
    if keys.contains("limit"), layer == nil { throw .missing("layer") }
    if names.volumes.physicalVolumes.isEmpty {
      if !keys.isDisjoint(with: ["vgcfg", "seqno", "leg"]) { throw .missing("pv") }
      if origin == nil { throw .missing("origin") }
    }
  }

  /// The request as parameters.
  package var parameters: [String] {
    let volumes = names.volumes
    var all = ["store=\(names.store.text)", "reading=\(names.reading.rawValue)"]
    if names.reading == .salvage {
      all += ["generation=\(names.generation)", "place=\(names.place.rawValue)"]
      if let size = names.chunkSize { all.append("chunk-size=\(size.sectorCount)") }
    }
    all += names.siblings.map { "sibling=\($0.text)" }
    if let map = names.map { all.append("map=\(map.text)") }
    all += volumes.physicalVolumes.map { "pv=\($0.text)" }
    if let vgcfg = volumes.vgcfg { all.append("vgcfg=\(vgcfg.text)") }
    if let seqno = volumes.seqno { all.append("seqno=\(seqno)") }
    if let leg = volumes.leg { all.append("leg=\(leg)") }
    if !volumes.asksForHoles { all.append("holes=false") }
    if let origin { all.append("origin=\(origin.text)") }
    all.append("lost=\(policy.rawValue)")
    if let partition { all.append("partition=\(partition)") }
    if let layer { all += ["layer=\(layer)", "limit=\(limit)"] }
    if let report { all.append("report=\(report)") }
    return all
  }

  private static func path(_ key: String, _ value: String) throws(ServeError) -> PathArgument {
    try parse(key, value, PathArgument.init(argument:))
  }

  private static func parse<Value>(
    _ key: String, _ value: String, _ parse: (String) -> Value?
  ) throws(ServeError) -> Value {
    guard let parsed = parse(value) else { throw .wrong(key, value) }
    return parsed
  }
}

/// A reason why a request cannot be served, apart from errors of opening its inputs.
package enum ServeError: CodedError {
  /// There is no such parameter.
  case unknown(String)
  /// A parameter has an invalid value.
  case wrong(String, String)
  /// A parameter is missing.
  case missing(String)
  /// The snapshot has no such partition.
  case noPartition(Int, known: [Int], String)

  /// Not found, or not finished.
  package var status: ExitStatus {
    if case .noPartition = self { .noStore } else { .couldNotFinish }
  }

  /// That of the status.
  package var code: String { status.code }

  package var description: String {
    switch self {
    case .unknown(let key): "unknown parameter \(key)="
    case .wrong(let key, let value): "\(key)=\(value): invalid value"
    case .missing(let key): "\(key)= is missing"
    case .noPartition(let number, let known, let name):
      "\(name): no partition \(number)"
        + (known.isEmpty
          ? "; it has no partitions"
          : "; it has \(known.map { "\($0)" }.joined(separator: ", "))")
    }
  }
}
