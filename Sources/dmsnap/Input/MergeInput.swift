import BlockIO
import Inputs
import LVM2
import SnapshotKit
import SystemPackage

/// The request to `dmsnap merge`, from its arguments and its plan.
struct MergeInput {
  /// The store and the origin, as the user named them.
  let options: StoreOptions
  let origin: PathArgument?
  let undo: String?
  let noUndo: Bool
  let skipIdentical: Bool
  /// The store and origin that they name.
  let found: StoreInput
  let request: MergeRequest

  init(_ command: Merge) throws {
    let plan = try command.apply.map { (file) throws in try PlanArguments(file, command) }
    if let plan {
      (options, origin, undo, noUndo) = (plan.options, plan.origin, plan.undo, plan.noUndo)
      skipIdentical = plan.plan.skipIdentical
    } else {
      options = command.input.named
      (origin, undo, noUndo) = (command.originInput.origin, command.undo, command.noUndo)
      skipIdentical = command.skipIdentical
    }
    RunRecord.note { [undo] in $0.undo = undo }
    found = try StoreInput(options, origin: origin)
    var target = try found.requireMergeOrigin()
    if case .volume(var volume) = target {
      volume.writesAllLegs = plan?.plan.allLegs ?? command.allLegs
      target = .volume(volume)
    }
    var request = MergeRequest(
      of: found.store, found.volume, into: target,
      wayBack: undo.map { .undo(FilePath($0)) } ?? .none)
    request.reading = options.table.reading
    request.chunkSize = options.table.chunkSize
    request.generation = options.table.generation ?? 0
    if options.table.reading == .salvage { request.placing = try found.placing() }
    request.skipsIdentical = skipIdentical
    request.accepted = Set(command.accept)
    request.plan = plan?.source
    self.request = request
  }

  /// The plan of a merge that was checked.
  func plan(of merge: CheckedMerge) -> MergePlan {
    let table = options.table
    return MergePlan(
      store: found.isStoreVolume ? options.store.text : options.store.absolute,
      origin: found.originVolume?.text ?? origin?.absolute ?? "",
      volumes: options.volumes.planned, reading: table.reading,
      chunkSizeAsked: table.chunkSizeAsked, generation: table.generation,
      place: table.placeAsked, siblings: table.siblings.map(\.absolute),
      map: table.map?.absolute, skipIdentical: skipIdentical, undo: undo.map(absolutePath),
      noUndo: noUndo, allLegs: writesAllLegs, of: merge.view)
  }

  /// The command that undoes the merge; nil if there is no way back.
  var undoCommand: String? {
    undo.map { undo in
      // With volume groups a relative path may look like one of their volumes; otherwise, like an
      // option.
      let isRelative =
        undo.hasPrefix("-") || !undo.hasPrefix("/") && !options.volumes.physicalVolumes.isEmpty
      var accepted = request.accepted.subtracting([.smallOrigin])
      // To the undo, the snapshot itself, which Linux does not show, is another snapshot.
      if found.volume != nil, options.table.reading == .salvage { accepted.insert(.otherSnapshots) }
      return "dmsnap merge \(quoted(isRelative ? "./\(undo)" : undo)) --origin \(originWords)"
        + "\(options.volumes.words) --no-undo" + words(accepted)
        + (writesAllLegs ? " --all-legs" : "")
    }
  }

  /// The command that shows the result of the merge.
  var previewCommand: String {
    "dmsnap merge \(quoted(options.store.text))"
      + " --origin \(originWords)" + options.table.words + options.volumes.words
      + words(request.accepted) + " --preview"
  }

  /// An error of the merge; an interruption, with how to go on.
  func advised(_ error: MergeError) -> Failure {
    var description = error.description
    if case .cut(let cut) = error { description += "; " + cut.advice(undo: undoCommand) }
    return Failure(error.status, description, code: error.code, at: error.place)
  }

  /// The options that accept risks, each after a space.
  func words(_ accepted: Set<AcceptedRisk>) -> String {
    accepted.map { " --accept \($0.rawValue)" }.sorted().joined()
  }

  private var writesAllLegs: Bool {
    if case .volume(let volume) = request.origin { volume.writesAllLegs } else { false }
  }

  /// The origin as the user named it, for commands to repeat.
  var originWords: String {
    guard let volume = found.originVolume else { return quoted(origin?.text ?? "") }
    // If another group has the same name, the UUID distinguishes them.
    return quoted(
      found.isNameAmbiguous ? "\(volume.volume.version.uuid)/\(volume.volume.name)" : volume.text)
  }
}

extension MergeCut {
  /// How to go on.
  ///
  /// - Parameter undo: The command that undoes it.
  fileprivate func advice(undo: String?) -> String {
    switch stage {
    case .saving: "run the same command again"
    case .merging(undo: .some):
      "run the same command again to finish it; to undo: \(undo ?? "merge the undo file")"
    case .merging(nil): "run the same command again: it starts over, to the same result"
    }
  }
}

/// The arguments in a plan, and those that the command line changes.
private struct PlanArguments {
  let plan: MergePlan
  let source: any BlockSource
  let options: StoreOptions
  let origin: PathArgument
  let undo: String?
  let noUndo: Bool

  init(_ file: PathArgument, _ command: Merge) throws {
    let source = try file.open()
    self.source = source
    plan = try MergePlan(source)
    guard let store = command.input.store ?? PathArgument(argument: plan.store),
      let origin = command.originInput.origin ?? PathArgument(argument: plan.origin),
      let table = TableOptions(plan),
      // Disks may have other names by now.
      let volumes = command.input.volumes.physicalVolumes.isEmpty
        ? VolumeOptions(plan, command.input.volumes.input) : command.input.volumes
    else {
      throw Failure(.refused, "\(file.text): is not a plan that this program could have made")
    }
    options = StoreOptions(store, volumes, table)
    self.origin = origin
    let hasWay = command.undo != nil || command.noUndo
    undo = hasWay ? command.undo : plan.undo
    noUndo = hasWay ? command.noUndo : plan.noUndo
    if undo == nil, !noUndo, !command.dryRun {
      throw Failure(.refused, "\(file.text): names no undo file: give --undo FILE or --no-undo")
    }
    if !command.messages.quiet {
      Console.say(
        "dmsnap: \(file.text): merges \(store.text) into \(origin.text), "
          + (undo.map { "with the way back in \($0)" } ?? "without a way back"))
    }
  }
}

extension TableOptions {
  /// The reading that a plan records.
  fileprivate init?(_ plan: MergePlan) {
    self.init()
    guard let reading = Reading(rawValue: plan.reading) else { return nil }
    readingAsked = reading
    chunkSizeAsked = plan.chunkSizeAsked
    generation = plan.generation
    placeAsked = plan.place.flatMap(PlacementLevel.init(rawValue:))
    if plan.place != nil, placeAsked == nil { return nil }
    let paths = (plan.siblings ?? []).map { PathArgument(argument: $0) }
    siblings = paths.compactMap(\.self)
    if siblings.count < paths.count { return nil }
    map = plan.map.flatMap { PathArgument(argument: $0) }
    guard (try? validate()) != nil else { return nil }
  }
}

extension VolumeOptions {
  /// The volume group that a plan records.
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

  /// The part of them that a plan records.
  fileprivate var planned: MergePlan.Volumes? {
    physicalVolumes.isEmpty
      ? nil
      : MergePlan.Volumes(
        physicalVolumes: physicalVolumes.map(\.absolute), vgcfg: vgcfg?.absolute, seqno: seqno,
        leg: leg)
  }
}
