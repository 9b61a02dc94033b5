internal import BlockIO
internal import LVM2

// A volume of a group as the origin: whether it has changed, and is its own alone.

extension MergePreflight {
  /// Refuses a volume that may not be written to, before anything is opened for writing.
  func check(_ origin: OriginVolume) throws(MergeError) {
    try checkProblems(origin)
    try checkIdentities(origin)
    try checkIsNoStore(origin)
    try checkMetadata(origin)
    try checkPlace(origin)
    try checkExtents(origin)
    try checkIsThere(origin)
    try checkArrays(origin)
    if request.skipsIdentical {
      try checkWithoutCopies(origin, "--skip-identical would compare only one")
    }
    if origin.leg != nil {
      try checkWithoutCopies(origin, "--leg would save only one, and not the one in use")
    }
  }

  /// Refuses a store of which a part may have been overwritten: that would go into the origin.
  func checkReuse(_ snapshot: SnapshotVolume) throws(MergeError) {
    let reuse = try io(try snapshot.found.reuse(of: snapshot.snapshot.store, in: snapshot.version))
    if let owner = reuse.first?.owner {
      throw .refused(
        MergeRefusal(
          .storeReused,
          "\(snapshot.store.name): some of its extents were reallocated to"
            + " \(snapshot.version.name)/\(owner), whose data may be there now; --to writes a new"
            + " image"))
    }
  }

  /// Refuses a group that is in doubt, or now belongs to another.
  private func checkProblems(_ origin: OriginVolume) throws(MergeError) {
    let used = origin.physicalVolumes
    for problem in origin.found.problems {
      let isInDoubt =
        switch problem {
        case .duplicate(let uuid, _, _): used.contains(uuid)
        case .inOtherGroup(let volume, _, _): used.contains(volume.uuid)
        case .fromRing: true
        default: false
        }
      if isInDoubt {
        throw .refused(
          MergeRefusal(
            .groupInDoubt,
            "\(origin.text): \(problem): it is not written; --to writes a new image"))
      }
    }
  }

  /// Refuses a group in which several volumes have one UUID, and physical volumes that share bytes,
  /// such as overlapping partitions: writes to one would change the other.
  private func checkIdentities(_ origin: OriginVolume) throws(MergeError) {
    for version in [origin.version, origin.found.group]
    where Set(version.logicalVolumes.map(\.uuid)).count < version.logicalVolumes.count {
      throw .refused(
        MergeRefusal(
          .groupInDoubt,
          "\(origin.text): several volumes of \(version.name) have one UUID: it is not written"))
    }
    let used = origin.physicalVolumes
    let groups = [origin.found] + (request.snapshot.map { [$0.found] } ?? [])
    let others = groups.flatMap(\.physicalVolumes)
    for own in origin.found.physicalVolumes where used.contains(own.label.uuid) {
      let shared = others.first { $0.label.uuid != own.label.uuid && $0.sharesBytes(with: own) }
      guard let shared else { continue }
      throw .refused(
        MergeRefusal(
          .groupInDoubt,
          "\(origin.text): the physical volumes \(own.source.name) and \(shared.source.name) share"
            + " bytes: it is not written"))
    }
  }

  /// Refuses a volume that is another snapshot's store, even if only by the newest metadata.
  private func checkIsNoStore(_ origin: OriginVolume) throws(MergeError) {
    let uuid = origin.version.volume(named: origin.name)?.uuid
    for version in [origin.version, origin.found.group] {
      let own = version.logicalVolumes.first { $0.uuid == uuid }?.name
      guard let own, let snapshot = version.snapshots.first(where: { $0.store == own }) else {
        continue
      }
      throw .refused(
        MergeRefusal(
          .originIsStore,
          "\(origin.text): is the store of a snapshot of \(version.name)/\(snapshot.origin) by the"
            + " group's metadata; a store is never written"))
    }
  }

  /// Refuses a volume that has moved.
  private func checkPlace(_ origin: OriginVolume) throws(MergeError) {
    let now = origin.found.group
    guard origin.version != now,
      origin.version.mapping(below: origin.name) != now.mapping(below: origin.name)
    else { return }
    throw .refused(
      MergeRefusal(
        .originMoved,
        "\(origin.text): has moved since version \(origin.version.seqno), in which it cannot be"
          + " written; --to writes a new image"))
  }

  /// Refuses extents that are also the store's, another volume's, or the origin's twice.
  private func checkExtents(_ origin: OriginVolume) throws(MergeError) {
    let own = origin.version.allocations(below: origin.name)
    let ownVolumes = Set(own.map(\.volumeUUID))
    let others = [origin.version, origin.found.group].flatMap { version in
      version.allocations.filter { !ownVolumes.contains($0.volumeUUID) }
    }
    let used = Set(own.map(\.physicalVolume))
    for allocations in Dictionary(
      grouping: (own + others).filter { used.contains($0.physicalVolume) }, by: \.physicalVolume
    ).values {
      // In ascending order, each need only be compared with those that reach farthest.
      var (ownLast, otherLast): (Allocation?, Allocation?) = (nil, nil)
      for next in allocations.sorted(by: { $0.extents.lowerBound < $1.extents.lowerBound }) {
        let isOwn = ownVolumes.contains(next.volumeUUID)
        let before = [ownLast, isOwn ? otherLast : nil].compactMap(\.self)
          .first { $0.extents.upperBound > next.extents.lowerBound }
        if let before {
          let other = isOwn && ownVolumes.contains(before.volumeUUID) ? nil : isOwn ? before : next
          throw .refused(sharedExtents(of: origin, with: other))
        }
        if isOwn {
          ownLast = next.reaching(beyond: ownLast)
        } else {
          otherLast = next.reaching(beyond: otherLast)
        }
      }
    }
  }

  /// - Parameter other: Whose the extents also are; nil if they are the origin's twice.
  private func sharedExtents(of origin: OriginVolume, with other: Allocation?) -> MergeRefusal {
    let isStore = other != nil && other?.volume == request.snapshot?.snapshot.store
    let owner =
      other.map {
        isStore ? "also the store's" : "also those of \(origin.version.name)/\($0.volume)"
      } ?? "also its own in another place"
    return MergeRefusal(
      .sharedExtents,
      "\(origin.text): has extents that are \(owner), by the group's metadata"
        + (isStore ? "; a store is never written" : "; it is not written"))
  }

  /// Refuses extents that contain a label or a metadata area.
  private func checkMetadata(_ origin: OriginVolume) throws(MergeError) {
    for allocation in origin.version.allocations(below: origin.name) {
      guard let member = origin.found.member(allocation.physicalVolume),
        let bytes = origin.version.bytes(of: allocation)
      else { continue }
      let isOverLabel = bytes.lowerBound < PhysicalVolumeLabel.searchedByteCount
      if isOverLabel || member.areas.contains(where: { $0.byteRange.overlaps(bytes) }) {
        throw .refused(
          MergeRefusal(
            .overMetadata,
            "\(origin.text): has extents in which \(member.source.name) has metadata"))
      }
    }
  }

  // MARK: - Arrays

  /// Refuses to write only some members of a mirroring array.
  private func checkArrays(_ origin: OriginVolume) throws(MergeError) {
    if request.accepted.contains(.degradedArray) { return }
    for allocation in origin.version.allocations(below: origin.name) {
      guard let array = origin.found.member(allocation.physicalVolume)?.array, array.isDegraded
      else { continue }
      throw .refused(
        MergeRefusal(
          .degradedArray,
          "\(origin.text): would be written only to \(array.description); give the others with"
            + " --pv; `--accept degraded-array` writes to those given, and the others must then be"
            + " rebuilt"))
    }
  }

  // MARK: - Legs

  /// Refuses a volume of which a part is missing, even a leg that would not be written.
  private func checkIsThere(_ origin: OriginVolume) throws(MergeError) {
    let all = try wrapping(MergeError.volume, try origin.sourceWithStaleLegs())
    try io(try all.checkWritable(), as: .targetNotWritable)
  }

  /// Refuses an option that uses one copy if there are several.
  private func checkWithoutCopies(_ origin: OriginVolume, _ why: String) throws(MergeError) {
    let whole = try wrapping(MergeError.volume, try origin.sourceWithStaleLegs())
    if whole.map.copyCount == 1 {
      let copies = try wrapping(MergeError.volume, try origin.copies())
      if copies.count == 1 { return }
    }
    throw .refused(
      MergeRefusal(
        .severalLegs, "\(origin.text): has copies, of which \(why); without it all are written"))
  }

  /// Refuses legs that differ where they will be saved: an undo store keeps only one.
  func checkLegs(_ origin: OriginVolume, _ view: SnapshotView) throws(MergeError) {
    guard request.undoPath != nil, !origin.writesAllLegs else { return }
    let copies = try wrapping(MergeError.volume, try origin.copies())
    for copy in copies.dropFirst() {
      let difference = try io(try view.firstDifference(between: copies[0], copy))
      guard let difference else { continue }
      throw .refused(
        MergeRefusal(
          .severalLegs,
          "\(origin.text): its legs differ at byte \(difference), and an undo store keeps only one"
            + " of them; `--all-legs` merges, and an undo then gives all of them the content of the"
            + " first"
        ))
    }
  }

  /// Notes which legs stay as they are.
  ///
  /// - Parameter source: What is read and written of it.
  mutating func noteStaleLegs(
    of origin: OriginVolume, _ source: any BlockSource
  ) throws(MergeError) {
    for leg in origin.version.splitOffLegs(below: origin.name) where leg != origin.name {
      notes.append(
        "\(origin.text): its leg \(origin.version.name)/\(leg) was split off and is not written;"
          + " lvconvert --merge would miss the data merged here: rebuild that leg completely"
          + " (lvchange --rebuild PV) before it is used")
    }
    guard !origin.writesAllLegs, let source = source as? VolumeSource else { return }
    let all = try wrapping(MergeError.volume, try origin.sourceWithStaleLegs())
    guard all.map.copyCount > source.map.copyCount else { return }
    notes.append(
      "\(origin.text): a leg that is out of date, or not known to be in sync, is not written;"
        + " rebuild it completely before it is used (raid1: lvchange --rebuild PV; mirror: lvchange"
        + " --resync), as a resync by bitmap would miss the merged data; or give --all-legs"
    )
  }

  // MARK: - Other snapshots

  /// Refuses to change bytes that other snapshots of the origin still show through it.
  ///
  /// Linux's merge copies the old data to them first; this merge does not.
  func checkSiblings(of origin: OriginVolume, _ view: SnapshotView) throws(MergeError) {
    if request.accepted.contains(.otherSnapshots) { return }
    // As the group is now, whichever version the store is of.
    let now = origin.found.group
    let own = request.snapshot?.volume?.uuid
    let uuid = origin.version.volume(named: origin.name)?.uuid
    var affected: [String] = []
    var others: [(name: String, view: SnapshotView)] = []
    for sibling in now.snapshots
    where now.volume(named: sibling.origin)?.uuid == uuid
      && now.volume(named: sibling.store)?.uuid != own
    {
      let name = "\(now.name)/\(sibling.store)"
      do {
        let store = try SnapshotVolume(sibling, of: now, origin.found).store
        let table = try LoadedTable(Store(store), reading: .kernel).table
        let other = SnapshotView(of: view.origin, through: table, of: store)
        if !view.leavesAlone(other) { others.append((name, other)) }
      } catch {
        affected.append(name)  // what it has is unknown, and may yet be salvaged
      }
    }
    affected += try changed(others, by: view)
    if affected.isEmpty { return }
    throw .refused(
      MergeRefusal(
        .otherSnapshots,
        "\(view.originName): \(affected.joined(separator: ", ")) would show the written data,"
          + " having no copies of their own; export them first, and give `--accept"
          + " other-snapshots`, or use --to"
      ))
  }

  /// The snapshots that would show other bytes: a merge that writes identical bytes changes none.
  private func changed(
    _ others: [(name: String, view: SnapshotView)], by view: SnapshotView
  ) throws(MergeError) -> [String] {
    if others.isEmpty { return [] }
    var affected: Set<Int> = []
    func note(_ range: Range<UInt64>) {
      for index in others.indices where !affected.contains(index) {
        if others[index].view.showsOrigin(in: range) { affected.insert(index) }
      }
    }
    let diff = try io(try SnapshotDiff(view, view.origin) { note($0) })
    for lost in diff.lost { note(lost.range) }
    return affected.sorted().map { others[$0].name }
  }
}

extension Allocation {
  /// It, or another one that reaches farther.
  fileprivate func reaching(beyond other: Allocation?) -> Allocation {
    guard let other, other.extents.upperBound > extents.upperBound else { return self }
    return other
  }
}

extension SnapshotView {
  /// Whether any byte of a range is the origin's.
  fileprivate func showsOrigin(in range: Range<UInt64>) -> Bool {
    var shows = false
    forEachSegment(in: range.clamped(to: 0..<byteCount)) { if $0.place == .origin { shows = true } }
    return shows
  }

  /// The first byte that differs between two copies of the origin, within the bytes that the view
  /// overwrites.
  fileprivate func firstDifference(
    between one: any BlockSource, _ other: any BlockSource
  ) throws(BlockIOError) -> UInt64? {
    let size: UInt64 = 1 << 20
    let (ours, theirs) = (IOBuffer(byteCount: Int(size)), IOBuffer(byteCount: Int(size)))
    for run in table.runs {
      guard let bytes = bytes(of: run) else { continue }
      var position = bytes.lowerBound
      while position < bytes.upperBound {
        let count = Int(min(size, bytes.upperBound - position))
        let unread = try one.readAround(at: position, into: ours, 0..<count)
        let unreadToo = try other.readAround(at: position, into: theirs, 0..<count)
        if let lost = unread.first ?? unreadToo.first { return lost.lowerBound }
        if !ours.equals(0..<count, in: theirs, at: 0) {
          let sector = stride(from: 0, to: count, by: 512).first {
            !ours.equals($0..<min($0 + 512, count), in: theirs, at: $0)
          }
          return position + UInt64(sector ?? 0)
        }
        position += UInt64(count)
      }
    }
    return nil
  }
}
