import BlockIO
import LVM2
import SnapshotFormat
import SnapshotKit
import SystemPackage

/// A command's store and its origin: files, or volumes of a group.
struct StoreInput {
  let store: Store
  /// Whether it is a volume of a group, a snapshot's or not.
  let isStoreVolume: Bool
  /// What the snapshot was taken of; nil if not given and not found.
  let origin: (any BlockSource)?
  /// The snapshot, if the store is one of a volume group.
  let volume: SnapshotVolume?
  /// The origin's volume, if it is one, to write it.
  let originVolume: OriginVolume?
  /// Whether other groups have the same name as the origin's, so that only the UUID identifies it.
  let isNameAmbiguous: Bool
  private let options: StoreOptions

  /// Finds the store that the options name, and the origin.
  ///
  /// - Parameter origin: The origin that the user gave.
  init(_ options: StoreOptions, origin: PathArgument?) throws {
    self.options = options
    let names = (options.store.text, origin?.text, options.table.reading.rawValue)
    RunRecord.note { ($0.store, $0.origin, $0.reading) = names }
    guard !options.volumes.physicalVolumes.isEmpty else {
      let reading = options.volumes.input
      store = Store(
        try options.store.open(reading, options.table.map?.readMap()),
        in: options.store.surroundings)
      self.origin = try origin?.open(reading)
      (isStoreVolume, volume, originVolume, isNameAmbiguous) = (false, nil, nil, false)
      return
    }
    let input = try VolumeInput(options.volumes, map: options.table.map)
    let named = try input.volume(options.store)
    isStoreVolume = named != nil
    if options.table.map != nil, !isStoreVolume {
      throw Failure(
        .refused,
        "--map would apply to the physical volume, not to \(options.store.text): use --pv"
          + " PATH,map=MAPFILE")
    }
    if let named {
      volume = try named.snapshot.map { (snapshot) throws(VolumeError) in
        try SnapshotVolume(snapshot, of: named.version, named.group, leg: options.volumes.leg)
      }
      store = Store(try volume?.store ?? named.source(leg: options.volumes.leg))
    } else {
      volume = nil
      store = Store(try Self.openFile(options.store, input), in: options.store.surroundings)
    }
    isNameAmbiguous = input.catalog.hasSameNames
    if origin == nil, let volume {
      self.origin = volume.origin
      originVolume = OriginVolume(
        FoundVolume(volume.snapshot.origin, of: volume.version, volume.found),
        leg: options.volumes.leg)
      return
    }
    guard let origin else {
      (self.origin, originVolume) = (nil, nil)
      return
    }
    guard let named = try input.volume(origin) else {
      self.origin = try Self.openFile(origin, input)
      originVolume = nil
      return
    }
    if named.isStore {
      throw Failure(
        .refused,
        "\(origin.text): is a snapshot; its volume is a COW store, not an origin;"
          + " `dmsnap lvm extract` makes an image of what it shows")
    }
    originVolume = OriginVolume(named, leg: options.volumes.leg)
    self.origin = try named.source(leg: options.volumes.leg)
  }

  private static func openFile(
    _ argument: PathArgument, _ input: VolumeInput
  ) throws -> any BlockSource {
    guard FileTarget.exists(FilePath(argument.path)) else { throw input.noVolume(argument) }
    return try argument.open(input.options.input)
  }

  /// The origin, for commands that need one.
  func requireOrigin() throws -> any BlockSource {
    if let origin { return origin }
    if let volume { return try volume.requireOrigin() }
    throw Failure(
      .couldNotFinish,
      "\(store.source.name): is not a snapshot in its group's metadata: `dmsnap lvm extract` reads"
        + " it; --origin ORIGIN makes it a store")
  }

  /// The origin for a merge: all of a volume, which may be longer than its snapshot.
  func requireMergeOrigin() throws -> MergeOrigin {
    if let originVolume { return .volume(originVolume) }
    return .bytes(try requireOrigin())
  }

  /// Fails if the store or the origin has changed since it was opened: what was read is then
  /// unknown.
  func requireUnchanged() throws {
    try store.source.checkUnchanged()
    try origin?.checkUnchanged()
  }

  // MARK: - The table

  /// An auditor of the store.
  func auditor() throws -> Auditor {
    Auditor(
      store, origin: origin, reading: options.table.reading, chunkSize: options.table.chunkSize,
      volume: volume, placing: try placing())
  }

  /// Plans the salvage of the store.
  func plan() throws -> SalvagePlan {
    try SalvagePlan(
      store, chunkSize: options.table.chunkSize ?? volume?.chunkSize(of: store),
      originByteCount: origin?.byteCount)
  }

  /// Which orphans are placed, and the siblings to go by.
  func placing() throws -> Placing {
    var siblings: [Sibling] = []
    for path in options.table.siblings { siblings.append(try Sibling(open(path))) }
    if let volume, options.table.siblings.isEmpty { siblings += volume.readableSiblings }
    return Placing(options.table.place, siblings: siblings)
  }

  /// The store of a sibling: a file, or a volume of the group.
  private func open(_ path: PathArgument) throws -> Store {
    guard !options.volumes.physicalVolumes.isEmpty else {
      return Store(try path.open(options.volumes.input))
    }
    let input = try VolumeInput(options.volumes)
    if let named = try input.volume(path) {
      return Store(try named.source(leg: options.volumes.leg))
    }
    return Store(try Self.openFile(path, input))
  }

  /// The table that a plan supports, with what is placed.
  func loadTable(_ plan: SalvagePlan) throws -> LoadedTable {
    let loaded = try LoadedTable(
      plan, generation: options.table.generation ?? 0, of: origin, placing: placing())
    loaded.placement.sayUnusedSiblings()
    return loaded
  }

  /// Reads the store's table.
  func loadTable() throws -> LoadedTable {
    if options.table.reading == .salvage { return try loadTable(plan()) }
    return try LoadedTable(
      store, reading: options.table.reading, originByteCount: origin?.byteCount)
  }
}

extension SnapshotVolume {
  /// The other snapshots of the same origin, as far as their stores can be read.
  var readableSiblings: [Sibling] {
    siblings.compactMap { sibling in
      // A sibling is evidence, and no part of what is asked for: without it there is less of that.
      do {
        return try Sibling(Store(SnapshotVolume(sibling, of: version, found).store))
      } catch {
        Console.say("dmsnap: \(sibling.store): not used as a sibling: \(error)")
        return nil
      }
    }
  }

  /// The origin, unless its layout cannot be read.
  func requireOrigin() throws -> any BlockSource {
    if let origin { return origin }
    throw originError ?? Failure(.couldNotFinish, "there is no origin")
  }

  /// What the group's metadata says about the snapshot.
  func check() throws -> [Finding] {
    try VolumeCheck(self).findings
  }

  /// Warns of problems with the snapshot's volume group.
  func warn(_ talk: MessageOptions) throws {
    if talk.quiet { return }
    for finding in try check() where finding.severity != .note {
      Console.say("dmsnap: \(store.name): " + finding.line + ": \(finding.found)")
    }
  }
}
