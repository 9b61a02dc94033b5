import BlockIO
import LVM2
import SnapshotFormat
import SnapshotKit
import SystemPackage

/// The store that a command is about, and its origin: files, or volumes of a group.
struct StoreInput {
  let store: Store
  /// Whether it is a volume of a group, be it a snapshot's or not.
  let isStoreVolume: Bool
  /// What the snapshot was taken of; nil where nobody said, or nothing is found.
  let origin: (any BlockSource)?
  /// Where the store is a snapshot of a volume group: which.
  let volume: SnapshotVolume?
  /// The origin's volume, where it is one: where it can be written.
  let originVolume: OriginVolume?
  /// Whether several groups have the name of the origin's, so that only its UUID names it.
  let isNameAmbiguous: Bool
  private let options: StoreOptions

  /// Finds the store that the options name, and the origin.
  ///
  /// - Parameter origin: What the user says that the origin is.
  init(_ options: StoreOptions, origin: PathArgument?) throws(Failure) {
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
    let place = try input.volume(options.store)
    isStoreVolume = place != nil
    if options.table.map != nil, !isStoreVolume {
      throw Failure(
        .refused,
        "--map would be the physical volume's, and not \(options.store.text)'s: say --pv"
          + " PATH,map=MAPFILE for that")
    }
    (volume, store) = try Self.store(options.store, at: place, input)
    isNameAmbiguous = input.hasSameNames
    if origin == nil, let volume {
      self.origin = volume.origin
      originVolume = OriginVolume(
        volume.snapshot.origin, of: volume.version, volume.found, leg: options.volumes.leg)
      return
    }
    guard let origin else {
      (self.origin, originVolume) = (nil, nil)
      return
    }
    guard let (group, version, name) = try input.volume(origin) else {
      self.origin = try Self.openFile(origin, input)
      originVolume = nil
      return
    }
    if [version, group.group].contains(where: { $0.snapshots.contains { $0.store == name } }) {
      throw Failure(
        .refused,
        "\(origin.text): is a snapshot, whose volume is a COW store and no origin; `dmsnap lvm extract`"
          + " makes an image of what it shows")
    }
    originVolume = OriginVolume(name, of: version, group, leg: options.volumes.leg)
    self.origin = try failingVolume { () throws(VolumeError) in
      try group.mapper(version, leg: options.volumes.leg).source(of: name)
    }
  }

  private static func store(
    _ argument: PathArgument, at place: VolumeInput.Place?, _ input: VolumeInput
  ) throws(Failure) -> (SnapshotVolume?, Store) {
    guard let (group, version, name) = place else {
      return (nil, Store(try openFile(argument, input), in: argument.surroundings))
    }
    guard let snapshot = version.snapshots.first(where: { $0.store == name }) else {
      return (
        nil,
        Store(
          try failingVolume { () throws(VolumeError) in
            try group.mapper(version, leg: input.options.leg).source(of: name)
          })
      )
    }
    let volume = try failingVolume { () throws(VolumeError) in
      try SnapshotVolume(snapshot, of: version, group, leg: input.options.leg)
    }
    return (volume, Store(volume.store))
  }

  private static func openFile(
    _ argument: PathArgument, _ input: VolumeInput
  ) throws(Failure) -> any BlockSource {
    guard FileTarget.exists(FilePath(argument.path)) else { throw input.noVolume(argument) }
    return try argument.open(input.options.input)
  }

  /// The origin, where a command cannot do without.
  func requireOrigin() throws(Failure) -> any BlockSource {
    if let origin { return origin }
    if let volume { return try volume.requireOrigin() }
    throw Failure(
      .couldNotFinish,
      "\(store.source.name): is no snapshot by its group's metadata: `dmsnap lvm extract` reads it;"
        + " --origin ORIGIN makes it a store")
  }

  /// The origin as a merge has it: all of a volume, which may be longer than its snapshot.
  func requireMergeOrigin() throws(Failure) -> MergeOrigin {
    if let originVolume { return .volume(originVolume) }
    return .bytes(try requireOrigin())
  }

  /// Ends the command where the store or the origin was changed since it was opened: nobody knows
  /// then what was read.
  func requireUnchanged() throws(Failure) {
    try failing { () throws(BlockIOError) in
      try store.source.checkUnchanged()
      try origin?.checkUnchanged()
    }
  }

  // MARK: - The table

  /// An auditor of the store.
  var auditor: Auditor {
    Auditor(
      store, origin: origin, reading: options.table.reading, chunkSize: options.table.chunkSize,
      volume: volume)
  }

  /// Plans the salvage of the store.
  func plan() throws(Failure) -> SalvagePlan {
    try store.failing { () throws(StoreError) in
      try SalvagePlan(
        store, chunkSize: options.table.chunkSize ?? volume?.chunkSize(of: store),
        originByteCount: origin?.byteCount)
    }
  }

  /// Reads the store's table.
  func loadTable() throws(Failure) -> LoadedTable {
    if options.table.reading == .salvage {
      let plan = try plan()
      return try store.failing { () throws(StoreError) in
        try LoadedTable(plan, generation: options.table.generation ?? 0)
      }
    }
    return try store.failing { () throws(StoreError) in
      try LoadedTable(store, reading: options.table.reading)
    }
  }
}

extension Store {
  /// Runs a call on the store, and makes what it throws a failure of the command.
  func failing<Result>(_ body: () throws(StoreError) -> Result) throws(Failure) -> Result {
    do throws(StoreError) { return try body() } catch { throw failure(error) }
  }

  /// The failure that an error is: that nothing is found where nothing can be read is no word on
  /// what is there, and neither is what is found in a file that is being changed.
  func failure(_ error: StoreError) -> Failure {
    do throws(BlockIOError) { try source.checkUnchanged() } catch { return Failure(error) }
    let unread = source.knownUnreadable(in: 0..<source.byteCount).totalCount
    switch error {
    case .notAStore where unread > 0, .noGeneration where unread > 0:
      return Failure(
        .damage,
        "\(source.name): nothing is left of its table: \(byteSize(unread)) of \(byteSize(source.byteCount))"
          + " cannot be read")
    default: return Failure(error)
    }
  }
}

extension SnapshotVolume {
  /// The origin, unless it is laid out in a way that is not read.
  func requireOrigin() throws(Failure) -> any BlockSource {
    if let origin { return origin }
    throw originError.map { Failure($0) } ?? Failure(.couldNotFinish, "there is no origin")
  }

  /// What the group's metadata tells of the snapshot.
  func check() throws(Failure) -> [Finding] {
    try failing { () throws(BlockIOError) in try VolumeCheck(self).findings }
  }

  /// Says what the user should know of the volume group that the snapshot is of.
  func warn(_ talk: MessageOptions) throws(Failure) {
    if talk.quiet { return }
    for finding in try check() where finding.severity != .note {
      Console.say("dmsnap: \(store.name): " + finding.line + ": \(finding.found)")
    }
  }
}
