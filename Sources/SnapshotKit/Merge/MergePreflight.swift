internal import BlockIO
internal import LVM2
internal import MD
internal import SnapshotFormat
internal import SystemPackage

/// All checks before a merge: for merges, undos, resumed merges, and plans alike.
///
/// It makes sure that the checked file is the one written: every file is opened once, by its given
/// name, and known by its device and inode from then on.
struct MergePreflight {
  let request: MergeRequest
  private let purpose: MergePurpose
  /// Notes for the user.
  var notes: [String] = []

  init(_ request: MergeRequest, _ purpose: MergePurpose) {
    var request = request
    // Areas read earlier, for a look or for another merge, may have changed since.
    request.store = Store(request.store.source, in: request.store.surroundings)
    self.request = request
    self.purpose = purpose
  }

  /// Runs every check.
  mutating func run(_ progress: MergeProgress) throws(MergeError) -> CheckedMerge {
    let source = try originSource()
    if purpose != .copy {
      try checkRawOrigin()
      if let snapshot = request.snapshot { try checkReuse(snapshot) }
      if case .volume(let volume) = request.origin { try check(volume) }
      try checkFilesApart(source)
    }
    let existingUndo = try openUndo(besides: source)
    if purpose != .copy { try checkUnused(source) }
    // Nothing is opened for writing if the table will not be merged.
    let loaded = try load(over: source)
    let target = purpose == .copy ? nil : try open(source)
    let snapshot = Snapshot(loaded, of: target ?? source)
    let whole = snapshot.view
    let (isUndo, isDamaged, origin) = try checkContent(snapshot)
    if purpose != .copy, case .volume(let volume) = request.origin {
      try checkSiblings(of: volume, whole)
      // Legs may differ after an interrupted merge.
      let hasBegun = [.saved, .finished].contains(existingUndo.flatMap { UndoManifest($0)?.state })
      if !hasBegun, !isUndo { try checkLegs(volume, whole) }
      try noteStaleLegs(of: volume, source)
    }
    if loaded.exceptionCount == 0, loaded.hasOlderTable {
      notes.append(
        "\(request.store.source.name): has no exceptions, and nothing is merged; it still"
          + " holds an older table: see `dmsnap inspect`")
    }
    let view = try skippingIdentical(whole, existingUndo) { progress(.comparing, $0, $1) }
    try checkIsReadable(view)
    try checkPlan(view, existingUndo) { progress(.planning, $0, $1) }
    try checkUndoFile(existingUndo, view)
    // We have written nothing yet: the metadata that was read still holds.
    for read in [loaded.store.source, source] { try io(try read.checkUnchanged()) }
    return CheckedMerge(
      request: request, snapshot: snapshot, view: view, origin: origin, isUndo: isUndo,
      isDamagedUndo: isDamaged, notes: notes, target: target, existingUndo: existingUndo)
  }

  // MARK: - Files

  private func originSource() throws(MergeError) -> any BlockSource {
    switch request.origin {
    case .bytes(let source): return source
    case .volume(let origin):
      return try wrapping(MergeError.volume, try origin.source())
    }
  }

  /// Refuses an origin that shares bytes with the store.
  ///
  /// Both may be in one file.
  private func checkFilesApart(_ origin: any BlockSource) throws(MergeError) {
    let store = request.store.source
    let (own, others) = (FileRanges(of: origin), FileRanges(of: store))
    if !own.isEmpty, own == others {
      throw .refused(
        MergeRefusal(
          .storeIsOrigin, "\(origin.name): is the store itself; a store is never written"))
    }
    if own.overlap(others) {
      throw .refused(
        MergeRefusal(
          .storeIsOrigin,
          "\(origin.name): has bytes in common with \(store.name); a store is never written"))
    }
    for target in origin.files {
      for source in store.files where target.identity != source.identity {
        if DeviceUse.overlap(target.identity, source.identity) {
          throw .refused(
            MergeRefusal(
              .storeIsOrigin,
              "\(target.name): shares bytes with the store (as a disk and its partition do, or a"
                + " loop device and its file); a store is never written"))
        }
      }
    }
  }

  /// Refuses an origin that is by its own content a part of something larger: a member of an array,
  /// a physical volume; and a volume other than the snapshot's origin.
  private func checkRawOrigin() throws(MergeError) {
    switch request.origin {
    case .volume(let volume):
      guard let snapshot = request.snapshot, !request.accepted.contains(.unrelatedOrigin),
        !volume.isOrigin(of: snapshot)
      else { return }
      throw .refused(
        MergeRefusal(
          .unrelatedOrigin,
          "\(volume.text): \(snapshot.store.name) is a snapshot of"
            + " \(snapshot.version.name)/\(snapshot.snapshot.origin) by the group's metadata;"
            + " `--accept unrelated-origin` merges nevertheless"))
    case .bytes(let source):
      if !request.accepted.contains(.degradedArray) {
        let member = try io(try ArraySuperblock(of: source))
        if let member {
          throw .refused(
            MergeRefusal(
              .degradedArray,
              "\(source.name): is \(member.memberDescription), which would not know of the merge;"
                + " assemble it and name its device; `--accept degraded-array` merges"
                + " nevertheless"))
        }
      }
      if !request.accepted.contains(.unrelatedOrigin) {
        let label = try io(try PhysicalVolumeLabel.find(in: source))
        if label?.isSound == true {
          throw .refused(
            MergeRefusal(
              .unrelatedOrigin,
              "\(source.name): is a physical volume of LVM2: name its volume, with --pv;"
                + " `--accept unrelated-origin` merges nevertheless"))
        }
      }
    }
  }

  /// Opens an existing undo file, if one is given, for reading; it must not be an input.
  private func openUndo(besides origin: any BlockSource) throws(MergeError) -> FileSource? {
    guard let path = request.undoPath, FileTarget.exists(path) else { return nil }
    let file = try io(try FileSource(path: path))
    let inputs = origin.files + request.store.source.files
    if inputs.contains(where: { DeviceUse.overlap($0.identity, file.identity) }) {
      throw .refused(
        MergeRefusal(
          .undoIsInput,
          "\(path): is the store or the origin itself, or shares bytes with it; not an undo file"))
    }
    return file
  }

  /// Refuses an undo file that the merge could not continue with, or that could not be made.
  private func checkUndoFile(
    _ existing: FileSource?, _ view: SnapshotView
  ) throws(MergeError) {
    guard let path = request.undoPath else { return }
    guard let existing else {
      _ = try io(try OutputFile.availableByteCount(at: path))
      return
    }
    try UndoFile.check(existing, byteCount: UndoStore.byteCount(for: view))
    if UndoManifest(existing) != nil {
      try UndoStore.existingManifest(in: existing, of: view, over: view.origin)
    }
  }

  /// Refuses inputs that may be in use.
  private func checkUnused(_ origin: any BlockSource) throws(MergeError) {
    for file in origin.files + request.store.source.files {
      try io(try FileTarget.checkUnused(file.identity, name: file.name))
    }
  }

  /// Opens the origin for writing, or checks whether it could be.
  private func open(
    _ source: any BlockSource
  ) throws(MergeError) -> (any BlockTarget)? {
    if case .bytes = request.origin, source is VolumeSource {
      throw .refused(
        MergeRefusal(
          .targetNotWritable,
          "\(source.name): has gaps, or is made of several parts, and is not written; use --to"))
    }
    try io(try (source as? VolumeSource)?.checkWritable(), as: .targetNotWritable)
    guard purpose == .merge else {
      for file in source.files {
        try io(try FileTarget.checkWritable(file))
      }
      return nil
    }
    var opening = TargetOpening()
    return try io(try opening.target(of: source))
  }

  // MARK: - The table and its content

  private func load(over origin: any BlockSource) throws(MergeError) -> LoadedTable {
    let store = request.store
    do throws(StoreError) {
      guard request.reading == .salvage else {
        return try LoadedTable(
          store, reading: request.reading, originByteCount: origin.byteCount)
      }
      let plan = try SalvagePlan(
        store, chunkSize: request.chunkSize ?? request.snapshot?.chunkSize(of: store),
        originByteCount: request.snapshot?.origin?.byteCount ?? origin.byteCount)
      return try LoadedTable(
        plan, generation: request.generation, of: request.snapshot?.origin ?? origin,
        placing: request.placing)
    } catch {
      throw .store(error)
    }
  }

  /// Refuses a table that does not fit the origin.
  private mutating func checkContent(
    _ snapshot: Snapshot
  ) throws(MergeError) -> (isUndo: Bool, isDamaged: Bool, origin: OriginCheck) {
    let (loaded, view) = (snapshot.loaded, snapshot.view)
    let obstacle = try wrapping(
      MergeError.store, try loaded.mergeObstacle(originByteCount: view.byteCount))
    if let obstacle {
      // No device has more than 2^63 bytes: such an exception is damaged.
      throw .refused(
        MergeRefusal(
          .kernelWouldFail,
          obstacle.kind == .oldBeyondOrigin && lastOldByteOffset(loaded) <= Int64.max
            ? "\(view.originName): has \(view.byteCount) bytes, and the table of"
              + " \(request.store.source.name) has exceptions beyond them, up to byte"
              + " \(lastOldByteOffset(loaded)): name the right origin, or a longer copy of it;"
              + " `--reading salvage --accept small-origin` leaves those exceptions out"
            : "\(request.store.source.name): \(obstacle); `--reading salvage` leaves out invalid"
              + " exceptions"))
    }
    let (isUndo, isDamaged) = try checkUndoStore(loaded, view)
    if refuses(.smallOrigin), let count = loaded.beyondOriginCount {
      throw .refused(
        MergeRefusal(
          .smallOrigin,
          "\(view.originName): is smaller than the table needs: \(count)"
            + " \(count == 1 ? "exception" : "exceptions") would be dropped; `--accept"
            + " small-origin` merges the others"))
    }
    let origin = try wrapping(MergeError.store, try snapshot.checkOrigin())
    // An undo store that knows its origin is not contradicted; one that does not is like any other
    // store.
    if refuses(.unrelatedOrigin), let contradiction = origin.contradiction {
      throw .refused(
        MergeRefusal(
          .unrelatedOrigin,
          "\(view.originName):"
            + " \(contradiction)\(contradiction.description.hasSuffix("?") ? "" : ";") `--accept"
            + " unrelated-origin` merges nevertheless"))
    }
    return (isUndo, isDamaged, origin)
  }

  /// Where the last old chunk of a table begins in the origin.
  private func lastOldByteOffset(_ loaded: LoadedTable) -> UInt64 {
    let (offset, overflow) = (loaded.table.runs.last?.lastOld ?? 0)
      .multipliedReportingOverflow(by: loaded.geometry.chunkSize.byteCount)
    return overflow ? .max : offset
  }

  /// Whether a risk is a reason not to merge.
  private func refuses(_ risk: AcceptedRisk) -> Bool {
    purpose != .copy && !request.accepted.contains(risk)
  }

  /// Refuses an undo store that does not fit the origin, or is damaged; the salvage reading, with
  /// the risk accepted, restores what it can.
  private mutating func checkUndoStore(
    _ loaded: LoadedTable, _ view: SnapshotView
  ) throws(MergeError) -> (isUndo: Bool, isDamaged: Bool) {
    let isSalvage = view.table.reading == .salvage
    do throws(MergeError) {
      let isUndo = try UndoStore.check(loaded.store, belongsTo: view.origin, through: view)
      guard isUndo, isSalvage, try UndoStore.isDamaged(loaded.store, through: view) else {
        return (isUndo, false)
      }
      notes.append(
        "\(request.store.source.name): is a damaged undo store: the restored data may be wrong")
    } catch {
      guard case .refused(let refusal) = error, refusal.isOfUndoStore, isSalvage,
        request.accepted.contains(.unrelatedOrigin)
      else { throw error }
      notes.append(refusal.description)
    }
    return (true, true)
  }

  // MARK: - What is left out

  /// Leaves out chunks that the origin already holds, if requested.
  private func skippingIdentical(
    _ view: SnapshotView, _ saved: FileSource?, _ progress: ProgressHandler
  ) throws(MergeError) -> SnapshotView {
    guard request.skipsIdentical else { return view }
    if let saved {
      let restricted = try wrapping(MergeError.store, try view.restricted(toUndo: saved))
      if let restricted {
        let difference = try wrapping(
          MergeError.store, try view.firstDifference(besidesUndo: saved))
        guard let difference else { return restricted }
        throw .refused(
          MergeRefusal(
            .undoOfOther,
            "\(saved.name): is the undo store of another merge, or \(view.originName) was written"
              + " since: byte \(difference) is not as in the snapshot, and was not saved"))
      }
    }
    return try io(try view.skippingIdentical(progress: progress))
  }

  /// Refuses a merge that does not fit the plan that it must follow.
  private func checkPlan(
    _ view: SnapshotView, _ saved: FileSource?, _ progress: ProgressHandler
  ) throws(MergeError) {
    guard let file = request.plan else { return }
    var before = view.origin
    if let saved {
      let undone = try wrapping(
        MergeError.store, try SnapshotView(undoing: saved, over: view.origin))
      before = undone ?? view.origin
    }
    try MergePlan(file).check(
      view, over: before, against: file, mayBeMerged: request.wayBack == .none, progress: progress)
  }

  /// Refuses a merge that is known to stop half-way.
  ///
  /// A salvage leaves out unreadable chunks.
  private func checkIsReadable(_ view: SnapshotView) throws(MergeError) {
    // Asked of the whole store first: a table may have millions of runs.
    guard purpose != .copy, view.table.reading != .salvage, view.store.hasKnownUnreadable
    else { return }
    let lost = view.knownLosses.filter { $0.reason == .storeUnreadable }
    guard let first = lost.first?.range else { return }
    throw .refused(
      MergeRefusal(
        .storeUnreadable,
        "\(request.store.source.name): \(lost.map(\.range).totalCount) bytes of the snapshot's data"
          + " cannot be read, the first for byte \(first.lowerBound) of the origin;"
          + " `--reading salvage` merges the rest"))
  }

  /// The value of an expression; where the library refuses a file, the merge is refused with that
  /// code.
  func io<Value>(
    _ value: @autoclosure () throws(BlockIOError) -> Value,
    as code: MergeRefusalCode = .targetUnavailable
  ) throws(MergeError) -> Value {
    try wrapping({ MergeError($0, as: code) }, try value())
  }
}

extension MergeRefusal {
  /// Whether it is about an undo store that may be another origin's, or is damaged.
  fileprivate var isOfUndoStore: Bool {
    [.undoElsewhere, .undoIncomplete, .undoDamaged].contains(code)
  }
}
