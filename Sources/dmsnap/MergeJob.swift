import BlockIO
import LVM2
import SnapshotFormat
import SnapshotKit
import SystemPackage

/// What `dmsnap merge` was asked to do, a plan that it was given included.
struct MergeJob {
  private let input: StoreOptions
  private let origin: PathArgument?
  private let undo: String?
  private let noUndo: Bool
  private let skipIdentical: Bool
  private let plan: MergePlan?
  private let command: Merge

  init(_ command: Merge) throws(Failure) {
    self.command = command
    guard let file = command.apply else {
      guard let store = command.store else {
        preconditionFailure("arguments were not validated")
      }
      input = StoreOptions(store, command.volumes, command.table)
      origin = command.origin
      (undo, noUndo, skipIdentical) = (command.undo, command.noUndo, command.skipIdentical)
      plan = nil
      return
    }
    let source = try file.open()
    let plan = try failingMerge { () throws(MergeError) in try MergePlan(source) }
    guard let store = command.store ?? PathArgument(argument: plan.store),
      let origin = command.origin ?? PathArgument(argument: plan.origin),
      let table = TableOptions(plan), let volumes = VolumeOptions(plan, command.volumes.input)
    else {
      throw Failure(.refused, "\(file.text): is not a plan that this program could have made")
    }
    input = StoreOptions(store, volumes, table)
    self.origin = origin
    let hasWay = command.undo != nil || command.noUndo
    undo = hasWay ? command.undo : plan.undo
    noUndo = hasWay ? command.noUndo : plan.noUndo
    skipIdentical = plan.skipIdentical
    self.plan = plan
    if undo == nil, !noUndo, !command.dryRun {
      throw Failure(.refused, "\(file.text): names no undo file: say --undo FILE or --no-undo")
    }
  }

  /// Whether the origin itself is to be merged into.
  private var isInPlace: Bool { command.to == nil }
  private var writes: Bool { !command.dryRun && command.plan == nil }

  func run() throws(Failure) {
    let found = try StoreInput(input, origin: origin)
    try found.volume?.warn(command.talk)
    let original = try found.requireWholeOrigin()
    let loaded = try found.loadTable()
    let place = MergeTarget(found, origin: origin)
    if isInPlace { try place.check(undo: undo, skipIdentical: skipIdentical) }
    if let plan = command.plan {
      try failing { () throws(BlockIOError) in try OutputFile.checkAbsent(FilePath(plan)) }
    }
    // A target is locked first, so that all the checks are of what will be written.
    let target = isInPlace && writes ? try place.open() : nil
    let source: any BlockSource = if let target { target } else { original }
    let whole = SnapshotView(of: source, through: loaded.table, of: loaded.store.source)
    let (isUndo, isDamagedUndo, origin) = try check(loaded, whole, source)
    loaded.warn(about: whole, origin, command.talk, isDoubted: !isInPlace)
    if !isInPlace, writes, let to = command.to {
      return try ImageWriter(whole, loaded, source, found.volume, origin)
        .write(to: to, command: "merge", command.format, command.talk)
    }
    // An undo gives back what other snapshots were taken of.
    if isInPlace, !isUndo { try checkSiblings(found, whole, source) }
    let view = try skippingIdentical(whole)
    let report = MergeReporter(
      command, loaded, view, found, undo: undo,
      skippedByteCount: whole.mappedByteCount - view.mappedByteCount,
      isDamagedUndo: isDamagedUndo, origin.contradiction == nil ? origin : nil)
    if let file = command.plan { try write(view, of: found, to: file) }
    try checkPlan(view, source)
    guard let target else {
      try found.requireUnchanged()
      return try report.sayPlan()
    }
    let outcome = try merge(loaded, view, target)
    try report.say(outcome)
  }

  // MARK: - Whether it is right

  /// Refuses a table that does not fit the origin.
  ///
  /// - Returns: Whether the store is an undo store, whether it is a damaged one, and what tells of
  ///   the origin.
  private func check(
    _ loaded: LoadedTable, _ view: SnapshotView, _ source: any BlockSource
  ) throws(Failure) -> (isUndo: Bool, isDamaged: Bool, origin: OriginCheck) {
    let obstacle = try failingStore { () throws(StoreError) in
      try loaded.mergeObstacle(originByteCount: source.byteCount)
    }
    if let obstacle {
      throw Failure(MergeError.kernelWouldFail(store: input.store.text, obstacle))
    }
    let (isUndo, isDamaged) = try checkUndoStore(loaded, view, source)
    if isInPlace, !command.accept.contains(.smallOrigin), let count = loaded.beyondOriginCount {
      throw Failure(
        .refused,
        "\(source.name): is smaller than the table needs: \(counted(count, "exception")) would be"
          + " dropped; `--accept small-origin` merges the others")
    }
    let origin = try loaded.check(view)
    if isInPlace, !isUndo, !command.accept.contains(.unrelatedOrigin),
      let contradiction = origin.contradiction
    {
      throw Failure(MergeError.contradiction(contradiction, origin: source.name))
    }
    return (isUndo, isDamaged, origin)
  }

  /// Refuses an undo store that does not fit the origin, or is damaged; whoever knows that, and
  /// salvages it, gets what there is.
  private func checkUndoStore(
    _ loaded: LoadedTable, _ view: SnapshotView, _ source: any BlockSource
  ) throws(Failure) -> (isUndo: Bool, isDamaged: Bool) {
    let isSalvage = view.table.reading == .salvage
    do throws(MergeError) {
      let isUndo = try UndoStore.check(loaded.store, belongsTo: source, through: view)
      guard isUndo, isSalvage, try UndoStore.isDamaged(loaded.store, through: view) else {
        return (isUndo, false)
      }
      Console.say(
        "dmsnap: \(input.store.text): is a damaged undo store: what it restores may be wrong")
    } catch {
      guard case .notThisOrigin = error, isSalvage, command.accept.contains(.unrelatedOrigin) else {
        throw Failure(error)
      }
      Console.say("dmsnap: \(error)")
    }
    return (true, true)
  }

  /// Leaves out what the origin holds already, where that is asked for.
  private func skippingIdentical(_ view: SnapshotView) throws(Failure) -> SnapshotView {
    guard skipIdentical else { return view }
    if let saved = try existingUndo() {
      let restricted = try failingStore { () throws(StoreError) in
        try view.restricted(toUndo: saved)
      }
      if let restricted {
        let difference = try failingStore { () throws(StoreError) in
          try view.firstDifference(besidesUndo: saved)
        }
        guard let difference else { return restricted }
        throw Failure(
          .refused,
          "\(saved.name): is the undo store of another merge, or \(view.originName) was written since:"
            + " byte \(difference) is not as in the snapshot, and was not saved")
      }
    }
    let line = ProgressLine("compared", command.talk)
    let restricted = try failing { () throws(BlockIOError) in
      try view.skippingIdentical { line.update($0, $1) }
    }
    line.end()
    return restricted
  }

  /// The undo file, where there is one already.
  private func existingUndo() throws(Failure) -> FileSource? {
    guard let undo, FileTarget.exists(FilePath(undo)) else { return nil }
    return try failing { () throws(BlockIOError) in try FileSource(path: FilePath(undo)) }
  }

  /// Refuses to write what other snapshots of the origin still show through it.
  ///
  /// Linux copies to them what its merge overwrites; here nobody does.
  private func checkSiblings(
    _ found: StoreInput, _ view: SnapshotView, _ origin: any BlockSource
  ) throws(Failure) {
    guard let target = found.originVolume, !command.accept.contains(.otherSnapshots) else { return }
    // As the group is now, whatever version the store is of.
    let now = target.group.group
    func uuid(of name: String, in group: VolumeGroup) -> LVMIdentifier? {
      group.logicalVolumes.first { $0.name == name }?.uuid
    }
    let own = found.volume?.volume?.uuid
    let originUUID = uuid(of: target.name, in: target.version)
    let siblings = now.snapshots.filter {
      uuid(of: $0.origin, in: now) == originUUID && uuid(of: $0.store, in: now) != own
    }
    var affected: [String] = []
    for sibling in siblings {
      let name = "\(now.name)/\(sibling.store)"
      let isLeftAlone: Bool
      do {
        let other = try SnapshotVolume(sibling, of: now, target.group).store
        let table = try LoadedTable(Store(other), reading: .kernel).table
        isLeftAlone = view.leavesAlone(
          SnapshotView(of: origin, through: table, of: other))
      } catch {
        isLeftAlone = false  // what it has cannot be told, and may be salvaged yet
      }
      if !isLeftAlone { affected.append(name) }
    }
    if affected.isEmpty { return }
    throw Failure(
      .refused,
      "\(view.originName): \(affected.joined(separator: ", ")) would show what is written, having no"
        + " copies of their own; export them first, and say `--accept other-snapshots`, or use --to"
    )
  }

  // MARK: - Plans

  private func write(
    _ view: SnapshotView, of found: StoreInput, to path: String
  ) throws(Failure) {
    let table = input.table
    let plan = MergePlan(
      store: found.isStoreVolume ? input.store.text : input.store.absolute,
      origin: found.originVolume?.text ?? origin?.absolute ?? "", volumes: input.volumes.planned,
      reading: table.reading,
      chunkSizeAsked: table.chunkSizeAsked, generation: table.generation,
      map: table.map?.absolute, skipIdentical: skipIdentical,
      undo: undo.map(absolutePath), noUndo: noUndo, of: view)
    let line = ProgressLine("planned", command.talk)
    try failingMerge { () throws(MergeError) in
      let file: OutputText
      do throws(BlockIOError) { file = try OutputText(path: FilePath(path)) } catch {
        throw .io(error)
      }
      try plan.write(view, to: file) { line.update($0, $1) }
    }
    line.end()
  }

  /// Refuses where a plan that is to be applied does not fit.
  private func checkPlan(_ view: SnapshotView, _ source: any BlockSource) throws(Failure) {
    guard let plan, let file = try command.apply?.open() else { return }
    let line = ProgressLine("compared with the plan", command.talk)
    var before = source
    if let saved = try existingUndo() {
      let undone = try failingStore { () throws(StoreError) in
        try SnapshotView(undoing: saved, over: source)
      }
      before = undone ?? source
    }
    try failingMerge { () throws(MergeError) in
      try plan.check(view, over: before, against: file, mayBeMerged: noUndo) {
        line.update($0, $1)
      }
    }
    line.end()
  }

  // MARK: - The merge itself

  private func merge(
    _ loaded: LoadedTable, _ view: SnapshotView, _ target: any BlockTarget
  ) throws(Failure) -> Merger.Outcome {
    var undoStore: UndoStore?
    if let undo { undoStore = try prepareUndo(undo, view, target) }
    StopRequest.listen()
    let line = ProgressLine("merged", command.talk)
    let outcome = try failingMerge(input.volumes) { () throws(MergeError) in
      try Merger(view, of: loaded.store.source, into: target).merge(
        undo: undoStore, verify: command.verify, progress: { line.update($0, $1) },
        shouldStop: { StopRequest.isMade })
    }
    line.end()
    return outcome
  }

  private func prepareUndo(
    _ path: String, _ view: SnapshotView, _ target: any BlockTarget
  ) throws(Failure) -> UndoStore {
    try failingMerge { () throws(MergeError) in
      let (file, isNew) = try UndoFile.open(
        FilePath(path), byteCount: UndoStore.byteCount(for: view)
      ) {
        UndoStore.unsharedByteCount(for: view, over: target, in: $0)
      }
      return try UndoStore(of: view, over: target, in: file, isNew: isNew)
    }
  }
}

extension TableOptions {
  /// How a plan says that the table is read.
  fileprivate init?(_ plan: MergePlan) {
    self.init()
    guard let reading = Reading(rawValue: plan.reading) else { return nil }
    readingAsked = reading
    chunkSizeAsked = plan.chunkSizeAsked
    generation = plan.generation
    map = plan.map.flatMap { PathArgument(argument: $0) }
    guard (try? validate()) != nil else { return nil }
  }
}

extension VolumeOptions {
  /// How a plan says that the volume group is found.
  fileprivate init?(_ plan: MergePlan, _ input: InputOptions) {
    self.init()
    self.input = input
    let volumes = plan.volumes
    physicalVolumes = []
    for text in volumes?.physicalVolumes ?? [] {
      guard let volume = PhysicalVolumeArgument(argument: text) else { return nil }
      physicalVolumes.append(volume)
    }
    vgcfg = volumes?.vgcfg.flatMap { PathArgument(argument: $0) }
    (seqno, leg) = (volumes?.seqno, volumes?.leg)
    guard (try? validate()) != nil else { return nil }
  }

  /// What a plan says of them.
  fileprivate var planned: MergePlan.Volumes? {
    physicalVolumes.isEmpty
      ? nil
      : MergePlan.Volumes(
        physicalVolumes: physicalVolumes.map(\.absolute), vgcfg: vgcfg?.absolute, seqno: seqno,
        leg: leg)
  }
}
