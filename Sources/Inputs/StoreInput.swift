package import BlockIO
package import LVM2
package import SnapshotFormat
package import SnapshotKit
internal import SystemPackage

/// A store, and how its table is read.
package struct StoreNames: Sendable {
  /// A file, a device, a part of one; or a volume of a group.
  package var store: PathArgument
  /// The groups.
  package var volumes: VolumeNames
  /// By which rules the table is read.
  package var reading = Reading.kernel
  /// The chunk size, where the user knows it better than the store.
  package var chunkSize: ChunkSize?
  /// The number of the table: 0 is the newest.
  package var generation = 0
  /// The placements in use.
  package var place = PlacementLevel.proven
  /// Other snapshots' stores of the same origin.
  package var siblings: [PathArgument] = []
  /// The mapfile of the store's file.
  package var map: PathArgument?

  /// A store, read as Linux reads it.
  package init(_ store: PathArgument, _ volumes: VolumeNames = VolumeNames()) {
    (self.store, self.volumes) = (store, volumes)
  }
}

/// A store and its origin, opened by their names: files, or volumes of a group.
package struct StoreInput {
  /// The store.
  package let store: Store
  /// Whether it is a volume of a group, whether or not of a snapshot.
  package let isStoreVolume: Bool
  /// The origin of the snapshot; nil if not given and not found.
  package let origin: (any BlockSource)?
  /// The snapshot, if the store is one of a volume group.
  package let volume: SnapshotVolume?
  /// The origin's volume, if it is one, to write it.
  package let originVolume: OriginVolume?
  /// Whether other groups have the same name as the origin's, so that only the UUID identifies it.
  package let isNameAmbiguous: Bool
  private let names: StoreNames
  private let say: @Sendable (String) -> Void

  /// Finds the store of that name, and the origin.
  ///
  /// - Parameters:
  ///   - origin: The origin that the user gave.
  ///   - say: Gets, line by line, notes for the user on the inputs used and not used.
  package init(
    _ names: StoreNames, origin: PathArgument?, say: @escaping @Sendable (String) -> Void
  ) throws {
    (self.names, self.say) = (names, say)
    guard !names.volumes.physicalVolumes.isEmpty else {
      let asksForHoles = names.volumes.asksForHoles
      store = Store(
        try names.store.open(asksForHoles: asksForHoles, names.map?.readMap()),
        in: names.store.surroundings)
      self.origin = try origin?.open(asksForHoles: asksForHoles)
      (isStoreVolume, volume, originVolume, isNameAmbiguous) = (false, nil, nil, false)
      return
    }
    let input = try VolumeInput(names.volumes, map: names.map, say: say)
    let named = try input.volume(names.store)
    isStoreVolume = named != nil
    if names.map != nil, !isStoreVolume { throw InputError.mapOfVolume(names.store.text) }
    if let named {
      volume = try named.snapshot.map { (snapshot) throws(VolumeError) in
        try SnapshotVolume(snapshot, of: named.version, named.group, leg: names.volumes.leg)
      }
      store = Store(try volume?.store ?? named.source(leg: names.volumes.leg))
    } else {
      volume = nil
      store = Store(try Self.openFile(names.store, input), in: names.store.surroundings)
    }
    isNameAmbiguous = input.catalog.hasSameNames
    if origin == nil, let volume {
      self.origin = volume.origin
      originVolume = OriginVolume(
        FoundVolume(volume.snapshot.origin, of: volume.version, volume.found),
        leg: names.volumes.leg)
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
    if named.isStore { throw InputError.originIsSnapshot(origin.text) }
    originVolume = OriginVolume(named, leg: names.volumes.leg)
    self.origin = try named.source(leg: names.volumes.leg)
  }

  private static func openFile(
    _ argument: PathArgument, _ input: VolumeInput
  ) throws -> any BlockSource {
    guard FileTarget.exists(FilePath(argument.path)) else { throw input.noVolume(argument) }
    return try argument.open(asksForHoles: input.names.asksForHoles)
  }

  /// The origin, for commands that need one.
  package func requireOrigin() throws -> any BlockSource {
    if let origin { return origin }
    if let volume { return try volume.requireOrigin() }
    throw InputError.noOrigin(store.source.name)
  }

  /// The origin for a merge: all of a volume, which may be longer than its snapshot.
  package func requireMergeOrigin() throws -> MergeOrigin {
    if let originVolume { return .volume(originVolume) }
    return .bytes(try requireOrigin())
  }

  /// Fails if the store or the origin has changed since it was opened: the bytes read are then
  /// unreliable.
  package func requireUnchanged() throws {
    try store.source.checkUnchanged()
    try origin?.checkUnchanged()
  }

  // MARK: - The table

  /// An auditor of the store.
  package func auditor() throws -> Auditor {
    Auditor(
      store, origin: origin, reading: names.reading, chunkSize: names.chunkSize,
      volume: volume, placing: try placing())
  }

  /// Plans the salvage of the store.
  package func plan() throws -> SalvagePlan {
    try SalvagePlan(
      store, chunkSize: names.chunkSize ?? volume?.chunkSize(of: store),
      originByteCount: origin?.byteCount)
  }

  /// The level of placement, and the siblings to use.
  package func placing() throws -> Placing {
    var siblings: [Sibling] = []
    for path in names.siblings { siblings.append(try Sibling(open(path))) }
    if let volume, names.siblings.isEmpty { siblings += volume.readableSiblings(say) }
    return Placing(names.place, siblings: siblings)
  }

  /// The store of a sibling: a file, or a volume of the group.
  private func open(_ path: PathArgument) throws -> Store {
    guard !names.volumes.physicalVolumes.isEmpty else {
      return Store(try path.open(asksForHoles: names.volumes.asksForHoles))
    }
    let input = try VolumeInput(names.volumes, say: say)
    if let named = try input.volume(path) {
      return Store(try named.source(leg: names.volumes.leg))
    }
    return Store(try Self.openFile(path, input))
  }

  /// The table that a plan supports, with its placements.
  package func loadTable(_ plan: SalvagePlan) throws -> LoadedTable {
    let loaded = try LoadedTable(
      plan, generation: names.generation, of: origin, placing: placing())
    loaded.placement.unusedSiblings.forEach(say)
    return loaded
  }

  /// Reads the store's table.
  package func loadTable() throws -> LoadedTable {
    if names.reading == .salvage { return try loadTable(plan()) }
    return try LoadedTable(
      store, reading: names.reading, originByteCount: origin?.byteCount)
  }
}

extension SnapshotVolume {
  /// The other snapshots of the same origin, as far as their stores can be read.
  fileprivate func readableSiblings(_ say: (String) -> Void) -> [Sibling] {
    siblings.compactMap { sibling in
      // A sibling is evidence, not part of the request: without it there is less evidence.
      do {
        return try Sibling(Store(SnapshotVolume(sibling, of: version, found).store))
      } catch {
        say("\(sibling.store): not used as a sibling: \(error)")
        return nil
      }
    }
  }

  /// The origin, unless its layout cannot be read.
  package func requireOrigin() throws -> any BlockSource {
    if let origin { return origin }
    throw originError ?? InputError.noOrigin(store.name)
  }
}

extension PlacementPlan {
  /// Siblings that were of no use as witnesses, and why, a line each.
  package var unusedSiblings: [String] {
    siblings.compactMap { sibling in
      sibling.verdict.problem.map { "\(sibling.name): not used as a sibling: \($0)" }
    }
  }
}
